package catalogue

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/pause"
)

// Door gives a client that is signed in as an agency's administrator, at the gateway of the agency's organisation. It is
// called by many at once.
type Door func(ctx context.Context, agency string) (*client.Client, error)

// Options of a load.
type Options struct {
	Agency   string                           // load only what this agency enters; empty: everything
	DryRun   bool                             // say what would be written, and write nothing
	Say      func(format string, args ...any) // is told of every write, of one at a time; may be nil
	Progress func(Progress)                   // is told how far a stage is, of one at a time; may be nil
}

// Progress of a load's stage.
type Progress struct {
	Stage       string
	Done, Total int // writes
}

// Result of a load.
type Result struct {
	Stages []Count       // some of them at the same time
	Took   time.Duration // all of it
	Block  uint64        // the last one written to; 0 if none was
}

// Count is what became of the entries of one stage.
type Count struct {
	Stage   string
	Present int // entries that the ledger had already
	Written int // writes; of a dry run, those that are left to make
	Took    time.Duration
}

// Total is what became of all entries.
func (r Result) Total() Count {
	all := Count{Stage: "all", Took: r.Took}
	for _, c := range r.Stages {
		all.Present, all.Written = all.Present+c.Present, all.Written+c.Written
	}
	return all
}

// Lines are the result as a person reads it: a line for each stage that has entries, and their sum.
func (r Result) Lines() (lines []string) {
	for _, c := range append(slices.Clone(r.Stages), r.Total()) {
		if c.Present+c.Written > 0 {
			lines = append(lines, fmt.Sprintf("%-19s %4d entries  %4d written  %4d there already  %5.2f s", c.Stage, c.Present+c.Written, c.Written, c.Present, c.Took.Seconds()))
		}
	}
	return lines
}

// A write may be endorsed by a peer that is a block behind the one that was read: what it does not know yet, it says is
// missing. So a request that misses something is repeated.
const (
	attempts = 10
	between  = 200 * time.Millisecond
)

// atOnce is how many writes of a stage are under way at a time. The gateways make few transactions of those of one agency.
const atOnce = 64

// entry is one write that an agency's administrator makes. what names it, in the progress and as its idempotency key.
type entry struct {
	as, what, method, path string
	body                   any
}

// plan is what a stage finds on the ledger: whose entries are there, and the writes that are missing.
type plan struct {
	there  []string // agencies, one an entry
	writes []entry
}

func (p *plan) has(agency string) { p.there = append(p.there, agency) }

func (p *plan) needs(e entry) { p.writes = append(p.writes, e) }

// loader brings a catalogue to a network.
type loader struct {
	Catalogue
	Options
	door Door
	now  time.Time

	mu    sync.Mutex
	after uint64 // reads include this block
	block uint64 // the last one written to

	telling sync.Mutex // one write at a time
}

// Load brings the catalogue to a network. It looks at what the ledger has and writes only what is missing: loading again
// writes nothing, and a load that broke off goes on. An entry that the ledger has with other content is an error; nothing is
// changed silently. Each entry is made by the administrator of the agency whose it is; entries that do not refer to each other
// are made at the same time.
func (c Catalogue) Load(ctx context.Context, door Door, options Options) (result Result, err error) {
	begin := time.Now()
	defer func() { result.Took = time.Since(begin) }()
	// Periods begin on a day, so that a load that was interrupted goes on with the same requests.
	l := &loader{Catalogue: c, Options: options, door: door, now: begin.UTC().Truncate(24 * time.Hour)}
	for _, wave := range [][]stage{
		{{"agencies", l.agencies}, {"roster", l.roster}},
		{{"duties", l.duties}, {"datasets", l.datasets}, {"certificate types", l.types}},
		{{"accreditations", l.accreditations}, {"requirements", l.requirements}, {"requests for grants", l.requests}},
		{{"grants", l.grants}, {"services", l.services}},
		{{"approvals", l.approvals}},
	} {
		counts, err := l.together(ctx, wave)
		result.Stages, result.Block = append(result.Stages, counts...), l.block
		if err != nil {
			return result, fmt.Errorf("catalogue: %w", err)
		}
	}
	return result, nil
}

// stage brings entries of one kind. What it refers to came in waves before.
type stage struct {
	name string
	find func(context.Context) (plan, error)
}

// together brings the stages of a wave, at the same time.
func (l *loader) together(ctx context.Context, wave []stage) (counts []Count, err error) {
	counts = make([]Count, len(wave))
	errs := make([]error, len(wave))
	var work sync.WaitGroup
	for i, s := range wave {
		work.Go(func() {
			if counts[i], errs[i] = l.bring(ctx, s); errs[i] != nil {
				errs[i] = fmt.Errorf("%s: %w", s.name, errs[i])
			}
		})
	}
	work.Wait()
	return counts, errors.Join(errs...)
}

