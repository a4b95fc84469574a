package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/claim"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/story"
)

// What verifying is held to, a second.
const (
	MinVerified    = 500  // by an agency, each leaving its evidence on the ledger
	MinVerifiedOwn = 5000 // by the subject, leaving none
)

// VerifyOptions say how verifying is measured.
type VerifyOptions struct {
	Subjects int           // each with a case and records
	Records  int           // of a subject: what an application rests on
	Together int           // subjects whose records are verified in one request of the agency's
	Clients  int           // verifications of the agency under way at once
	Readers  int           // requests of subjects under way at once
	Rounds   int           // of each
	Duration time.Duration // of a round
	Keys     string        // folder for the citizens' keys
}

// Verifications is what was measured: a sample a round.
type Verifications struct {
	Evidence, Own []Sample
	Recorded      int // verifications that the subjects' logs have
	Done          int // verifications that were answered, those to warm up included
}

// Verify measures verifications against commitments through REST: an agency's, of all records that the applications of
// subjects rest on, in turn, and citizens' of their own records. Each answer is looked at: what was proven must be said to be. At the end every subject's log is read.
func Verify(ctx context.Context, n *network.Network, o VerifyOptions) (v Verifications, err error) {
	r, err := newRegister(ctx, n, o.Subjects, o.Records, o.Keys)
	defer r.close()
	if err != nil {
		return v, err
	}
	w := &World{network: n}
	evidence, err := r.byAgency(ctx, o.Together)
	if err != nil {
		return v, err
	}
	own, err := r.byThemselves(ctx)
	if err != nil {
		return v, err
	}
	for round := range o.Rounds + 1 { // the first is to warm up
		duration := o.Duration
		if round == 0 {
			duration /= 3
		}
		for _, m := range []struct {
			target  Target
			clients int
			into    *[]Sample
		}{{evidence, o.Clients, &v.Evidence}, {own, o.Readers, &v.Own}} {
			s, err := w.Measure(ctx, m.target, m.clients, duration)
			if err == nil && s.Errors > 0 {
				err = fmt.Errorf("%s: %d of %d requests failed: %s", m.target.Name, s.Errors, s.Count+s.Errors, s.FirstError)
			}
			if err != nil {
				return v, err
			}
			if m.into == &v.Evidence {
				v.Done += s.Count
			}
			if round > 0 {
				s.Round = round
				*m.into = append(*m.into, s)
			}
		}
	}
	v.Recorded, err = again(func() (int, error) {
		count, err := r.recorded(ctx)
		if err == nil && count < v.Done {
			err = fmt.Errorf("%d of %d verifications have left no evidence", v.Done-count, v.Done)
		}
		return count, err
	})
	return v, err
}

// about asks a claim about a record that is shown, which holds.
func about(dataset string, d commitment.Document) (q app.Question, err error) {
	const field = "floor_area_m2"
	f, proof, err := d.Show(field)
	return app.Question{
		Dataset: dataset, Claims: []claim.Claim{{Field: field, Is: claim.AtLeast, Value: json.RawMessage(`50`)}},
		Presented: []app.Presented{{Name: f.Name, Value: f.Value, Salt: f.Salt, Path: proof.Path}},
	}, err
}

// byAgency verifies the subjects' records in turn, those of so many subjects in a request.
func (r *register) byAgency(ctx context.Context, together int) (t Target, err error) {
	items := together * len(r.grants)
	bodies := make([][]byte, 0, len(r.subjects)/together)
	for first := 0; first+together <= len(r.subjects); first += together {
		var request app.VerifyMany
		for _, s := range r.subjects[first : first+together] {
			for i, q := range s.questions {
				request.Items = append(request.Items, app.Verification{
					Case: s.caseID, Purpose: story.Service, LegalBasis: "art. 16", Grant: r.grants[i], Question: q,
				})
			}
		}
		body, err := json.Marshal(request)
		if err != nil {
			return t, err
		}
		bodies = append(bodies, body)
	}
	if len(bodies) == 0 {
		return t, errors.New("there are fewer subjects than a request is about")
	}
	agency, err := doorOf(ctx, r.network, organisation, officer)
	if err != nil {
		return t, err
	}
	proven, yes := fmt.Sprintf(`"status":%q`, exchange.Proven), fmt.Sprintf(`"verdict":%q`, claim.Yes)
	t = Target{Name: "verify-with-evidence", Of: items, Do: func(ctx context.Context, n uint64) error {
		answer, err := agency.post(ctx, "/v1/verification-batches", bodies[n%uint64(len(bodies))])
		if err == nil && (bytes.Count(answer, []byte(proven)) != items || bytes.Count(answer, []byte(yes)) != 2*items) { // in the verdicts and in what is committed to
			err = fmt.Errorf("not everything is said to be proven: %.200s", answer)
		}
		return err
	}}
	// The gateway knows a case as soon as its tables have it.
	_, err = again(func() (any, error) { return nil, t.Do(ctx, uint64(len(bodies)-1)) })
	return t, err
}

