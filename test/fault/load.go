// Package fault kills processes of a real network, with SIGKILL and under load, and holds every acknowledgement that a
// client was given against the ledger, read from a peer block by block and not through any gateway.
//
//	clients ─ writes through REST, each under a key of its own, repeated until acknowledged ─▶ acknowledgements ─┐
//	gateway │ peer │ orderer that leads │ chaincode: killed, started again by the launcher                       ├─▶ compared
//	an uninvolved peer's blocks ─────────────────────────────────────────────────────────────▶ what was written ─┘
//
// Claims that are checked: what was acknowledged is on the ledger once, in the transaction and the block that the answer
// named; nothing is there twice; whoever repeats a request is given the first answer; every gateway's read model is what
// the blocks fold to.
package fault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/pause"
	"github.com/hutong-gov/hutong/test/story"
)

// How the clients behave.
const (
	retryPause = 50 * time.Millisecond  // before a request is repeated that was not acknowledged
	thinkTime  = 100 * time.Millisecond // between a client's writes
	firstGrace = 2 * time.Minute        // in which one write must be acknowledged, whatever is killed
)

// Who writes.
const (
	issuer    = "market.regulation"
	publisher = "planning.housing"
	typeCode  = "fault-licence"
)

// Operation is one write as its client means it: the same request under the same key, however often it is sent.
type Operation struct {
	Organisation, User string
	Method, Path, Key  string
	Body               any
	Noun, Record       string // that it writes; Record is empty where it makes one
}

// Acknowledgement is the answer that a client was given.
type Acknowledgement struct {
	Operation
	app.Receipt
	Attempts int
	Waited   time.Duration // from the first attempt to the answer
}

// Load is many clients that write one after the other.
type Load struct {
	city *story.Live
	run  string // makes keys and codes of this load its own

	mu           sync.Mutex
	acknowledged []Acknowledgement
	longest      time.Duration // that a client waited for an acknowledgement, since the last Mark
	failures     map[string]int

	failed atomic.Int64 // attempts that were not acknowledged
}

// NewLoad prepares what the clients need on the ledger: a type of certificate and an accreditation for it.
func NewLoad(ctx context.Context, city *story.Live) (*Load, error) {
	l := &Load{city: city, run: "f" + strings.ToLower(rand.Text()[:7]), failures: map[string]int{}}
	admin, err := city.Admin(ctx, issuer)
	if err != nil {
		return nil, err
	}
	if _, err := client.Do[app.Receipt](ctx, admin, http.MethodPost, "/v1/certificate-types", licence(typeCode)); err != nil {
		return nil, fmt.Errorf("publish the type: %w", err)
	}
	today := time.Now().UTC().Truncate(certificate.Day)
	_, err = client.Do[app.Receipt](ctx, admin, http.MethodPut, "/v1/certificate-types/"+typeCode+"/accreditations/"+issuer,
		map[string]any{"valid_from": today.AddDate(0, 0, -1), "valid_until": today.AddDate(1, 0, 0)})
	if err != nil {
		return nil, fmt.Errorf("accredit the issuer: %w", err)
	}
	return l, nil
}

func licence(code string) certificate.PublishType {
	return certificate.PublishType{Code: code, Name: exchange.Text{Zh: "测试证", En: "Test licence"},
		Fields: []exchange.FieldSpec{{Name: "number", Title: exchange.Text{Zh: "编号", En: "Number"}, Type: "string"}}}
}

// Run lets clients write until stop is closed, and returns once each has been acknowledged its last write. Most lead
// certificates through their life at one organisation's gateway; every fourth publishes types at another's.
func (l *Load) Run(ctx context.Context, clients int, stop <-chan struct{}) error {
	failures := make(chan error, clients)
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			write := l.certificates
			if i%4 == 3 {
				write = l.types
			}
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := write(ctx, fmt.Sprintf("%s-%d-%d", l.run, i, n)); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	group.Wait()
	close(failures)
	return <-failures // nil if there is none
}

