package app

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// salted makes a document whose salts follow from the agency's private key, what the document is, and the id of the record
// it belongs to: a request that is repeated commits to the same document, and without the key no salt can be guessed.
func (a *App) salted(agency, kind, id string, values map[string]json.RawMessage) (d commitment.Document, err error) {
	key, held := a.Keys[agency]
	if !held {
		return d, notServed("this gateway does not hold the agency's exchange key; GET /v1/agencies says which gateway does")
	}
	for name, value := range values {
		raw, err := canonical.Transform(value)
		if err != nil {
			return d, fault.Field("", "json", "send the values as JSON") // a name may be data: it is not repeated
		}
		salt, err := hkdf.Key(sha256.New, key.Bytes(), nil, strings.Join([]string{"hutong/salt/v1", kind, id, name}, "\n"), commitment.SaltBytes)
		if err != nil {
			return d, err
		}
		d.Fields = append(d.Fields, commitment.Field{Name: name, Value: raw, Salt: base64.RawURLEncoding.EncodeToString(salt)})
	}
	slices.SortFunc(d.Fields, func(x, y commitment.Field) int { return strings.Compare(x.Name, y.Name) })
	return d, nil
}
