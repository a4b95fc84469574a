package app

import (
	"context"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/signed"
)

// Subject is what the gateway knows of the citizen who asks.
type Subject struct {
	Pseudonym  string      `json:"pseudonym" doc:"What the ledger knows the citizen as."`
	Channel    string      `json:"channel" doc:"Everything the citizen signs names it."`
	Registered bool        `json:"registered" doc:"Whether a signing key is registered."`
	SigningKey *signed.Key `json:"signing_key,omitempty" doc:"The registered key."`
	Log        *AccessLog  `json:"log,omitempty" doc:"The head of the citizen's access log."`
	AsOf       uint64      `json:"as_of_block" doc:"The read includes this block and everything before it."`
}

// Me is GET /v1/subjects/me.
type Me struct{ After }

// Me says who the citizen is on the ledger, and whether a signing key is registered.
func (a *App) Me(ctx context.Context, who Actor, req Me) (s Subject, err error) {
	if err := who.is(Citizen); err != nil {
		return s, err
	}
	if s.AsOf, err = a.wait(ctx, req.After); err != nil {
		return s, err
	}
	s.Pseudonym, s.Channel = who.Subject, a.Channel
	subject, found, err := find[exchange.Subject](ctx, a, "subject", who.Subject)
	if err != nil || !found {
		return s, err
	}
	s.Registered, s.SigningKey = true, &subject.SigningKey
	log, found, err := find[exchange.Log](ctx, a, "log", who.Subject)
	if found {
		s.Log = headOf(log)
	}
	return s, err
}

// RegisterKey is PUT /v1/subjects/me.
type RegisterKey struct {
	Keyed
	SigningKey signed.Key `json:"signing_key" doc:"The citizen's public key, P-256, as a JWK (RFC 7517)."`
	Proof      string     `json:"proof" max:"16384" doc:"Compact JWS of type hutong-registration+jwt by that key over {channel, subject, thumbprint}."`
}

// RegisterKey registers the citizen's signing key. Another takes its place by RotateKey or RecoverKey.
func (a *App) RegisterKey(ctx context.Context, who Actor, req RegisterKey) (Receipt, error) {
	if err := who.is(Citizen); err != nil {
		return Receipt{}, err
	}
	as, err := a.asRegistrar(ctx)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.RegisterSubject{Pseudonym: who.Subject, SigningKey: req.SigningKey, Proof: req.Proof}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	// The registering agency's staff is not involved, and the citizen's token has none.
	return a.submit(ctx, as, exchange.Name, exchange.SubjectRegister, scoped(who.owner(), req.Key), "", request)
}
