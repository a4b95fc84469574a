package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/reload"
)

// neighbours are the gateways of other organisations. What passes between them is sealed, and authorised by the ledger; no
// token is shown.
type neighbours map[string]*reload.Value[*client.Client] // by MSP id

var _ app.Peers = neighbours(nil)

// newNeighbours makes a client for each. One whose roots are replaced becomes a new client; the old one's idle connections
// end by themselves.
func newNeighbours(files *reload.Set, directory []config.Neighbour) (neighbours, error) {
	all := neighbours{}
	for _, n := range directory {
		var err error
		all[n.MSP], err = reload.Add(files, "directory."+n.MSP, func() (*client.Client, error) {
			roots, err := reload.Roots(n.TLSRoot)
			if err != nil {
				return nil, fmt.Errorf("tls_root: %w", err)
			}
			return client.New(n.URL, roots, nil)
		}, []string{n.TLSRoot})
		if err != nil {
			return nil, fmt.Errorf("directory: %s: %w", n.MSP, err)
		}
	}
	return all, nil
}

// Sealed implements app.Peers.
func (n neighbours) Sealed(ctx context.Context, msp, commitment, agency string) (seal.Envelope, error) {
	path := "/v1/sealed/" + url.PathEscape(commitment) + "/" + url.PathEscape(agency)
	return ask[seal.Envelope](ctx, n, msp, http.MethodGet, path, nil)
}

// Deliver implements app.Peers.
func (n neighbours) Deliver(ctx context.Context, msp, use string, selector app.Delivery) (seal.Envelope, error) {
	return ask[seal.Envelope](ctx, n, msp, http.MethodPost, "/v1/uses/"+url.PathEscape(use)+"/delivery", selector)
}

// DemandOpening implements app.Peers.
func (n neighbours) DemandOpening(ctx context.Context, msp, use string) (app.Opened, error) {
	return ask[app.Opened](ctx, n, msp, http.MethodPost, "/v1/uses/"+url.PathEscape(use)+"/opening-demand", nil)
}

// Chunk implements app.Peers.
func (n neighbours) Chunk(ctx context.Context, msp, use, stream string, number int) (app.SealedChunk, error) {
	path := "/v1/uses/" + url.PathEscape(use) + "/chunks/" + url.PathEscape(stream) + "/" + strconv.Itoa(number)
	return ask[app.SealedChunk](ctx, n, msp, http.MethodGet, path, nil)
}

// OpenCode implements app.Peers.
func (n neighbours) OpenCode(ctx context.Context, msp, code string, opening app.Opening) (seal.Envelope, error) {
	return ask[seal.Envelope](ctx, n, msp, http.MethodPost, "/v1/codes/"+url.PathEscape(code)+"/opening", opening)
}

func ask[T any](ctx context.Context, n neighbours, msp, method, path string, body any) (answer T, err error) {
	to, ok := n[msp]
	if !ok {
		return answer, fault.New(fault.Missing, "neighbour.unknown", "the configuration's directory names no gateway for that organisation").On("agency", "in:directory")
	}
	if answer, err = client.Do[T](ctx, to.Get(), method, path, body); err != nil {
		return answer, translate(err)
	}
	return answer, nil
}

// kinds are what another gateway's answer means here.
var kinds = map[int]fault.Kind{
	http.StatusUnprocessableEntity:   fault.Invalid,
	http.StatusForbidden:             fault.Denied,
	http.StatusNotFound:              fault.Missing,
	http.StatusConflict:              fault.Refused,
	http.StatusRequestEntityTooLarge: fault.Limit,
}

// translate passes another gateway's no on with its own reason, and words its failures as one of ours.
func translate(err error) error {
	var problem *client.Problem
	var pending *client.Pending
	switch {
	case errors.As(err, &pending) && pending.Tx != "":
		return app.Unknown{Tx: pending.Tx}
	case errors.As(err, &problem):
		if kind, ok := kinds[problem.Status]; ok && problem.Type != "" {
			return fault.New(kind, problem.Reason, problem.Detail).On(problem.Field, problem.Rule)
		}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fault.New(fault.Internal, "neighbour.unreachable", "the other organisation's gateway could not serve this now; repeat the request").On("agency", "reachable")
}