// bring looks what is missing, and writes it. After an error it begins no further write, and waits for those under way, so that
// it counts what was written.
func (l *loader) bring(ctx context.Context, s stage) (count Count, err error) {
	begin := time.Now()
	count.Stage = s.name
	defer func() { count.Took = time.Since(begin) }()
	p, err := s.find(ctx)
	if err != nil {
		return count, err
	}
	for _, agency := range p.there {
		if l.concerns(agency) {
			count.Present++
		}
	}
	var writes []entry
	for _, e := range p.writes {
		if l.concerns(e.as) {
			writes = append(writes, e)
		}
	}
	if l.DryRun {
		for _, e := range writes {
			l.say("%s  (%s)", e.what, e.as)
		}
		count.Written = len(writes)
		return count, nil
	}
	var (
		mu   sync.Mutex // of count and failures
		errs []error
		work sync.WaitGroup
		free = make(chan struct{}, atOnce)
	)
	for done, e := range writes {
		free <- struct{}{}
		mu.Lock()
		failed := len(errs) > 0
		mu.Unlock()
		if failed {
			break
		}
		l.progress(Progress{s.name, done, len(writes)})
		work.Go(func() {
			defer func() { <-free }()
			receipt, err := l.write(ctx, e)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				errs = append(errs, err)
			case receipt.Replayed:
				count.Present++
			default:
				count.Written++
				l.say("%s  (%s)", e.what, e.as)
			}
		})
	}
	work.Wait()
	return count, errors.Join(errs...)
}

// concerns says whether this load is to make an agency's entries.
func (l *loader) concerns(agency string) bool { return l.Agency == "" || l.Agency == agency }

func (l *loader) say(format string, args ...any) {
	l.telling.Lock()
	defer l.telling.Unlock()
	if l.Say != nil {
		l.Say(format, args...)
	}
}

func (l *loader) progress(p Progress) {
	l.telling.Lock()
	defer l.telling.Unlock()
	if l.Progress != nil {
		l.Progress(p)
	}
}

// since is the block that reads include.
func (l *loader) since() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.after
}

// write makes one.
func (l *loader) write(ctx context.Context, e entry) (receipt app.Receipt, err error) {
	c, err := l.door(ctx, e.as)
	if err != nil {
		return receipt, err
	}
	digest, err := canonical.Digest(e.body)
	if err != nil {
		return receipt, err
	}
	key := client.Key("catalogue:" + canonical.Sum([]byte(e.what + "\n" + digest))[:40])
	for attempt := 1; ; attempt++ {
		receipt, err = client.Do[app.Receipt](ctx, c, e.method, e.path, e.body, key)
		if attempt == attempts || !lagging(err) {
			break
		}
		if !pause.For(ctx, between) {
			return receipt, ctx.Err()
		}
	}
	if err != nil {
		return receipt, fmt.Errorf("%s as %s: %w", e.what, e.as, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.after = max(l.after, receipt.Block)
	if !receipt.Replayed {
		l.block = max(l.block, receipt.Block)
	}
	return receipt, nil
}

// lagging says whether an error may be that of a peer that is behind.
func lagging(err error) bool {
	reason := client.Reason(err)
	return strings.HasSuffix(reason, ".missing") || reason == exchange.ErrAgencyUnregistered.Reason
}

// reader is the agency as whose administrator what is open to all is read.
func (l *loader) reader() (string, error) {
	if l.Agency != "" {
		return l.Agency, nil
	}
	return l.coordinator()
}

// shared reads all pages of a list that everybody may read.
func shared[T any](ctx context.Context, l *loader, path string) ([]T, error) {
	as, err := l.reader()
	if err != nil {
		return nil, err
	}
	return read[T](ctx, l, as, path, url.Values{})
}

// read reads all pages of a list, as an agency's administrator, that includes everything written so far.
func read[T any](ctx context.Context, l *loader, agency, path string, query url.Values) (items []T, err error) {
	c, err := l.door(ctx, agency)
	if err != nil {
		return nil, err
	}
	query.Set("page_size", "200")
	if after := l.since(); after > 0 {
		query.Set("min_block", fmt.Sprint(after))
	}
	for {
		page, err := client.Do[app.Page[T]](ctx, c, http.MethodGet, path+"?"+query.Encode(), nil)
		if err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if page.Next == "" {
			return items, nil
		}
		query.Set("page_token", page.Next)
	}
}
