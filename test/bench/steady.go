package bench

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/test/story"
)

// What a gateway under steady load, and under far too much of it, is held to.
const (
	SoakShare     = 0.8             // of the limit, offered for minutes
	OverloadTimes = 4.0             // the limit, offered
	MinGoodput    = 0.8             // of the limit, still done then
	MaxLag        = 1 * time.Second // of the projection, at all times
	// MaxGrowth of the gateway's memory from the second fifth of a soak to the last. A collector's heap goes up and down by
	// more than this within seconds: medians are compared.
	MaxGrowth = 0.15
	// MaxMemory in overload, bytes resident: the soft limit the launcher gives a gateway's heap, and as much again for what
	// is not heap (stacks, the databases' page caches, connections).
	MaxMemory = 2 * 384 << 20
)

// Limits of the load itself.
const (
	maxWorkers  = 16384            // requests of an open loop under way at once
	loadTimeout = 90 * time.Second // of one of them; longer than a gateway's own deadline
)

// Finding is one thing a load was held to.
type Finding struct {
	Name, Text string
	Holds      bool
}

// PrintFindings writes PASS and FAIL lines; the error says that something does not hold.
func PrintFindings(out io.Writer, findings []Finding) error {
	var failed []error
	for _, f := range findings {
		word := "PASS"
		if !f.Holds {
			word, failed = "FAIL", append(failed, fmt.Errorf("%s does not hold", f.Name))
		}
		fmt.Fprintf(out, "%s  %-16s %s\n", word, f.Name, f.Text)
	}
	return errors.Join(failed...)
}

// Offered is what became of requests that were sent at a rate, whatever became of those before.
type Offered struct {
	Rate, Goodput float64 // a second; goodput is what was done while the load lasted
	Sent, Done    int
	Refused       int            // 503 with Retry-After
	Otherwise     map[string]int // neither done nor refused so, by what it was
	P50, P95      time.Duration  // of what was done
	Watched
}

// Limit measures how many certificates a second the gateway issues for clients that each wait for an answer.
func (w *World) Limit(ctx context.Context, clients int, duration time.Duration) (Sample, error) {
	targets, err := w.Targets(ctx, []string{RESTIssue})
	if err != nil {
		return Sample{}, err
	}
	Run(ctx, targets[0], clients, duration/5) // connections, sessions, caches
	s, err := w.Measure(ctx, targets[0], clients, duration)
	if err == nil && s.Count == 0 {
		err = fmt.Errorf("nothing was done: %s", s.FirstError)
	}
	return s, err
}

