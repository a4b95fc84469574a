package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Problem is an answer by RFC 9457 with the gateway's extension members.
type Problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"`
	Reason   string `json:"reason"`
	Field    string `json:"field"`
	Rule     string `json:"rule"`
}

func (p *Problem) Error() string {
	text := fmt.Sprintf("%d %s", p.Status, p.Reason)
	if p.Field != "" || p.Rule != "" {
		text += fmt.Sprintf(" (%s: %s)", p.Field, p.Rule)
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return text
}

// Is matches problems by reason: errors.Is(err, &client.Problem{Reason: "grant.expired"}).
func (p *Problem) Is(target error) bool {
	t, ok := target.(*Problem)
	return ok && t.Reason == p.Reason
}

// Reason is the reason of a problem in an error's chain, or "".
func Reason(err error) string {
	if p := new(Problem); errors.As(err, &p) {
		return p.Reason
	}
	return ""
}

// Pending is the answer to a write whose outcome the gateway does not know yet. It is not a failure: ask Location, or
// repeat the request with the same idempotency key.
type Pending struct {
	Location string
	Tx       string
}

func (p *Pending) Error() string { return "the outcome is not known yet; ask " + p.Location }

func problemOf(response *http.Response, body []byte) error {
	p := &Problem{}
	media, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	if media == "application/problem+json" && json.Unmarshal(body, p) == nil && p.Status != 0 {
		return p
	}
	// something between us and the gateway answered
	return &Problem{Status: response.StatusCode, Title: http.StatusText(response.StatusCode), Reason: "http.status"}
}

func pendingOf(response *http.Response, body []byte) error {
	p := &Pending{Location: response.Header.Get("Location")}
	var answer struct {
		Tx string `json:"tx_id"`
	}
	if json.Unmarshal(body, &answer) == nil {
		p.Tx = answer.Tx
	}
	return p
}

// Transaction is what the gateway knows of a transaction's outcome.
type Transaction struct {
	Tx    string `json:"tx_id"`
	State string `json:"state"` // committed rejected unknown
	Block uint64 `json:"block"`
}

// pollInterval is how often Resolve asks.
const pollInterval = 250 * time.Millisecond

// Resolve asks for the outcome of a pending write until it is known or ctx ends.
func (c *Client) Resolve(ctx context.Context, p *Pending) (Transaction, error) {
	for {
		t, err := Do[Transaction](ctx, c, http.MethodGet, p.Location, nil)
		if err == nil && t.State != "unknown" {
			return t, nil
		}
		if err != nil && ctx.Err() == nil && Reason(err) == "" {
			return t, err
		}
		select {
		case <-ctx.Done():
			return t, ctx.Err()
		case <-time.After(pollInterval):
		}
	}
}
