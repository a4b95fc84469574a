package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/claim"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/connector"
	"github.com/hutong-gov/hutong/gateway/ledger"
)

// How a provider answers claims about a record instead of delivering it.

// claimsField is where the claims travel in a sealed selector. A name with a dot cannot be a dataset's field.
const claimsField = "claims.document"

// Reasons for unknown, besides those of a value and of a commitment.
const (
	noRecord     = "no_record"     // the provider has no record of the subject with these particulars, or several
	sourceFailed = "source_failed" // its database could not be read; ask again
)

// askProvider asks the provider to judge claims: a use that delivers verdicts and no values.
func (a *App) askProvider(ctx context.Context, who Actor, as ledger.Signer, key string, request exchange.RequestUse, v Verification) (answer Verified, err error) {
	if len(v.Selector) == 0 {
		return answer, fault.Field("selector", "required", "send the particulars the record is found by, or the fields that were presented")
	}
	id := kernel.ID(who.Agency, exchange.UseRequest, key)
	if answer.Claims, request.Claims, err = documentOf(a, who.Agency, "claims", id, v.Claims); err != nil {
		return answer, err
	}
	if request.Grant == "" {
		if request.Grant, err = a.firstGrant(ctx, who.Agency, id, request); err != nil {
			return answer, err
		}
	}
	values := map[string]json.RawMessage{}
	for name, value := range v.Selector {
		values[name] = value
	}
	if values[claimsField], err = canonical.Marshal(answer.Claims); err != nil {
		return answer, err
	}
	selector, err := a.salted(who.Agency, "selector", id, values)
	if err != nil {
		return answer, fault.Under("selector", err)
	}
	if request.Selector, err = selector.Root(); err != nil {
		return answer, fault.Under("selector", err)
	}
	if err := request.Validate(); err != nil {
		return answer, err
	}
	var requested Receipt
	if err := a.withTicket(ctx, id, &request, func() error {
		requested, err = a.submit(ctx, as, exchange.Name, exchange.UseRequest, key, who.Staff, request)
		return err
	}); err != nil {
		return answer, err
	}
	used, err := a.carryThrough(ctx, who, as, requested, selector)
	if err != nil {
		return answer, err
	}
	answer.Receipt, answer.Number = used.Receipt, used.Number
	entry, found, err := a.Vault.Get(ctx, used.Delivery, who.Agency)
	if err == nil && !found {
		err = fault.New(fault.Missing, "sealed.missing", "the payload is not kept any more").On("id", "kept")
	}
	if err != nil {
		return answer, err
	}
	if answer.Answer, err = a.open(entry.Envelope); err != nil {
		return answer, err
	}
	if answer.Verdicts, err = claim.FromDocument[claim.Verdict](answer.Answer); err != nil || len(answer.Verdicts) != len(v.Claims) {
		return answer, fault.New(fault.Refused, "sealed.other_content", "the other gateway answered something else than was asked for").On("answer", "one_for_each:claims")
	}
	return answer, nil
}

// judgeUse answers the claims of a use from the provider's database. Only the fields the claims are about are read.
func (a *App) judgeUse(ctx context.Context, use exchange.Use, values map[string]json.RawMessage) (commitment.Document, error) {
	var none, asked commitment.Document
	mismatch := fault.New(fault.Denied, "use.claims_mismatch", "send the claims the use committed to with its selector").On("selector", "claims:equals:use.claims")
	if canonical.Decode(values[claimsField], &asked) != nil {
		return none, mismatch
	}
	if root, err := asked.Root(); err != nil || root != use.Claims {
		return none, mismatch
	}
	claims, err := claim.FromDocument[claim.Claim](asked)
	if err != nil {
		return none, err
	}
	dataset, err := a.dataset(ctx, use.Dataset)
	if err != nil {
		return none, err
	}
	// The consumer's gateway has judged the claims; this one trusts no other. What a use does not name is not read for it.
	granted := kindsOf(specs(dataset, use.Fields))
	if err := claim.Check(claims, granted); err != nil {
		return none, err
	}
	delete(values, claimsField)
	found, err := a.read(ctx, use, dataset, values)
	if err == nil {
		err = a.judged(ctx, dataset, found.Values)
	}
	verdicts, err := judgeRecord(claims, granted, found, err)
	if err != nil {
		return none, err
	}
	answers := map[string]any{}
	plain, err := claim.Values(verdicts)
	if err != nil {
		return none, err
	}
	for name, verdict := range plain {
		answers[name] = verdict
	}
	return commitment.New(answers)
}

// judgeRecord answers claims by a record, or by why there is none: a record that is missing and a database that does not answer
// are unknown. Whose a record with these particulars is instead, is nothing the asker learns.
func judgeRecord(claims []claim.Claim, kindOf func(string) string, found connector.Record, failed error) ([]claim.Verdict, error) {
	if failed != nil {
		reason, known := unanswerable(failed)
		if !known {
			return nil, failed
		}
		return unknown(len(claims), reason), nil
	}
	verdicts := make([]claim.Verdict, len(claims))
	for i, c := range claims {
		raw, err := canonical.Marshal(found.Values[c.Field])
		if err != nil {
			return nil, fmt.Errorf("field of a dataset: %w", err)
		}
		verdicts[i] = c.Judge(kindOf(c.Field), raw)
	}
	return verdicts, nil
}

// unanswerable tells the failures that make claims unknown from those of the request, which are told to who made it.
func unanswerable(err error) (reason string, known bool) {
	var f *fault.Fault
	if !isFault(err, &f) {
		return "", false
	}
	switch f.Reason {
	case "record.missing", "record.ambiguous", "record.other_subject":
		return noRecord, true
	}
	return sourceFailed, f.Kind == fault.Internal
}

func isFault(err error, f **fault.Fault) bool { return errors.As(err, f) }
