package attack

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/network/block"
	"github.com/hutong-gov/hutong/test/departments"
	"github.com/hutong-gov/hutong/test/story"
)

const (
	tax        = "market.tax"
	regulation = "market.regulation"
	police     = "services.police"
	housing    = "planning.housing"
	identities = "services.police/identity"
)

var (
	zeros  = strings.Repeat("0", 64)
	ones   = strings.Repeat("1", 64)
	judges = []string{"services", "planning", "market"} // the organisations whose endorsements count
)

// scene is a case in which the tax office may use a citizen's identity, with consent and within a quota of two a month.
type scene struct {
	*testing.T
	ctx     context.Context
	thief   *Thief // with the service certificate of the tax office
	person  story.Person
	use     exchange.RequestUse // that is in order, but for its ticket
	other   string              // a consent that is for another agency
	admins  func(agency string) *client.Client
	grant   exchange.Grant
	ordinal int
}

func newScene(t *testing.T) *scene {
	t.Helper()
	if victim == nil {
		t.Skip("needs a real network, which -short leaves out")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	live := story.NewLive(victim)
	s := &scene{T: t, ctx: ctx, admins: func(agency string) *client.Client {
		c, err := live.Admin(ctx, agency)
		require.NoError(t, err)
		return c
	}}
	s.thief = s.steal(tax, "agency")
	var err error
	s.person, _, err = story.SignIn(ctx, live, "citizen2", devices)
	require.NoError(t, err)
	d, err := s.person.Draft(ctx, story.Service)
	require.NoError(t, err)
	answers, err := story.Options{World: departments.Generate()}.Answers("citizen2")
	require.NoError(t, err)
	application, err := s.person.Application(d, answers)
	require.NoError(t, err)
	applied, err := s.person.Apply(ctx, d, application)
	require.NoError(t, err)
	block := applied.Consents[len(applied.Consents)-1].Block
	s.use = exchange.RequestUse{
		Subject: s.person.Me.Pseudonym, Dataset: identities, Fields: []string{"id_number"}, Purpose: story.Service,
		LegalBasis: "Tax Collection Law, art. 15", Case: applied.ID, Selector: zeros,
	}
	consents, err := client.Do[app.Page[exchange.Consent]](ctx, s.person.Client, http.MethodGet, fmt.Sprintf("/v1/consents?case=%s&min_block=%d", applied.ID, block), nil)
	require.NoError(t, err)
	for _, c := range consents.Items {
		if c.Terms.Dataset == identities && c.Terms.Consumer == tax {
			s.use.Consent = c.ID
		} else if c.Terms.Dataset == identities {
			s.other = c.ID
		}
	}
	grants, err := client.Do[app.Page[exchange.Grant]](ctx, s.admins(tax), http.MethodGet, "/v1/grants?status=granted&dataset="+identities, nil)
	require.NoError(t, err)
	require.Len(t, grants.Items, 1)
	s.grant = grants.Items[0]
	s.use.Grant = s.grant.ID
	terms := *s.grant.Terms
	terms.Quota = &exchange.Quota{Uses: 2, Per: exchange.PerMonth}
	s.change("terms", app.AmendGrant{Terms: terms, Reason: "limited"})
	return s
}

func (s *scene) steal(agency, role string) *Thief {
	s.Helper()
	thief, err := Steal(victim, agency, role)
	require.NoError(s, err)
	s.Cleanup(func() { require.NoError(s, thief.Close()) })
	return thief
}

// change has the provider change the grant, and waits until every peer has the change.
func (s *scene) change(what string, body any) {
	s.Helper()
	r, err := client.Do[app.Receipt](s.ctx, s.admins(police), http.MethodPut, "/v1/grants/"+s.grant.ID+"/"+what, body)
	require.NoError(s, err)
	for _, agency := range []string{tax, housing, police} {
		_, err = client.Do[app.Page[exchange.Agency]](s.ctx, s.admins(agency), http.MethodGet, fmt.Sprintf("/v1/agencies?min_block=%d", r.Block), nil)
		require.NoError(s, err)
	}
}

// with is the use with something about it changed.
func (s *scene) with(change func(*exchange.RequestUse)) exchange.RequestUse {
	use := s.use
	use.Ticket = 1
	change(&use)
	return use
}

func (s *scene) propose(by *Thief, function string, request any, at time.Time) Proposal {
	s.Helper()
	s.ordinal++
	argument, err := Command(fmt.Sprintf("attack-%d-%s", s.ordinal, client.NewKey()), request)
	require.NoError(s, err)
	p, err := by.Propose(exchange.Name, at, function, argument)
	require.NoError(s, err)
	return p
}

// endorsed is a proposal with what peers answered.
type endorsed struct {
	Proposal
	result       []byte
	endorsements []*peer.Endorsement
}

// endorse collects endorsements that must be given.
func (s *scene) endorse(by *Thief, p Proposal, organisations ...string) endorsed {
	s.Helper()
	e := endorsed{Proposal: p}
	for _, organisation := range organisations {
		response, err := by.Endorse(s.ctx, organisation, p)
		require.NoError(s, err)
		e.result, e.endorsements = response.GetPayload(), append(e.endorsements, response.GetEndorsement())
	}
	return e
}

// done carries a write out as a gateway would, and waits until every peer has it.
func (s *scene) done(by *Thief, function string, request any) endorsed {
	s.Helper()
	e := s.endorse(by, s.propose(by, function, request, time.Now()), "services", "market")
	s.valid(by, e)
	return e
}

func (s *scene) valid(by *Thief, e endorsed) {
	s.Helper()
	code, err := by.Order(s.ctx, e.Proposal, e.result, e.endorsements...)
	require.NoError(s, err)
	require.Equal(s, peer.TxValidationCode_VALID, code)
	for organisation := range by.peers {
		require.Eventually(s, func() bool { return s.knows(by, organisation, e.Tx) }, 20*time.Second, 100*time.Millisecond)
	}
}

// knows says whether a peer has a transaction in a block.
func (s *scene) knows(by *Thief, organisation, tx string) bool {
	p, err := by.Propose("qscc", time.Now(), "GetTransactionByID", []byte(by.channel), []byte(tx))
	require.NoError(s, err)
	_, err = by.Endorse(s.ctx, organisation, p)
	return err == nil
}

// written counts the transactions of the ledger that wrote something, and tells the codes of one.
func (s *scene) written(tx string) (count int, codes []string) {
	s.Helper()
	var decoder block.Decoder
	_, err := story.EachBlock(s.ctx, victim, func(raw *common.Block) error {
		b, err := decoder.Decode(raw)
		if err != nil {
			return err
		}
		for _, t := range b.Transactions {
			if t.Code == block.Valid && len(t.Writes) > 0 {
				count++
			}
			if t.ID == tx {
				codes = append(codes, string(t.Code))
			}
		}
		return nil
	})
	require.NoError(s, err)
	return count, codes
}

// fails makes an attempt, which must come to what is wanted and leave the ledger as it was.
func (s *scene) fails(name, want string, attempt func(*scene) string) {
	s.Helper()
	s.Run(name, func(t *testing.T) {
		inner := *s
		inner.T = t
		before, _ := inner.written("")
		got := attempt(&inner)
		t.Logf("%s: %s", name, got)
		require.Equal(t, want, got)
		after, _ := inner.written("")
		require.Equal(t, before, after, "the ledger has not changed")
		s.ordinal = inner.ordinal
	})
}

// refused proposes a write, and gives the reason of the refusal.
func (s *scene) refused(by *Thief, function string, request any, at time.Time) string {
	s.Helper()
	return s.judged(by, func(by *Thief) (Proposal, error) { return s.propose(by, function, request, at), nil })
}

// judged asks the peers of all organisations, and gives the reason for which they refuse, which must be the same for all.
func (s *scene) judged(by *Thief, propose func(*Thief) (Proposal, error)) string {
	s.Helper()
	p, err := propose(by)
	require.NoError(s, err)
	var reasons []string
	for _, organisation := range judges {
		_, err := by.Endorse(s.ctx, organisation, p)
		require.Error(s, err, "%s endorsed it", organisation)
		reasons = append(reasons, fault.From(err).Reason)
	}
	require.Equal(s, []string{reasons[0], reasons[0], reasons[0]}, reasons)
	return reasons[0]
}

// ordered has a transaction ordered, and gives its validation code.
func (s *scene) ordered(by *Thief, p Proposal, result []byte, endorsements ...*peer.Endorsement) string {
	s.Helper()
	code, err := by.Order(s.ctx, p, result, endorsements...)
	require.NoError(s, err)
	return code.String()
}

// TestNetworkMaliciousGateway tries what a gateway could try that has been taken over, with everything it has.
func TestNetworkMaliciousGateway(t *testing.T) {
	s := newScene(t)
	use := func(change func(*exchange.RequestUse)) func(*scene) string {
		return func(s *scene) string { return s.refused(s.thief, exchange.UseRequest, s.with(change), time.Now()) }
	}
	s.fails("use without consent", "exchange.consent_required", use(func(r *exchange.RequestUse) { r.Consent = "" }))
	s.fails("use with a consent given to another agency", "exchange.consent_mismatch", use(func(r *exchange.RequestUse) { r.Consent = s.other }))
	s.fails("make a consent up", "signature.forged", func(s *scene) string {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(s, err)
		now := time.Now().UTC().Truncate(time.Millisecond)
		jws, err := signed.Sign(key, exchange.ConsentKind, exchange.ConsentTerms{
			Channel: s.thief.channel, Subject: s.use.Subject, Dataset: identities, Fields: []string{"id_number"}, Consumer: tax, Purpose: story.Service,
			Case: s.use.Case, MaxUses: 1, From: now, Until: now.Add(time.Hour), Nonce: "made-up-" + client.NewKey(),
		})
		require.NoError(s, err)
		return s.refused(s.thief, exchange.ConsentGive, exchange.GiveConsent{JWS: jws}, time.Now())
	})
	s.fails("read a field that is not granted", "exchange.field_not_granted", use(func(r *exchange.RequestUse) { r.Fields = []string{"address", "id_number"} }))
	s.fails("use for another purpose", "exchange.purpose_not_granted", use(func(r *exchange.RequestUse) { r.Purpose = "tax.audit" }))
	s.fails("use in a case of nobody's", "case.missing", use(func(r *exchange.RequestUse) { r.Case = strings.Repeat("0", 26) }))
	s.fails("use on another agency's grant", "access.other_agency", func(s *scene) string {
		return s.refused(s.steal(regulation, "agency"), exchange.UseRequest, s.with(func(*exchange.RequestUse) {}), time.Now())
	})
	s.backdates()
	s.cheats()
	s.forgesReceipts(s.exceedsQuota())
	s.meddles()
}

// backdates claims times that are not now.
func (s *scene) backdates() {
	late := func(ago time.Duration) func(*scene) string {
		return func(s *scene) string {
			return s.refused(s.thief, exchange.UseRequest, s.with(func(*exchange.RequestUse) {}), time.Now().Add(-ago))
		}
	}
	s.fails("backdate by days", "transaction.timestamp", late(72*time.Hour))
	s.fails("backdate by six minutes", "transaction.timestamp", late(6*time.Minute))
	s.fails("postdate", "transaction.timestamp", late(-6*time.Minute))
	s.change("suspension", app.ReasonedGrant{Reason: "inquiry"})
	s.fails("backdate within the tolerance, before a suspension", "exchange.grant_suspended", late(4*time.Minute))
	s.change("resumption", app.ReasonedGrant{Reason: "cleared"})
	terms := *s.grant.Terms
	terms.Quota = &exchange.Quota{Uses: 2, Per: exchange.PerMonth}
	whole := terms
	terms.ValidUntil = time.Now().Add(3 * time.Second).UTC().Truncate(time.Millisecond)
	s.change("terms", app.AmendGrant{Terms: terms, Reason: "shortened"})
	time.Sleep(time.Until(terms.ValidUntil) + time.Second)
	s.fails("use after the end", "exchange.grant_expired", late(0))
	s.fails("backdate to before the end", kernel.ReasonOutOfTime, late(time.Minute))
	s.change("terms", app.AmendGrant{Terms: whole, Reason: "restored"})
}

// cheats orders what was not endorsed as it is.
func (s *scene) cheats() {
	good := s.with(func(*exchange.RequestUse) {})
	s.fails("endorsed by one organisation alone", "ENDORSEMENT_POLICY_FAILURE", func(s *scene) string {
		e := s.endorse(s.thief, s.propose(s.thief, exchange.UseRequest, good, time.Now()), "market")
		return s.ordered(s.thief, e.Proposal, e.result, e.endorsements...)
	})
	s.fails("one organisation's endorsement twice", "ENDORSEMENT_POLICY_FAILURE", func(s *scene) string {
		e := s.endorse(s.thief, s.propose(s.thief, exchange.UseRequest, good, time.Now()), "market")
		return s.ordered(s.thief, e.Proposal, e.result, e.endorsements[0], e.endorsements[0])
	})
	s.fails("a write set that was tampered with", "ENDORSEMENT_POLICY_FAILURE", func(s *scene) string {
		e := s.endorse(s.thief, s.propose(s.thief, exchange.UseRequest, good, time.Now()), "services", "market")
		tampered := strings.Replace(string(e.result), `"id_number"`, `"addressxx"`, 1)
		require.NotEqual(s, string(e.result), tampered)
		return s.ordered(s.thief, e.Proposal, []byte(tampered), e.endorsements...)
	})
	s.fails("endorsements gathered for something else", "INVALID_ENDORSER_TRANSACTION", func(s *scene) string {
		e := s.endorse(s.thief, s.propose(s.thief, exchange.UseRequest, good, time.Now()), "services", "market")
		other := s.propose(s.thief, exchange.UseRequest, s.with(func(r *exchange.RequestUse) { r.Fields = []string{"address"} }), time.Now())
		return s.ordered(s.thief, other, e.result, e.endorsements...)
	})
	s.fails("a write set that was taken out", "ENDORSEMENT_POLICY_FAILURE", func(s *scene) string {
		e := s.endorse(s.thief, s.propose(s.thief, exchange.UseRequest, good, time.Now()), "services", "market")
		var result peer.ProposalResponsePayload
		require.NoError(s, proto.Unmarshal(e.result, &result))
		var action peer.ChaincodeAction
		require.NoError(s, proto.Unmarshal(result.GetExtension(), &action))
		action.Results = nil
		var err error
		result.Extension, err = proto.Marshal(&action)
		require.NoError(s, err)
		raw, err := proto.Marshal(&result)
		require.NoError(s, err)
		return s.ordered(s.thief, e.Proposal, raw, e.endorsements...)
	})
}

// exceedsQuota uses as often as the grant allows, twice in a month, and tries on. It answers the first use.
func (s *scene) exceedsQuota() (use string) {
	first := s.done(s.thief, exchange.UseRequest, s.with(func(*exchange.RequestUse) {}))
	s.fails("replay", "VALID, DUPLICATE_TXID", func(s *scene) string {
		envelope, err := s.thief.envelope(first.Proposal, first.result, first.endorsements)
		require.NoError(s, err)
		_, err = s.thief.Send(s.ctx, first.Tx, envelope)
		require.NoError(s, err)
		var codes []string
		require.Eventually(s, func() bool { _, codes = s.written(first.Tx); return len(codes) == 2 }, 20*time.Second, 300*time.Millisecond)
		return strings.Join(codes, ", ")
	})
	ticket := func(n int) func(*scene) string {
		return func(s *scene) string {
			return s.refused(s.thief, exchange.UseRequest, s.with(func(r *exchange.RequestUse) { r.Ticket = n }), time.Now())
		}
	}
	s.fails("the ticket of another use", "exchange.ticket_taken", ticket(1))
	s.fails("no ticket", "exchange.ticket_mismatch", ticket(0))
	s.fails("a ticket beyond the quota", "exchange.quota_exhausted", ticket(3))
	second := s.with(func(r *exchange.RequestUse) { r.Ticket = 2 })
	early := s.endorse(s.thief, s.propose(s.thief, exchange.UseRequest, second, time.Now()), "services", "market")
	s.done(s.thief, exchange.UseRequest, second)
	s.fails("a ticket endorsed while it was free", "MVCC_READ_CONFLICT", func(s *scene) string {
		return s.ordered(s.thief, early.Proposal, early.result, early.endorsements...)
	})
	s.fails("the last ticket again", "exchange.ticket_taken", ticket(2))
	return s.receipt(first).ID
}

// receipt is the contract's answer.
func (s *scene) receipt(e endorsed) (r kernel.Receipt) {
	s.Helper()
	var result peer.ProposalResponsePayload
	require.NoError(s, proto.Unmarshal(e.result, &result))
	var action peer.ChaincodeAction
	require.NoError(s, proto.Unmarshal(result.GetExtension(), &action))
	require.NoError(s, json.Unmarshal(action.GetResponse().GetPayload(), &r))
	return r
}

// forgesReceipts says that something was delivered, or received, that was not.
func (s *scene) forgesReceipts(use string) {
	by := func(agency, function string, request any) func(*scene) string {
		return func(s *scene) string { return s.refused(s.steal(agency, "agency"), function, request, time.Now()) }
	}
	s.fails("deliver to itself", "access.other_agency", by(tax, exchange.UseDeliver, exchange.DeliverUse{Use: use, Commitment: ones}))
	s.fails("deliver for another agency", "access.other_agency", by(housing, exchange.UseDeliver, exchange.DeliverUse{Use: use, Commitment: ones}))
	s.fails("acknowledge what was not delivered", "exchange.not_delivered", by(tax, exchange.UseAcknowledge, exchange.AcknowledgeUse{Use: use, Commitment: ones}))
	s.done(s.steal(police, "agency"), exchange.UseDeliver, exchange.DeliverUse{Use: use, Commitment: ones})
	s.fails("deliver something else afterwards", "exchange.already_delivered", by(police, exchange.UseDeliver, exchange.DeliverUse{Use: use, Commitment: zeros}))
	s.fails("acknowledge something else", "exchange.commitment_mismatch", by(tax, exchange.UseAcknowledge, exchange.AcknowledgeUse{Use: use, Commitment: zeros}))
	s.fails("acknowledge for another agency", "access.other_agency", by(regulation, exchange.UseAcknowledge, exchange.AcknowledgeUse{Use: use, Commitment: ones}))
	s.fails("read another agency's payload", "access.other_agency", func(s *scene) string {
		argument, err := canonical.Marshal(exchange.PayloadOf{Use: use})
		require.NoError(s, err)
		return s.judged(s.steal(regulation, "agency"), func(by *Thief) (Proposal, error) {
			return by.Propose(exchange.Name, time.Now(), exchange.UsePayload, argument)
		})
	})
}

// meddles changes what is another's.
func (s *scene) meddles() {
	s.fails("withdraw another agency's dataset", "access.other_agency", func(s *scene) string {
		return s.refused(s.steal(tax, "admin"), exchange.DatasetWithdraw, exchange.WithdrawDataset{Dataset: identities, Reason: "replaced"}, time.Now())
	})
	s.fails("grant itself more", "access.other_agency", func(s *scene) string {
		return s.refused(s.steal(tax, "admin"), exchange.GrantAmend, exchange.AmendGrant{Grant: s.grant.ID, Terms: s.grant.Wanted, Reason: "more"}, time.Now())
	})
	s.fails("withdraw a dataset without its owner's peer", "ENDORSEMENT_POLICY_FAILURE", func(s *scene) string {
		admin := s.steal(police, "admin")
		e := s.endorse(admin, s.propose(admin, exchange.DatasetWithdraw, exchange.WithdrawDataset{Dataset: identities, Reason: "replaced"}, time.Now()), "planning", "market")
		return s.ordered(admin, e.Proposal, e.result, e.endorsements...)
	})
}