// byThemselves lets citizens check their own records in turn.
func (r *register) byThemselves(ctx context.Context) (t Target, err error) {
	type asked struct {
		by   *door
		body []byte
	}
	var all []asked
	for _, c := range r.citizens {
		theirs, err := doorOf(ctx, r.network, "services", c.user)
		if err != nil {
			return t, err
		}
		for _, q := range c.questions {
			body, err := json.Marshal(app.VerifyMine{Question: q})
			if err != nil {
				return t, err
			}
			all = append(all, asked{theirs, body})
		}
	}
	finding := fmt.Appendf(nil, `"finding":%q`, exchange.Proven)
	t = Target{Name: "verify-own", Do: func(ctx context.Context, n uint64) error {
		a := all[n%uint64(len(all))]
		answer, err := a.by.post(ctx, "/v1/subjects/me/verifications", a.body)
		if err == nil && !bytes.Contains(answer, finding) {
			err = fmt.Errorf("it is not said to be proven: %.200s", answer)
		}
		return err
	}}
	_, err = again(func() (any, error) { return nil, t.Do(ctx, uint64(len(all)-1)) })
	return t, err
}

// recorded counts the entries of all subjects' logs, on a peer.
func (r *register) recorded(ctx context.Context) (count int, err error) {
	for _, s := range r.subjects {
		raw, err := r.dialled[0].Evaluate(ctx, exchange.Name, "log:Get", kernel.ByID{ID: s.pseudonym})
		if err != nil {
			return count, err
		}
		var log exchange.Log
		if err := json.Unmarshal(raw, &log); err != nil {
			return count, err
		}
		count += log.Count
	}
	return count, nil
}

// Print writes what was measured; the error says what is not as it must be. full holds it to the rates too.
func (v Verifications) Print(out io.Writer, full bool) error {
	var failed []error
	for _, m := range []struct {
		name    string
		samples []Sample
		least   float64
	}{{"verify_with_evidence", v.Evidence, MinVerified}, {"verify_own", v.Own, MinVerifiedOwn}} {
		var rates, p50, p95 []float64
		for _, s := range m.samples {
			fmt.Fprintf(out, "%-20s round %d  %8.1f a second  p50 %s  p95 %s  CPU ms each %s\n", s.Target, s.Round, s.Rate(),
				s.P50.Round(time.Millisecond/10), s.P95.Round(time.Millisecond/10), each(s))
			rates, p50, p95 = append(rates, s.Rate()), append(p50, float64(s.P50)/1e6), append(p95, float64(s.P95)/1e6)
		}
		fmt.Fprintf(out, "measure %s %.1f per_second\nmeasure %s_p50 %.1f ms\nmeasure %s_p95 %.1f ms\n", m.name, Median(rates), m.name, Median(p50), m.name, Median(p95))
		if full && Median(rates) < m.least {
			failed = append(failed, fmt.Errorf("%s: %.1f a second, and at least %.0f are wanted", m.name, Median(rates), m.least))
		}
	}
	fmt.Fprintf(out, "%d verifications answered, %d in the subjects' logs on the ledger\n", v.Done, v.Recorded)
	if v.Recorded < v.Done {
		failed = append(failed, errors.New("verifications have left no evidence"))
	}
	return errors.Join(failed...)
}

// each is the processor time of an operation by component, in milliseconds.
func each(s Sample) string {
	var parts []string
	for _, component := range []string{"peer", "orderer", "chaincode", "gateway", "client"} {
		if spent, ok := s.CPU[component]; ok && s.Count > 0 {
			parts = append(parts, fmt.Sprintf("%s %.2f", component, spent*1000/float64(s.Count)))
		}
	}
	return strings.Join(parts, ", ")
}
