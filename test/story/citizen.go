package story

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
	device "github.com/hutong-gov/hutong/gateway/client/signer"
)

// citizensDoor is the organisation whose gateway serves citizens.
const citizensDoor = "services"

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
	if p.Client, err = city.SignIn(ctx, citizensDoor, user); err != nil {
		return p, 0, err
	}
	if p.Me, err = p.gateway().Me(ctx, api.Me{}); err != nil {
		return p, 0, err
	}
	if p.Key, err = device.Load(filepath.Join(keys, user+".key.pem")); err != nil {
		return p, 0, err
	}
	own, err := device.Of(p.Me.Channel, p.Me.Pseudonym, p.Key)
	if err != nil {
		return p, 0, err
	}
	public := own.Key()
	if p.Me.Registered {
		if *p.Me.SigningKey != public {
			return p, 0, ErrOtherKey
		}
		return p, 0, nil
	}
	request, err := own.Registration()
	if err != nil {
		return p, 0, err
	}
	receipt, err := p.gateway().RegisterKey(ctx, request)
	if client.Reason(err) == "subject.conflict" {
		return p, 0, ErrOtherKey // registered a moment ago, and the projection has not seen it
	}
	p.Me.Registered, p.Me.SigningKey = true, &public
	return p, receipt.Block, err
}

// ErrOtherKey says that the citizen has registered another key than the one this device keeps.
var ErrOtherKey = errors.New("another key is registered for this citizen, and it is not on this device")

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
