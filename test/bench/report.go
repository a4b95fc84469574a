package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// Report is everything one measurement gave.
type Report struct {
	Started time.Time `json:"started"`
	Machine string    `json:"machine"` // processors, operating system and architecture
	Fabric  string    `json:"fabric"`  // the peer's version
	Samples []Sample  `json:"samples"`
	Ratios  []Ratio   `json:"ratios"`
}

// Ratio compares two targets. Value is the median of the rounds; Low and High are the extremes.
type Ratio struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Doc   string  `json:"doc"`
}

// Compare takes a ratio (or a difference) of two targets' samples round by round.
func (r *Report) Compare(name, doc, a, b string, clients int, of func(a, b Sample) float64) {
	rounds := map[int]map[string]Sample{}
	for _, s := range r.Samples {
		if s.Clients == clients {
			if rounds[s.Round] == nil {
				rounds[s.Round] = map[string]Sample{}
			}
			rounds[s.Round][s.Target] = s
		}
	}
	var values []float64
	for _, round := range rounds {
		left, ok := round[a]
		right, also := round[b]
		if ok && also && left.Count > 0 && right.Count > 0 {
			values = append(values, of(left, right))
		}
	}
	if len(values) > 0 {
		r.Ratios = append(r.Ratios, Ratio{name, Median(values), slices.Min(values), slices.Max(values), doc})
	}
}

// RateRatio divides throughputs.
func RateRatio(a, b Sample) float64 { return a.Rate() / b.Rate() }

// P95Ratio divides 95th percentiles.
func P95Ratio(a, b Sample) float64 { return float64(a.P95) / float64(b.P95) }

// AddedP50 is how many milliseconds the first target's median is above the second's.
func AddedP50(a, b Sample) float64 { return float64(a.P50-b.P50) / float64(time.Millisecond) }

// Print writes the table, then a line `ratio NAME VALUE` for each ratio.
func (r *Report) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "target\tclients\trounds\tops\tops/s\tp50 ms\tp95 ms\tp99 ms\terrors\tCPU ms/op by component\t")
	for _, group := range r.groups() {
		var rate, p50, p95, p99 []float64
		count, failed := 0, 0
		cpu := map[string]float64{}
		for _, s := range group {
			rate, p50 = append(rate, s.Rate()), append(p50, milliseconds(s.P50))
			p95, p99 = append(p95, milliseconds(s.P95)), append(p99, milliseconds(s.P99))
			count, failed = count+s.Count, failed+s.Errors
			for component, seconds := range s.CPU {
				cpu[component] += seconds
			}
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t%d\t%s\t\n", group[0].Target, group[0].Clients, len(group), count,
			Median(rate), Median(p50), Median(p95), Median(p99), failed, perOperation(cpu, count))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, s := range r.Samples {
		if s.FirstError != "" {
			fmt.Fprintf(out, "error in %s at %d clients: %s\n", s.Target, s.Clients, s.FirstError)
		}
	}
	fmt.Fprintln(out)
	for _, ratio := range r.Ratios {
		fmt.Fprintf(out, "ratio %s %.3f\t(%.3f to %.3f; %s)\n", ratio.Name, ratio.Value, ratio.Low, ratio.High, ratio.Doc)
	}
	return nil
}

// Save writes the report as JSON.
func (r *Report) Save(file string) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(raw, '\n'), 0o644)
}

// groups gathers samples of one target and number of clients, fewest clients first, targets in the order they were run.
func (r *Report) groups() [][]Sample {
	var order []string
	type key struct {
		target  string
		clients int
	}
	groups := map[key][]Sample{}
	for _, s := range r.Samples {
		if !slices.Contains(order, s.Target) {
			order = append(order, s.Target)
		}
		k := key{s.Target, s.Clients}
		groups[k] = append(groups[k], s)
	}
	keys := slices.SortedFunc(maps.Keys(groups), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.clients, b.clients), cmp.Compare(slices.Index(order, a.target), slices.Index(order, b.target)))
	})
	sorted := make([][]Sample, len(keys))
	for i, k := range keys {
		sorted[i] = groups[k]
	}
	return sorted
}

func perOperation(cpu map[string]float64, count int) string {
	if count == 0 {
		return "-"
	}
	text := ""
	for _, component := range slices.Sorted(maps.Keys(cpu)) {
		text += fmt.Sprintf(" %s %.2f", component, cpu[component]*1000/float64(count))
	}
	return text
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
