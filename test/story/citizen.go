package story

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
)

// door is the organisation whose gateway serves citizens.
const door = "services"

// Person is a citizen at their own device: signed in, with their own key.
type Person struct {
	User   string
	Me     api.Subject
	Key    *ecdsa.PrivateKey
	Client *client.Client
}

// gateway is the citizens' door, for this citizen.
func (p Person) gateway() api.Gateway { return api.Of(p.Client) }

// SignIn signs a citizen in and registers their key if none is registered. It answers ErrOtherKey if the registered key is
// not the one kept in the folder: then this device cannot sign for the citizen.
func SignIn(ctx context.Context, city City, user, keys string) (p Person, block uint64, err error) {
	p.User = user
	if p.Client, err = city.SignIn(ctx, door, user); err != nil {
		return p, 0, err
	}
	if p.Me, err = p.gateway().Me(ctx, api.Me{}); err != nil {
		return p, 0, err
	}
	if p.Key, err = deviceKey(filepath.Join(keys, user+".key.pem")); err != nil {
		return p, 0, err
	}
	public, err := signed.KeyOf(&p.Key.PublicKey)
	if err != nil {
		return p, 0, err
	}
	if p.Me.Registered {
		if *p.Me.SigningKey != public {
			return p, 0, ErrOtherKey
		}
		return p, 0, nil
	}
	proof, err := signed.Sign(p.Key, exchange.RegistrationKind, exchange.Registration{
		Channel: p.Me.Channel, Subject: p.Me.Pseudonym, Thumbprint: public.Thumbprint(),
	})
	if err != nil {
		return p, 0, err
	}
	receipt, err := p.gateway().RegisterKey(ctx, api.RegisterKey{SigningKey: public, Proof: proof})
	if client.Reason(err) == "subject.conflict" {
		return p, 0, ErrOtherKey // registered a moment ago, and the projection has not seen it
	}
	p.Me.Registered, p.Me.SigningKey = true, &public
	return p, receipt.Block, err
}

// ErrOtherKey says that the citizen has registered another key than the one this device keeps.
var ErrOtherKey = errors.New("another key is registered for this citizen, and it is not on this device")

// deviceKey reads the citizen's key, or makes one.
func deviceKey(path string) (*ecdsa.PrivateKey, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newDeviceKey(path)
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%s: not a PEM file", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: not a PKCS#8 key", path)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: not an EC key", path)
	}
	return key, nil
}

func newDeviceKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return key, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// Sign makes a signature of a kind with the citizen's key.
func (p Person) Sign(kind string, content any) (string, error) {
	return signed.Sign(p.Key, kind, content)
}

// Draft asks for a draft of an application.
func (p Person) Draft(ctx context.Context, service string) (api.Drafted, error) {
	return p.gateway().Draft(ctx, api.Draft{Service: service})
}

// Application fills a draft in with answers and signs it, and all its consents.
func (p Person) Application(d api.Drafted, answers map[string]any) (request api.Apply, err error) {
	if request.Form, err = commitment.New(answers); err != nil {
		return request, err
	}
	application := d.Application
	if application.Form, err = request.Form.Root(); err != nil {
		return request, err
	}
	if request.Application, err = p.Sign(collaboration.ApplicationKind, application); err != nil {
		return request, err
	}
	for _, terms := range d.Consents {
		jws, err := p.Sign(exchange.ConsentKind, terms)
		if err != nil {
			return request, err
		}
		request.Consents = append(request.Consents, jws)
	}
	return request, nil
}

// Apply sends an application.
func (p Person) Apply(ctx context.Context, d api.Drafted, request api.Apply) (api.Applied, error) {
	return p.gateway().Apply(ctx, request, client.Key(d.Key))
}

// Withdraw ends an open case.
func (p Person) Withdraw(ctx context.Context, id string) (api.Receipt, error) {
	jws, err := p.Sign(collaboration.WithdrawalKind, collaboration.Withdrawal{Channel: p.Me.Channel, Subject: p.Me.Pseudonym, Case: id})
	if err != nil {
		return api.Receipt{}, err
	}
	return p.gateway().Withdraw(ctx, api.Withdraw{ID: id, Withdrawal: jws})
}

// Answers are what the citizen writes into the form: what only they know, and by which their records are found.
func (o Options) Answers(user string) (map[string]any, error) {
	person, premises, found := o.World.Behind(user)
	if !found {
		return nil, fmt.Errorf("the departments know nobody behind %s", user)
	}
	return map[string]any{
		"enterprise_name":         "北京胡同里书店有限公司",
		"business_scope":          "图书零售；文化创意产品销售；咖啡服务",
		"registered_capital_yuan": 500000,
		"id_number":               person.IDNumber,
		"premises_number":         premises.Number,
		"articles":                "采用市场监管部门示范章程（2026 年版）",
		"appointed_on":            time.Now().UTC().Format(time.DateOnly),
		"general_taxpayer":        false,
	}, nil
}
