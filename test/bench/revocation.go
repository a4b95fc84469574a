package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"golang.org/x/sync/errgroup"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/block"
	"github.com/hutong-gov/hutong/network/catalogue"
	"github.com/hutong-gov/hutong/test/departments"
	"github.com/hutong-gov/hutong/test/story"
)

// MaxRevocationP95 is what the time from a revocation's click to its effect is held to.
const MaxRevocationP95 = 1 * time.Second

// How revocations are measured.
const (
	usersOfAConsent = 2                // officers who use one consent without a pause
	refusalsWanted  = 2                // that each of them must meet after the revocation's commit
	roundPatience   = 60 * time.Second // for one revocation with everything around it
	consumer        = "market.tax"
	material        = "tax-identity"
	revokedReason   = "exchange.consent_revoked"
)

// RevocationOptions say how much is measured.
type RevocationOptions struct {
	Times    int      // revocations in all
	Citizens []string // who revoke, at the same time
	Keys     string   // folder for the citizens' keys
}

// Revocations is what became of them.
type Revocations struct {
	Times     int
	Effects   []time.Duration // from the click (the revocation is sent) to the answer of the first use that is refused for it
	Commits   []time.Duration // from the click to the answer that it is committed
	Before    int             // uses that were carried through before
	Refused   int             // uses that were refused for the revocation
	Otherwise map[string]int  // uses that ended otherwise, by reason
	Late      []string        // uses and deliveries that the ledger has after the revocation, and successes of uses that began after its commit
	Blocks    int             // searched for such
}

// attempt is one use as an officer met it.
type attempt struct {
	began, ended time.Time
	reason       string // empty: it was carried through
}

// holder is a citizen with an open case.
type holder struct {
	story.Person
	caseID string
	terms  exchange.ConsentTerms
}