// Offer sends requests to issue certificates at a rate, in an open loop, and watches the gateway meanwhile.
func (w *World) Offer(ctx context.Context, rate float64, duration time.Duration) (o Offered, err error) {
	gateway, err := doorOf(ctx, w.network, organisation, officer)
	if err != nil {
		return o, err
	}
	targeter := func(t *vegeta.Target) error {
		n := sequence.Add(1)
		body, err := json.Marshal(w.request(n))
		if err != nil {
			return err
		}
		token, err := gateway.tokens.Token(ctx)
		if err != nil {
			return err
		}
		*t = vegeta.Target{Method: http.MethodPost, URL: gateway.address + "/v1/certificates", Body: body, Header: http.Header{
			"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}, "Idempotency-Key": {client.NewKey()}, // as our client sends them: ids in the order of time
		}}
		return nil
	}
	transport := client.Transport(gateway.roots)
	transport.TLSClientConfig = &tls.Config{RootCAs: gateway.roots, MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	attacker := vegeta.NewAttacker(vegeta.Client(&http.Client{Transport: transport, Timeout: loadTimeout}), vegeta.Workers(64), vegeta.MaxWorkers(maxWorkers))
	defer transport.CloseIdleConnections()

	watch, err := w.watch(ctx)
	if err != nil {
		return o, err
	}
	o = Offered{Rate: rate, Otherwise: map[string]int{}}
	var latencies []time.Duration
	began, inTime := time.Now(), 0
	stop := context.AfterFunc(ctx, func() { attacker.Stop() })
	defer stop()
	for result := range attacker.Attack(targeter, vegeta.Rate{Freq: int(rate * 100), Per: 100 * time.Second}, duration, "") {
		o.Sent++
		switch {
		case result.Code == http.StatusOK || result.Code == http.StatusCreated:
			o.Done++
			latencies = append(latencies, result.Latency)
			if result.Timestamp.Add(result.Latency).Sub(began) <= duration {
				inTime++
			}
		case result.Code == http.StatusServiceUnavailable && result.Headers.Get("Retry-After") != "":
			o.Refused++
		case result.Code == 0:
			o.Otherwise[shortened(result.Error)]++
		default:
			o.Otherwise[fmt.Sprint(result.Code, " ", reasonOf(result.Body))]++
		}
	}
	slices.Sort(latencies)
	o.P50, o.P95 = percentile(latencies, 50), percentile(latencies, 95)
	o.Goodput = float64(inTime) / duration.Seconds()
	o.Watched, err = watch()
	return o, errors.Join(err, ctx.Err())
}

// maxErrorText bounds an error's text where errors are counted by it.
const maxErrorText = 60

func shortened(text string) string { return text[max(0, len(text)-maxErrorText):] }

func reasonOf(body []byte) string {
	var problem client.Problem
	_ = json.Unmarshal(body, &problem) // what is no problem document has no reason
	return problem.Reason
}

// Soak judges a load that the gateway shall bear for as long as it lasts.
func Soak(limit float64, o Offered) []Finding {
	first, middle, last := o.memoryAt(1, 5), o.memoryAt(2, 5), o.memoryAt(4, 5)
	growth := last/first - 1
	return []Finding{
		{"soak_errors", fmt.Sprintf("%d of %d requests at %.0f a second (limit %.0f): p50 %s, p95 %s; not done: %d refused, %v",
			o.Sent-o.Done, o.Sent, o.Rate, limit, rounded(o.P50), rounded(o.P95), o.Refused, o.Otherwise), o.Sent > 0 && o.Done == o.Sent},
		{"soak_memory", fmt.Sprintf("the gateway has %.0f MiB in the second fifth, %.0f in the middle, %.0f in the last: %+.1f %%, slope %+.2f MiB a minute; at most %+.0f %%",
			first, middle, last, growth*100, o.slope(), MaxGrowth*100), growth <= MaxGrowth},
		{"soak_lag", fmt.Sprintf("the projection was behind by %s at most, of %d looks; less than %s", rounded(o.Lag), o.Looks, MaxLag), o.Looks > 0 && o.Lag < MaxLag},
	}
}

// Overload judges far too much load.
func Overload(limit float64, o Offered) []Finding {
	return []Finding{
		{"overload_goodput", fmt.Sprintf("%.0f a second of %.0f offered, %.0f %% of the limit %.0f: p50 %s, p95 %s; at least %.0f %%",
			o.Goodput, o.Rate, o.Goodput/limit*100, limit, rounded(o.P50), rounded(o.P95), MinGoodput*100), o.Goodput >= MinGoodput*limit},
		{"overload_refusal", fmt.Sprintf("%d refused with 503 and Retry-After; otherwise not done: %v", o.Refused, o.Otherwise), o.Refused > 0 && len(o.Otherwise) == 0},
		{"overload_memory", fmt.Sprintf("the gateway had %.0f MiB at most; bound %d", o.memoryMax(), MaxMemory>>20), o.memoryMax() <= MaxMemory>>20},
	}
}

func rounded(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// Watched is what was seen of a gateway.
type Watched struct {
	Memory []Point       // resident, MiB
	Lag    time.Duration // the longest of the projection
	Looks  int
}

// Point is a value at a time since the watch began.
type Point struct {
	At    time.Duration
	Value float64
}

// memoryAt is the median of one of so many equal parts of the time.
func (w Watched) memoryAt(part, parts int) float64 {
	var values []float64
	for _, p := range w.Memory[len(w.Memory)*part/parts : len(w.Memory)*(part+1)/parts] {
		values = append(values, p.Value)
	}
	return Median(values)
}

func (w Watched) memoryMax() (highest float64) {
	for _, p := range w.Memory {
		highest = max(highest, p.Value)
	}
	return highest
}

// slope is that of a straight line through the memory after the first fifth, in MiB a minute, by least squares.
func (w Watched) slope() float64 {
	points := w.Memory[len(w.Memory)/5:]
	var n, x, y, xx, xy float64
	for _, p := range points {
		at := p.At.Minutes()
		n, x, y, xx, xy = n+1, x+at, y+p.Value, xx+at*at, xy+at*p.Value
	}
	if d := n*xx - x*x; d != 0 {
		return (n*xy - x*y) / d
	}
	return 0
}

// watchEvery is how often the gateway is looked at.
const watchEvery = 250 * time.Millisecond

// watch looks at the gateway's memory and at its projection until the function it gives is called.
func (w *World) watch(ctx context.Context) (done func() (Watched, error), err error) {
	memory, err := w.gatewayMemory()
	if err != nil {
		return nil, err
	}
	gateway, err := story.NewLive(w.network).SignIn(ctx, organisation, "")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var seen Watched
	var failed error
	var ended sync.WaitGroup
	ended.Go(func() {
		began, ticker := time.Now(), time.NewTicker(watchEvery)
		defer ticker.Stop()
		for ctx.Err() == nil {
			resident, err := memory()
			if err != nil {
				failed = err
				return
			}
			seen.Memory = append(seen.Memory, Point{time.Since(began), float64(resident) / (1 << 20)})
			text, err := client.Do[[]byte](ctx, gateway, http.MethodGet, "/metrics", nil)
			if err == nil { // a gateway that is overloaded may refuse this too
				seconds, err := gauge(text, "hutong_projection_lag_seconds")
				if err != nil {
					failed = err
					return
				}
				seen.Looks++
				seen.Lag = max(seen.Lag, time.Duration(seconds*float64(time.Second)))
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	})
	return func() (Watched, error) {
		cancel()
		ended.Wait()
		return seen, failed
	}, nil
}

// gauge reads a metric without labels from a page of them.
func gauge(page []byte, name string) (float64, error) {
	for line := range strings.Lines(string(page)) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("the gateway has no metric %s", name)
}
