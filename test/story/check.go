package story

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
)

// verify is what a stranger does with a licence: no token, another organisation's gateway.
func (t *teller) verify(ctx context.Context) error {
	stranger, err := t.city.SignIn(ctx, "planning", "")
	if err != nil {
		return err
	}
	// The stranger's gateway must have the block; a stranger would simply ask again.
	if _, err := api.Of(stranger).CertificateTypes(ctx, api.CertificateTypes{MinBlock: t.block}); err != nil {
		return err
	}
	genuine, err := Verify(ctx, stranger, t.report.Certificate, t.document.Document)
	if err != nil {
		return err
	}
	t.say("the licence       integrity %-7s status %-7s issuer %s", genuine.Integrity.Answer, genuine.Status.Answer, genuine.Issuer.Answer)
	if genuine.Integrity.Answer != certificate.Yes || genuine.Status.Answer != certificate.Yes || genuine.Issuer.Answer != certificate.Yes {
		return fmt.Errorf("a genuine licence must verify, but: %s, %s, %s", genuine.Integrity.Reason, genuine.Status.Reason, genuine.Issuer.Reason)
	}
	tampered, err := Verify(ctx, stranger, t.report.Certificate, tamper(t.document.Document, "registered_capital_yuan", 50_000_000))
	if err != nil {
		return err
	}
	t.say("a copy with a hundred times the capital: integrity %s (%s)", tampered.Integrity.Answer, tampered.Integrity.Reason)
	if tampered.Integrity.Answer != certificate.No {
		return errors.New("a tampered copy must not verify")
	}
	return nil
}

// Verify asks a gateway about a certificate's document.
func Verify(ctx context.Context, c *client.Client, id string, document commitment.Document) (certificate.Verdict, error) {
	return api.Of(c).Verify(ctx, api.Verify{ID: id, Document: &document})
}

// tamper changes one field of a copy.
func tamper(d commitment.Document, name string, value any) commitment.Document {
	fields := slices.Clone(d.Fields)
	for i := range fields {
		if fields[i].Name == name {
			fields[i].Value, _ = json.Marshal(value) // a number always has a form
		}
	}
	return commitment.Document{Fields: fields}
}

// whoRead is the citizen's own look at the access log, recomputed.
func (t *teller) whoRead(ctx context.Context) error {
	uses, log, err := AccessLog(ctx, t.citizen.Client, t.block)
	if err != nil {
		return err
	}
	ours := 0
	for _, u := range uses {
		if u.Case != t.report.Case {
			continue
		}
		ours++
		t.say("%3d  %s read %s of %s for %s (%s)", u.Number, u.Consumer, strings.Join(u.Fields, ", "), u.Dataset, u.Purpose, u.Status)
		if u.Status != exchange.Acknowledged {
			return fmt.Errorf("use %d is %s, want %s", u.Number, u.Status, exchange.Acknowledged)
		}
	}
	t.report.Uses = ours
	if want := len(t.citizen.draft.Consents); ours < want {
		return fmt.Errorf("the log has %d uses for the case, want at least %d", ours, want)
	}
	t.say("%d entries since the key was registered, numbered without a gap; the root over all of them is the ledger's: %s…", log.Count, log.Root[:16])
	return nil
}

// AccessLog reads a citizen's whole access log and recomputes it: an entry left out, changed or moved is an error.
func AccessLog(ctx context.Context, c *client.Client, block uint64) (uses []api.LoggedUse, head api.AccessLog, err error) {
	request := api.MyUses{PageSize: 200, MinBlock: block}
	var entries []exchange.Entry
	for last := false; !last; {
		page, err := api.Of(c).MyUses(ctx, request)
		if err != nil {
			return nil, head, err
		}
		uses, last = append(uses, page.Items...), page.Next == ""
		if request.PageToken == "" {
			head = page.Log
		}
		request.PageToken = page.Next
	}
	slices.Reverse(uses)
	for _, u := range uses {
		entries = append(entries, u.Entry)
	}
	log := exchange.Log{Count: head.Count, Root: head.Root}
	if len(uses) > 0 {
		log.Subject = uses[0].Subject
	}
	if len(uses) != head.Count {
		return uses, head, fmt.Errorf("the access log has %d entries, and %d came", head.Count, len(uses))
	}
	if err := log.Proves(entries, exchange.LogProof{}); err != nil {
		return uses, head, err
	}
	return uses, head, nil
}

// audit is the auditor's work on their own peer.
func (t *teller) audit(ctx context.Context) error {
	auditor, err := t.city.SignIn(ctx, "audit", "auditor")
	if err != nil {
		return err
	}
	history, err := api.Of(auditor).History(ctx, api.History{Noun: "case", ID: t.report.Case})
	if err != nil {
		return err
	}
	var states []string
	for _, r := range slices.Backward(history.Items) {
		var record struct {
			Status string `json:"status"`
		}
		if err := json.Unmarshal(r.Record, &record); err != nil {
			return err
		}
		states = append(states, record.Status)
	}
	t.say("the case on the auditor's own peer: %s", strings.Join(states, " → "))
	if !slices.Equal(states, []string{"open", "concluded"}) {
		return fmt.Errorf("the case's history is %v", states)
	}
	if err := t.countBlocks(ctx, auditor); err != nil {
		return err
	}
	check, err := CheckChain(ctx, auditor)
	if err != nil {
		return err
	}
	t.say("blocks %d to %d: %d transactions, every hash computed again, chain intact; the last is %s…", check.Report.From, check.Report.To, check.Report.Transactions, check.Report.LastHash[:16])
	return nil
}

// CheckChain checks the whole chain and fails if it is not intact.
func CheckChain(ctx context.Context, auditor *client.Client) (api.ChainCheck, error) {
	head, err := api.Of(auditor).Head(ctx, api.ChannelInfo{})
	if err != nil {
		return api.ChainCheck{}, err
	}
	from := uint64(0)
	if head.Height > app.MaxCheckedBlocks {
		from = head.Height - app.MaxCheckedBlocks
	}
	check, err := api.Of(auditor).CheckChain(ctx, api.CheckChain{From: &from})
	if err == nil && !check.Intact {
		err = fmt.Errorf("the chain is broken at block %d: %s: %s", check.Report.Failure.Block, check.Report.Failure.Rule, check.Report.Failure.Detail)
	}
	return check, err
}

// countBlocks counts the story's blocks and transactions, and shows the one that issued the licence.
func (t *teller) countBlocks(ctx context.Context, auditor *client.Client) error {
	for n := t.report.FirstBlock; n <= t.report.LastBlock; n++ {
		b, err := api.Of(auditor).Block(ctx, api.BlockByNumber{Number: n})
		if err != nil {
			return err
		}
		t.report.Blocks++
		t.report.Transactions += len(b.Transactions)
		if n != t.report.LastBlock {
			continue
		}
		for _, tx := range b.Transactions {
			if tx.Function == "case:Conclude" {
				t.say("block %d, %s: signed for %s, endorsed by %s, wrote %d keys", n, tx.Function, tx.Creator.Agency, endorsers(tx), len(tx.Writes))
			}
		}
	}
	return nil
}

func endorsers(tx api.TransactionView) string {
	var names []string
	for _, e := range tx.Endorsers {
		names = append(names, e.MSP)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " and ")
}