// Revoke measures revocations: a citizen gives a consent at the citizens' gateway, officers of another organisation use it
// without a pause at theirs, and the citizen revokes it. Then the blocks of the auditor's peer are searched for a use or
// delivery behind the revocation. Nothing else should be going on in the city.
func Revoke(ctx context.Context, n *network.Network, o RevocationOptions) (r Revocations, err error) {
	city := story.NewLive(n)
	c, err := catalogue.Default()
	if err != nil {
		return r, err
	}
	if _, err := c.Active().Load(ctx, city.Admin, catalogue.Options{}); err != nil {
		return r, err
	}
	officer, err := story.NewOfficer(ctx, city, consumer)
	if err != nil {
		return r, err
	}
	r.Times, r.Otherwise = o.Times, map[string]int{}
	revoked := map[string]bool{}
	var mu sync.Mutex // r and revoked
	group, working := errgroup.WithContext(ctx)
	for i, user := range o.Citizens {
		group.Go(func() error {
			h, err := settle(working, city, user, o.Keys)
			if err != nil {
				return fmt.Errorf("%s: %w", user, err)
			}
			for turn := i; turn < o.Times; turn += len(o.Citizens) {
				id, found, err := h.round(working, officer)
				if err != nil {
					return fmt.Errorf("%s: %w", user, err)
				}
				mu.Lock()
				revoked[id] = true
				r.add(found)
				mu.Unlock()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return r, err
	}
	return r, r.search(ctx, n, revoked)
}

// settle signs a citizen in and lets them apply, so that there is a case to use data for.
func settle(ctx context.Context, city *story.Live, user, keys string) (h holder, err error) {
	if h.Person, _, err = story.SignIn(ctx, city, user, keys); err != nil {
		return h, err
	}
	d, err := h.Draft(ctx, story.Service)
	if err != nil {
		return h, err
	}
	answers, err := story.Options{World: departments.Generate()}.Answers(user)
	if err != nil {
		return h, err
	}
	request, err := h.Application(d, answers)
	if err != nil {
		return h, err
	}
	if _, err := h.Apply(ctx, d, request); err != nil {
		return h, err
	}
	at := slices.IndexFunc(d.Consents, func(t exchange.ConsentTerms) bool { return t.Consumer == consumer })
	if at < 0 {
		return h, errors.New("the service asks for no consent to " + consumer)
	}
	h.caseID, h.terms = d.Case, d.Consents[at]
	return h, nil
}

// round is one revocation with what went on around it.
type round struct {
	clicked, committed time.Time
	attempts           []attempt
}

func (h holder) round(ctx context.Context, officer story.Officer) (id string, found round, err error) {
	ctx, cancel := context.WithTimeout(ctx, roundPatience)
	defer cancel()
	terms := h.terms
	terms.Nonce, terms.MaxUses = rand.Text(), exchange.MaxConsentUses
	jws, err := h.Sign(exchange.ConsentKind, terms)
	if err != nil {
		return "", found, err
	}
	given, err := api.Of(h.Client).GiveConsent(ctx, api.GiveConsent{Consent: jws})
	if err != nil {
		return "", found, err
	}
	revocation, err := h.Sign(exchange.RevocationKind, exchange.Revocation{Channel: h.Me.Channel, Subject: h.Me.Pseudonym, Consent: given.ID})
	if err != nil {
		return "", found, err
	}
	var mu sync.Mutex // found
	used := make(chan struct{}, usersOfAConsent)
	group, using := errgroup.WithContext(ctx)
	for range usersOfAConsent {
		group.Go(func() error {
			refusals := 0
			for n := 0; refusals < refusalsWanted; n++ {
				a := attempt{began: time.Now()}
				_, err := api.Of(officer.Client).RequestUse(using, api.RequestUse{Case: h.caseID, Material: material, Consent: given.ID})
				if a.ended = time.Now(); using.Err() != nil {
					return using.Err()
				}
				if a.reason = client.Reason(err); err != nil && a.reason == "" {
					a.reason = "no problem document"
				}
				if a.reason == missingReason { // blocks do not reach all organisations at the same moment
					time.Sleep(missingPause)
					n--
					continue
				}
				mu.Lock()
				found.attempts = append(found.attempts, a)
				if a.reason == revokedReason && !found.committed.IsZero() && a.began.After(found.committed) {
					refusals++
				}
				mu.Unlock()
				if n == 0 {
					used <- struct{}{}
				}
			}
			return nil
		})
	}
	for range usersOfAConsent { // uses are going on
		select {
		case <-used:
		case <-using.Done():
			return given.ID, found, errors.Join(group.Wait(), using.Err())
		}
	}
	clicked := time.Now()
	_, err = api.Of(h.Client).RevokeConsent(ctx, api.RevokeConsent{ID: given.ID, Revocation: revocation}, client.Key(client.NewKey()))
	mu.Lock()
	found.clicked, found.committed = clicked, time.Now()
	mu.Unlock()
	if err != nil {
		cancel()
		_ = group.Wait() // the officers were called off
		return given.ID, found, err
	}
	return given.ID, found, group.Wait()
}

// A consent that was just given may not be on the peer of the officers' organisation yet.
const (
	missingReason = "consent.missing"
	missingPause  = 20 * time.Millisecond
)

// add counts one round in.
func (r *Revocations) add(found round) {
	var first time.Time
	for _, a := range found.attempts {
		switch {
		case a.reason == revokedReason:
			r.Refused++
			if first.IsZero() || a.ended.Before(first) {
				first = a.ended
			}
		case a.reason != "":
			r.Otherwise[a.reason]++
		case a.began.After(found.committed):
			r.Late = append(r.Late, fmt.Sprintf("a use that began %s after the revocation's commit was carried through", a.began.Sub(found.committed)))
		default:
			r.Before++
		}
	}
	r.Effects = append(r.Effects, first.Sub(found.clicked))
	r.Commits = append(r.Commits, found.committed.Sub(found.clicked))
}

// place is where on the ledger something is.
type place struct {
	block uint64
	index int
}

func (p place) after(other place) bool {
	return p.block > other.block || p.block == other.block && p.index > other.index
}

// search looks through every block for uses and deliveries that rest on a consent and stand behind its revocation.
func (r *Revocations) search(ctx context.Context, n *network.Network, consents map[string]bool) error {
	ends, rests := map[string]place{}, map[string]map[string]place{} // revocation by consent; use and status by consent
	var decoder block.Decoder
	count, err := story.EachBlock(ctx, n, func(b *common.Block) error {
		decoded, err := decoder.Decode(b)
		if err != nil {
			return err
		}
		for _, tx := range decoded.Transactions {
			if tx.Code != block.Valid {
				continue
			}
			if err := note(tx, place{decoded.Number, tx.Index}, ends, rests); err != nil {
				return err
			}
		}
		return nil
	})
	r.Blocks = count
	if err != nil {
		return err
	}
	for id := range consents {
		end, found := ends[id]
		if !found {
			return errors.New("the ledger has no revocation of consent " + id)
		}
		for what, at := range rests[id] {
			if at.after(end) {
				r.Late = append(r.Late, fmt.Sprintf("%s of block %d rests on a consent revoked in block %d", what, at.block, end.block))
			}
		}
	}
	return nil
}

// note notes the revocations, uses and deliveries that a transaction wrote.
func note(tx block.Transaction, at place, ends map[string]place, rests map[string]map[string]place) error {
	for _, namespace := range tx.Writes {
		for _, w := range namespace.Writes {
			switch noun, parts, ok := state.Split(w.Key); {
			case !ok || len(parts) == 0:
			case noun == exchange.Consents.Noun:
				var c exchange.Consent
				if err := json.Unmarshal(w.Value, &c); err != nil {
					return err
				}
				if c.Status == exchange.Revoked {
					ends[c.ID] = at
				}
			case noun == exchange.Uses.Noun:
				var u exchange.Use
				if err := json.Unmarshal(w.Value, &u); err != nil {
					return err
				}
				if u.Consent == "" || u.Status == exchange.Acknowledged { // a receipt for what came in time may come later
					continue
				}
				if rests[u.Consent] == nil {
					rests[u.Consent] = map[string]place{}
				}
				rests[u.Consent][u.Status+" use "+u.ID] = at
			}
		}
	}
	return nil
}

// Print writes what was measured; the error says what does not hold.
func (r *Revocations) Print(out io.Writer) error {
	slices.Sort(r.Effects)
	slices.Sort(r.Commits)
	fmt.Fprintf(out, "%d consents revoked while officers of another organisation used them: %d uses carried through before, %d refused, %d blocks searched\n",
		r.Times, r.Before, r.Refused, r.Blocks)
	for reason, count := range r.Otherwise {
		fmt.Fprintf(out, "%d uses ended with %s\n", count, reason)
	}
	for _, late := range r.Late {
		fmt.Fprintln(out, late)
	}
	for _, m := range []struct {
		name  string
		value float64
	}{
		{"revocation_to_effect_p50", milliseconds(percentile(r.Effects, 50))},
		{"revocation_to_effect_p95", milliseconds(percentile(r.Effects, 95))},
		{"revocation_to_effect_max", milliseconds(percentile(r.Effects, 100))},
		{"revocation_to_commit_p50", milliseconds(percentile(r.Commits, 50))},
		{"revocation_to_commit_p95", milliseconds(percentile(r.Commits, 95))},
	} {
		fmt.Fprintf(out, "measure %s %.0f ms\n", m.name, m.value)
	}
	fmt.Fprintf(out, "measure uses_after_revocation %d uses\n", len(r.Late))
	p95 := percentile(r.Effects, 95)
	return PrintFindings(out, []Finding{
		{"used_before", fmt.Sprintf("%d uses, %d revocations", r.Before, r.Times), r.Before >= r.Times},
		{"none_after", fmt.Sprintf("%d uses or deliveries behind a revocation", len(r.Late)), len(r.Late) == 0},
		{"effect", fmt.Sprintf("p95 %s from the click to the first refusal, at most %s", p95.Round(time.Millisecond), MaxRevocationP95), len(r.Effects) == r.Times && p95 < MaxRevocationP95},
	})
}
