package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/pause"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/story"
)

// Options say how much is killed.
type Options struct {
	Clients int
	Times   int // each kind of process
	// Progress is told before each kill; it may be nil.
	Progress func(done, total int, kind string)
}

// Report is what came of it.
type Report struct {
	Strikes      []Strike
	Acknowledged int
	Failed       int64          // attempts that were not acknowledged
	Failures     map[string]int // why
	Repeated     int
	Blocks       int
	Took         time.Duration
	Wrong        []string // what does not hold; must be empty
}

// Run kills each kind of process the number of times asked for, one after the other, under load, and compares what was
// acknowledged with the ledger. The error is of the run; what does not hold is in the report.
func Run(ctx context.Context, n *network.Network, o Options) (r Report, err error) {
	began := time.Now()
	l, err := NewLoad(ctx, story.NewLive(n))
	if err != nil {
		return r, err
	}
	if err := r.storm(ctx, n, l, o); err != nil {
		return r, fmt.Errorf("%w (attempts not acknowledged: %v)", err, l.failures)
	}
	r.Acknowledged, r.Failed, r.Failures = l.Acknowledged(), l.Failed(), l.failures

	repeated, wrong, err := l.Repeat(ctx)
	if err != nil {
		return r, err
	}
	r.Repeated, r.Wrong = repeated, append(r.Wrong, wrong...)
	ledger, err := Read(ctx, n)
	if err != nil {
		return r, err
	}
	r.Blocks, r.Wrong = len(ledger.Blocks), append(r.Wrong, ledger.Hold(l.acknowledged)...)
	for _, org := range n.Topology.Organisations {
		c, err := l.city.SignIn(ctx, org.Name, "")
		if err != nil {
			return r, err
		}
		if _, err := client.Do[[]byte](ctx, c, http.MethodGet, fmt.Sprintf("/v1/certificate-types?page_size=1&min_block=%d", len(ledger.Blocks)-1), nil); err != nil {
			return r, fmt.Errorf("gateway of %s: %w", org.Name, err)
		}
		differ, err := SameProjection(ctx, n, org.Name, ledger.Blocks)
		if err != nil {
			return r, err
		}
		r.Wrong = append(r.Wrong, differ...)
	}
	r.Took = time.Since(began)
	return r, nil
}

// storm runs the clients while processes are killed.
func (r *Report) storm(ctx context.Context, n *network.Network, l *Load, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop, loaded := make(chan struct{}), make(chan error, 1)
	go func() {
		err := l.Run(ctx, o.Clients, stop)
		if err != nil {
			cancel() // no use in killing more
		}
		loaded <- err
	}()
	err := r.strikes(ctx, n, l, o)
	close(stop)
	return errors.Join(<-loaded, err)
}

func (r *Report) strikes(ctx context.Context, n *network.Network, l *Load, o Options) error {
	for l.Acknowledged() < between {
		if !pause.For(ctx, retryPause) {
			return errors.New("the clients do not get going")
		}
	}
	for i := range o.Times {
		for k, kind := range Kinds {
			if o.Progress != nil {
				o.Progress(i*len(Kinds)+k, o.Times*len(Kinds), kind)
			}
			s, err := strike(ctx, n, l, kind, i)
			if err != nil {
				return err
			}
			r.Strikes = append(r.Strikes, s)
		}
	}
	return nil
}

// Print writes a table with a line for each kind of process, and what was found.
func (r *Report) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "killed\ttimes\tlongest wait of a client, median s\tat most s\tattempts failed\tready again, median s\t")
	for _, kind := range Kinds {
		var waits, healed []time.Duration
		failed := int64(0)
		for _, s := range r.Strikes {
			if s.Kind == kind {
				waits, healed, failed = append(waits, s.Longest), append(healed, s.Healed), failed+s.Failed
			}
		}
		if len(waits) == 0 {
			continue
		}
		slices.Sort(waits)
		slices.Sort(healed)
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%d\t%.1f\t\n", kind, len(waits), waits[len(waits)/2].Seconds(), waits[len(waits)-1].Seconds(), failed, healed[len(healed)/2].Seconds())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nattempts not acknowledged, by what the client was told: %v\n", r.Failures)
	fmt.Fprintf(out, "%d writes acknowledged, %d of them repeated; compared with %d blocks of the auditor's peer and with every gateway's read model; %.0f s\n",
		r.Acknowledged, r.Repeated, r.Blocks, r.Took.Seconds())
	if len(r.Wrong) == 0 {
		fmt.Fprintln(out, "PASS  acknowledged = on the ledger once, as answered; none twice; every repetition got the first answer; read models identical")
		return nil
	}
	for _, wrong := range r.Wrong {
		fmt.Fprintln(out, "FAIL ", wrong)
	}
	return nil
}
