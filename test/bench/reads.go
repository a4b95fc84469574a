package bench

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// What is read.
const (
	shelf    = 400 // certificates to read, issued in batches
	batch    = 100
	pageSize = 20
)

// OverREST says whether a target goes through a gateway.
func OverREST(target string) bool { return strings.HasPrefix(target, "rest") }

func reads(target string) bool {
	return slices.Contains([]string{Evaluate, RESTRead, EvaluateList, RESTList}, target)
}

// reads are the targets that read, after certificates to read were issued. Peer and gateway are asked for the same. Answers
// are taken as they are, on both sides: what a client makes of them is its own work.
func (w *World) reads(ctx context.Context) ([]Target, error) {
	ids, err := w.issue(ctx, shelf)
	if err != nil {
		return nil, fmt.Errorf("issue certificates to read: %w", err)
	}
	gateway, err := doorOf(ctx, w.network, organisation, officer)
	if err != nil {
		return nil, err
	}
	pick := func(n uint64) string { return ids[n%uint64(len(ids))] }
	list := fmt.Sprintf("/v1/certificates?type=%s&status=%s&page_size=%d", typeCode, certificate.Valid, pageSize)
	// has looks for what every answer must have, once for each item.
	has := func(answer []byte, text string, times int, err error) error {
		if n := bytes.Count(answer, []byte(text)); err == nil && n != times {
			return fmt.Errorf("%q is in the answer %d times, not %d", text, n, times)
		}
		return err
	}
	return []Target{
		{Name: Evaluate, Do: func(ctx context.Context, n uint64) error {
			answer, err := w.service.Evaluate(ctx, certificate.Name, "certificate:Get", kernel.ByID{ID: pick(n)})
			return has(answer, pick(n), 1, err)
		}},
		{Name: RESTRead, Do: func(ctx context.Context, n uint64) error {
			answer, err := gateway.get(ctx, "/v1/certificates/"+pick(n))
			return has(answer, pick(n), 1, err)
		}},
		{Name: EvaluateList, Do: func(ctx context.Context, n uint64) error {
			answer, err := w.service.Evaluate(ctx, certificate.Name, "certificate:List", kernel.Listing{PageSize: pageSize})
			return has(answer, `"commitment"`, pageSize, err)
		}},
		{Name: RESTList, Do: func(ctx context.Context, n uint64) error {
			answer, err := gateway.get(ctx, list)
			return has(answer, `"commitment"`, pageSize, err)
		}},
	}, nil
}

// issue issues certificates.
func (w *World) issue(ctx context.Context, count int) (ids []string, err error) {
	for len(ids) < count {
		var b kernel.Batch
		for range min(batch, count-len(ids)) {
			n := sequence.Add(1)
			raw, err := canonical.Marshal(w.request(n))
			if err != nil {
				return nil, err
			}
			b.Commands = append(b.Commands, kernel.BatchCommand{Function: certificate.CertificateIssue, Command: kernel.Command{IdempotencyKey: w.key(n), Request: raw}})
		}
		outcomes, err := w.service.WriteBatch(ctx, certificate.Name, b)
		if err != nil {
			return nil, err
		}
		for _, o := range outcomes.Outcomes {
			if o.Fault != nil {
				return nil, o.Fault
			}
			ids = append(ids, o.Receipt.ID)
		}
	}
	return ids, nil
}