// certificates issues a certificate, suspends it, reinstates it and revokes it.
func (l *Load) certificates(ctx context.Context, key string) error {
	issued, err := l.acknowledge(ctx, l.certificate(key))
	for _, change := range []string{"suspension", "reinstatement", "revocation"} {
		if err != nil {
			return err
		}
		_, err = l.acknowledge(ctx, Operation{
			Organisation: "market", User: "officer.regulation", Method: http.MethodPut, Path: "/v1/certificates/" + issued.ID + "/" + change, Key: key + "." + change,
			Noun: "certificate", Record: issued.ID, Body: map[string]any{"reason": "under_review"},
		})
	}
	return err
}

// certificate is the issue of one.
func (l *Load) certificate(key string) Operation {
	return Operation{
		Organisation: "market", User: "officer.regulation", Method: http.MethodPost, Path: "/v1/certificates", Key: key, Noun: "certificate",
		Body: map[string]any{"type": typeCode, "subject": "s" + strings.Repeat("0", 25), "commitment": fmt.Sprintf("%064x", key)[:64]},
	}
}

// types publishes a type of certificate.
func (l *Load) types(ctx context.Context, key string) error {
	_, err := l.acknowledge(ctx, Operation{
		Organisation: "planning", User: "admin.housing", Method: http.MethodPost, Path: "/v1/certificate-types", Key: key, Noun: "type", Body: licence(key),
	})
	return err
}

// acknowledge sends a write until it is acknowledged, as a careful client does.
func (l *Load) acknowledge(ctx context.Context, o Operation) (Acknowledgement, error) {
	a, began := Acknowledgement{Operation: o}, time.Now()
	ctx, cancel := context.WithTimeout(ctx, firstGrace)
	defer cancel()
	for {
		a.Attempts++
		var err error
		if a.Receipt, err = l.send(ctx, o); err == nil {
			a.Waited = time.Since(began)
			l.note(a)
			pause.For(ctx, thinkTime)
			return a, ctx.Err()
		}
		if !Repeatable(err) {
			return a, fmt.Errorf("%s %s under the key %s: %w", o.Method, o.Path, o.Key, err)
		}
		l.fail(err)
		if !pause.For(ctx, retryPause) {
			return a, fmt.Errorf("%s %s under the key %s was never acknowledged: %w", o.Method, o.Path, o.Key, err)
		}
	}
}

func (l *Load) send(ctx context.Context, o Operation) (app.Receipt, error) {
	c, err := l.city.SignIn(ctx, o.Organisation, o.User)
	if err != nil {
		return app.Receipt{}, err
	}
	return client.Do[app.Receipt](ctx, c, o.Method, o.Path, o.Body, client.Key(o.Key))
}

// Repeatable says whether a client should send the same request again: nobody answered, the outcome is not known, or the
// gateway cannot take it now. An answer that refuses the request is none of these.
func Repeatable(err error) bool {
	if problem := new(client.Problem); errors.As(err, &problem) {
		return problem.Status >= http.StatusInternalServerError
	}
	return true
}

func (l *Load) note(a Acknowledgement) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acknowledged = append(l.acknowledged, a)
	l.longest = max(l.longest, a.Waited)
}

func (l *Load) fail(err error) {
	l.failed.Add(1)
	name := "no answer"
	if pending := new(client.Pending); errors.As(err, &pending) {
		name = "not known yet"
	} else if reason := client.Reason(err); reason != "" {
		name = reason
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures[name]++
}

// Mark begins a new measurement of the longest time a client waits for an acknowledgement and gives the last one's.
func (l *Load) Mark() (longest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	longest, l.longest = l.longest, 0
	return longest
}

// Acknowledged is how many writes were acknowledged so far.
func (l *Load) Acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acknowledged)
}

// Failed is how many attempts were not acknowledged so far.
func (l *Load) Failed() int64 { return l.failed.Load() }
