package app

import (
	"cmp"
	"context"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/gateway/store"
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

// AccessLog is the head of a subject's access log.
type AccessLog struct {
	Count int    `json:"count" doc:"How many uses there are; they are numbered from 1 without a gap."`
	Hash  string `json:"hash,omitempty" doc:"Over all uses in order; absent while there is none."`
	Last  string `json:"last,omitempty" doc:"The last use."`
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
		s.Log = &AccessLog{Count: log.Count, Hash: log.Hash, Last: log.Last}
	}
	return s, err
}

// RegisterKey is PUT /v1/subjects/me.
type RegisterKey struct {
	Keyed
	SigningKey signed.Key `json:"signing_key" doc:"The citizen's public key, P-256, as a JWK (RFC 7517)."`
	Proof      string     `json:"proof" max:"16384" doc:"Compact JWS of type hutong-registration+jwt by that key over {channel, subject, thumbprint}."`
}

// RegisterKey registers the citizen's signing key. There is one, for good: what it signed must stay verifiable.
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

// MyUses is GET /v1/subjects/me/uses.
type MyUses struct{ Listing }

// LoggedUse is one entry of the citizen's access log.
type LoggedUse struct {
	exchange.Entry
	Previous string `json:"previous,omitempty" doc:"Hash of the log before this entry."`
	Status   string `json:"status" doc:"requested, delivered or acknowledged."`
}

// UseLog is a page of the citizen's access log with its head: with all pages anyone can recompute the hash.
type UseLog struct {
	Page[LoggedUse]
	Log AccessLog `json:"log" doc:"The head of the log."`
}

// MyUses lists who used the citizen's data, for what, on which legal basis: numbered, linked by hash, nothing left out.
func (a *App) MyUses(ctx context.Context, who Actor, req MyUses) (answer UseLog, err error) {
	if err := who.is(Citizen); err != nil {
		return answer, err
	}
	page, err := list[exchange.Use](ctx, a, req.Listing, store.Query{Noun: "use", Subject: who.Subject})
	if err != nil {
		return answer, err
	}
	answer.Next, answer.AsOf = page.Next, page.AsOf
	answer.Items = make([]LoggedUse, len(page.Items))
	for i, u := range page.Items {
		answer.Items[i] = LoggedUse{Entry: u.Entry(), Previous: u.Previous, Status: u.Status}
	}
	slices.SortFunc(answer.Items, func(x, y LoggedUse) int { return cmp.Compare(x.Number, y.Number) })
	log, found, err := find[exchange.Log](ctx, a, "log", who.Subject)
	if found {
		answer.Log = AccessLog{Count: log.Count, Hash: log.Hash, Last: log.Last}
	}
	return answer, err
}
