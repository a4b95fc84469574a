// Command fault brings up a network of its own, kills each kind of its processes a number of times under load, and prints
// what came of it. It exits with 1 if a claim of package fault does not hold.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/fault"
	"github.com/hutong-gov/hutong/test/story"
)

// Limits of the flags.
const (
	maxTimes   = 1000
	maxClients = 256
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	times := flag.Int("times", 10, "how often each kind of process is killed")
	clients := flag.Int("clients", 12, "clients that write all the while")
	flag.Parse()
	if err := run(ctx, *times, *clients); err != nil {
		fmt.Fprintln(os.Stderr, "fault:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, times, clients int) (err error) {
	if times < 1 || times > maxTimes || clients < 1 || clients > maxClients {
		return fmt.Errorf("--times must be between 1 and %d, --clients between 1 and %d", maxTimes, maxClients)
	}
	dir, err := os.MkdirTemp("", "hutong-fault-")
	if err != nil {
		return err
	}
	fmt.Println("starting a network of its own …")
	n, err := story.Own(ctx, dir, nil)
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	held := false
	defer func() {
		err = errors.Join(err, n.Down(context.WithoutCancel(ctx), !network.Purge))
		if held {
			err = errors.Join(err, os.RemoveAll(dir))
		} else {
			fmt.Println("ledgers, read models and logs are left in", dir)
		}
	}()
	if err := n.Up(ctx); err != nil {
		return err
	}
	report, err := fault.Run(ctx, n, fault.Options{Clients: clients, Times: times, Progress: progress(os.Stdout)})
	fmt.Println()
	if err != nil {
		return err
	}
	if err := report.Print(os.Stdout); err != nil {
		return err
	}
	if len(report.Wrong) > 0 {
		return errors.New("what clients were told and what the ledger says do not agree")
	}
	held = true
	return nil
}

// progress draws a bar on a terminal and prints lines elsewhere.
func progress(out *os.File) func(done, total int, kind string) {
	if !isatty.IsTerminal(out.Fd()) {
		return func(done, total int, kind string) { fmt.Fprintf(out, "%d of %d  kill -9 %s\n", done+1, total, kind) }
	}
	var bar *progressbar.ProgressBar
	return func(done, total int, kind string) {
		if bar == nil {
			bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(out), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true))
		}
		bar.Describe("kill -9 " + kind)
		_ = bar.Set(done) // a bar that cannot be drawn is no reason to stop
	}
}
