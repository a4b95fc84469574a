package bench

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
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

// reads are the targets that read, after certificates to read were issued. Peer and gateway are asked for the same, and
// both answers are decoded.
func (w *World) reads(ctx context.Context, door *client.Client) ([]Target, error) {
	ids, err := w.issue(ctx, shelf)
	if err != nil {
		return nil, fmt.Errorf("issue certificates to read: %w", err)
	}
	pick := func(n uint64) string { return ids[n%uint64(len(ids))] }
	list := fmt.Sprintf("/v1/certificates?type=%s&status=%s&page_size=%d", typeCode, certificate.Valid, pageSize)
	filled := func(items int, err error) error {
		if err == nil && items != pageSize {
			return fmt.Errorf("a page has %d certificates, not %d", items, pageSize)
		}
		return err
	}
	return []Target{
		{Name: Evaluate, Do: func(ctx context.Context, n uint64) error {
			var answer certificate.Certificate
			return w.service.Evaluate(ctx, certificate.Name, "certificate:Get", kernel.ByID{ID: pick(n)}, &answer)
		}},
		{Name: RESTRead, Do: func(ctx context.Context, n uint64) error {
			_, err := client.Do[app.Item[certificate.Certificate]](ctx, door, http.MethodGet, "/v1/certificates/"+pick(n), nil)
			return err
		}},
		{Name: EvaluateList, Do: func(ctx context.Context, n uint64) error {
			var answer state.Page[certificate.Certificate]
			err := w.service.Evaluate(ctx, certificate.Name, "certificate:List", kernel.Listing{PageSize: pageSize}, &answer)
			return filled(len(answer.Items), err)
		}},
		{Name: RESTList, Do: func(ctx context.Context, n uint64) error {
			answer, err := client.Do[app.Page[certificate.Certificate]](ctx, door, http.MethodGet, list, nil)
			return filled(len(answer.Items), err)
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
