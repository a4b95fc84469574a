package block

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"

	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/access"
)

// attributes is the certificate extension in which Fabric CA writes attributes.
var attributes = asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}

// maxIdentities bounds the identities a decoder remembers. A channel has a few hundred; past the bound it starts anew.
const maxIdentities = 1024

// identities remembers what certificates say: reading one costs more than reading the rest of a transaction.
type identities map[string]Identity

func (known *identities) of(raw []byte) Identity {
	if id, ok := (*known)[string(raw)]; ok {
		return id
	}
	if *known == nil || len(*known) >= maxIdentities {
		*known = make(identities)
	}
	id := identity(raw)
	(*known)[string(raw)] = id
	return id
}

// identity reads a serialized identity. What cannot be read stays empty: an identity is judged by peers, not here.
func identity(raw []byte) Identity {
	var serialized msp.SerializedIdentity
	if proto.Unmarshal(raw, &serialized) != nil {
		return Identity{}
	}
	id := Identity{MSP: serialized.GetMspid()}
	block, _ := pem.Decode(serialized.GetIdBytes())
	if block == nil {
		return id
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return id
	}
	id.Name = certificate.Subject.CommonName
	for _, extension := range certificate.Extensions {
		if !extension.Id.Equal(attributes) {
			continue
		}
		var written struct {
			Attrs map[string]string `json:"attrs"`
		}
		if json.Unmarshal(extension.Value, &written) != nil {
			continue
		}
		if code := written.Attrs[access.AttributeAgency]; code != "" {
			id.Agency = access.Organisation(id.MSP) + "." + code
		}
		id.Role = access.Role(written.Attrs[access.AttributeRole])
	}
	return id
}

// IdentityOf reads one serialized identity.
func IdentityOf(serialized []byte) Identity { return identity(serialized) }
