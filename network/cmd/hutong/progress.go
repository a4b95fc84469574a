package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"

	"github.com/hutong-gov/hutong/network"
)

// plainStep is how much of a long stage passes between two lines of output
// when there is no terminal to draw a bar on.
const plainStep = 10 // percent

// reporter prints a line for every stage, and for a long one a bar on a
// terminal or a line now and then elsewhere.
type reporter struct {
	out      io.Writer
	terminal bool
	stage    network.Stage
	bar      *progressbar.ProgressBar
	percent  int
}

func newReporter(out io.Writer) *reporter {
	file, ok := out.(*os.File)
	return &reporter{out: out, terminal: ok && isatty.IsTerminal(file.Fd())}
}

// Begin implements network.Reporter.
func (r *reporter) Begin(stage network.Stage) {
	r.stage, r.bar, r.percent = stage, nil, 0
	if r.terminal {
		fmt.Fprintf(r.out, "%-9s …", stage)
	}
}

// Advance implements network.Reporter.
func (r *reporter) Advance(done, total int) {
	if r.terminal {
		if r.bar == nil {
			fmt.Fprint(r.out, "\r")
			r.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(r.out), progressbar.OptionClearOnFinish(),
				progressbar.OptionSetDescription(string(r.stage)), progressbar.OptionShowCount())
		}
		// A bar that cannot be drawn is no reason to stop.
		_ = r.bar.Set(min(done, total))
		return
	}
	if percent := done * 100 / max(total, 1); percent >= r.percent+plainStep {
		r.percent = percent - percent%plainStep
		fmt.Fprintf(r.out, "%-9s %d of at most %d packages compiled\n", r.stage, done, total)
	}
}

// End implements network.Reporter.
func (r *reporter) End(stage network.Stage, summary string, took time.Duration, err error) {
	if r.bar != nil {
		_ = r.bar.Clear()
	}
	if r.terminal {
		fmt.Fprint(r.out, "\r\033[K")
	}
	if err != nil {
		summary = "failed; everything that runs is left as it is"
	}
	fmt.Fprintf(r.out, "%-9s %6.1f s  %s\n", stage, took.Seconds(), summary)
}
