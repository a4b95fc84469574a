package authority

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/hutong-gov/hutong/network/material"
)

// The part of Fabric CA's interface that an enrolment needs. It is described in
// fabric-ca v1.5.13, swagger/swagger-fabric-ca.json; forms of requests and
// answers are those of its packages api and lib, tokens those of
// util.GenECDSAToken.

const apiPath = "/api/v1/"

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// duplicate is Fabric CA's code for an identity that is registered already
// (lib/caerrors, ErrDupIdentityReg).
const duplicate = 74

// client speaks to one authority of a server.
type client struct {
	base, ca string
	http     *http.Client
}

// signer is who signs a token.
type signer struct {
	certificate []byte
	key         crypto.Signer
}

type info struct {
	CAChain string
	Version string
}

type attribute struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// ECert puts the attribute into certificates without being asked.
	ECert bool `json:"ecert"`
}

type registration struct {
	ID             string      `json:"id,omitempty"`
	Type           string      `json:"type"`
	Secret         string      `json:"secret"`
	MaxEnrollments int         `json:"max_enrollments"`
	Affiliation    string      `json:"affiliation"`
	Attributes     []attribute `json:"attrs,omitempty"`
}

type enrolment struct {
	Request string `json:"certificate_request"`
	Profile string `json:"profile,omitempty"`
}

// refusal is what the server says when it refuses. Why, it often tells only
// its log.
type refusal struct {
	Method, Path, Status string
	Code                 int
	Message              string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("the Fabric CA refuses %s %s with %s: %s (code %d; its log says more)", r.Method, r.Path, r.Status, r.Message, r.Code)
}

func (c *client) info(ctx context.Context) (info, error) {
	var answer info
	return answer, c.call(ctx, http.MethodGet, "cainfo", nil, nil, &answer)
}

// enrol asks for a certificate for the key that has signed the request.
func (c *client) enrol(ctx context.Context, name, secret string, e enrolment) ([]byte, error) {
	var answer struct{ Cert string }
	authorise := func(r *http.Request, _ []byte) error { r.SetBasicAuth(name, secret); return nil }
	if err := c.call(ctx, http.MethodPost, "enroll", e, authorise, &answer); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(answer.Cert)
}

// register makes an identity known under a secret that is good for one
// enrolment. One that is known already is given this secret and one enrolment
// more; what it was given before and has not used is worth nothing from then on.
func (c *client) register(ctx context.Context, registrar signer, r registration) error {
	r.MaxEnrollments = 1
	err := c.call(ctx, http.MethodPost, "register", r, registrar.token, nil)
	var refused *refusal
	if !errors.As(err, &refused) || refused.Code != duplicate {
		return err
	}
	path := "identities/" + url.PathEscape(r.ID)
	var known struct {
		MaxEnrollments int `json:"max_enrollments"`
	}
	if err := c.call(ctx, http.MethodGet, path, nil, registrar.token, &known); err != nil {
		return err
	}
	r.ID, r.MaxEnrollments = "", known.MaxEnrollments+1
	// What is not said stays. Said again, an empty affiliation would take the
	// attribute out of the next certificate.
	r.Affiliation = ""
	return c.call(ctx, http.MethodPut, path, r, registrar.token, nil)
}

// call sends a request and reads the result out of the answer's envelope.
func (c *client) call(ctx context.Context, method, path string, body any, authorise func(*http.Request, []byte) error, result any) error {
	var content []byte
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return err
		}
	}
	address := c.base + apiPath + path + "?" + url.Values{"ca": {c.ca}}.Encode()
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(content))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if authorise != nil {
		if err := authorise(request, content); err != nil {
			return err
		}
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	var envelope struct {
		Success bool            `json:"success"`
		Result  json.RawMessage `json:"result"`
		Errors  []struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(text, &envelope); err != nil {
		return fmt.Errorf("%s %s answered %s, not in the form of Fabric CA: %w", method, path, response.Status, err)
	}
	if envelope.Success {
		if result == nil {
			return nil
		}
		return json.Unmarshal(envelope.Result, result)
	}
	refused := &refusal{Method: method, Path: path, Status: response.Status}
	if len(envelope.Errors) > 0 {
		refused.Code, refused.Message = envelope.Errors[0].Code, envelope.Errors[0].Message
	}
	return refused
}

// token authorises a request: the certificate, and a signature over method,
// address, body and certificate.
func (s signer) token(r *http.Request, body []byte) error {
	encode := base64.StdEncoding.EncodeToString
	certificate := encode(s.certificate)
	digest := sha256.Sum256([]byte(r.Method + "." + encode([]byte(r.URL.RequestURI())) + "." + encode(body) + "." + certificate))
	signature, err := material.LowS(s.key).Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", certificate+"."+encode(signature))
	return nil
}
