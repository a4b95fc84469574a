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

// Pending is the answer to a write that the gateway has seen in no block yet. It is not a failure: Resolve it, or repeat
// the request with the same idempotency key.
type Pending struct {
	Location string `json:"-"`
	Tx       string `json:"tx_id"`
	State    string `json:"state"` // pending: accepted, and you preferred not to wait (Async, Wait); unknown: perhaps on its way
	// What is expected of a pending one.
	ID      string    `json:"id"`
	Status  string    `json:"status"`
	Version int       `json:"version"`
	At      time.Time `json:"at"`
}

func (p *Pending) Error() string { return "no block has the write yet; ask " + p.Location }

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
	p := new(Pending)
	if json.Unmarshal(body, p) != nil {
		*p = Pending{} // something between us and the gateway answered
	}
	p.Location = response.Header.Get("Location")
	return p
}

// Transaction is what the gateway knows of a transaction's outcome.
type Transaction struct {
	Tx     string `json:"tx_id"`
	State  string `json:"state"` // pending committed rejected unknown
	Block  uint64 `json:"block"`
	Code   string `json:"code"`   // what the peers found
	Reason string `json:"reason"` // of a rejected one
}

// Resolve asks with wait=pollSeconds, and again after pollPause where the gateway did not wait.
const (
	pollSeconds = 10
	pollPause   = 250 * time.Millisecond
)

// Resolve asks for the outcome of a pending write until it is known or ctx ends.
func (c *Client) Resolve(ctx context.Context, p *Pending) (Transaction, error) {
	for {
		t, err := Do[Transaction](ctx, c, http.MethodGet, p.Location, nil, Wait(pollSeconds*time.Second))
		if err == nil && t.State != "unknown" && t.State != "pending" {
			return t, nil
		}
		if err != nil && ctx.Err() == nil && !passing(err) {
			return t, err
		}
		select {
		case <-ctx.Done():
			return t, ctx.Err()
		case <-time.After(pollPause):
		}
	}
}

// passing says whether an answer may be another if the same is asked again: the gateway or what it needs is not there now.
func passing(err error) bool {
	p := new(Problem)
	return errors.As(err, &p) && p.Status >= http.StatusInternalServerError
}
