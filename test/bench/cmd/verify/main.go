// Command verify measures verifications against commitments through REST: by an agency, each leaving its evidence on the
// ledger, and by subjects of their own records, leaving none. It prints a line `measure NAME VALUE UNIT` for each, and ends
// with 1 if they are fewer than they are held to, or if a subject's log lacks one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/bench"
	"github.com/hutong-gov/hutong/test/story"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o bench.VerifyOptions
	flag.IntVar(&o.Subjects, "subjects", 1000, "subjects, each with a case and records")
	flag.IntVar(&o.Records, "records", 5, "records of a subject, which are verified together")
	flag.IntVar(&o.Together, "together", 5, "subjects whose records are verified in a request of the agency's")
	flag.IntVar(&o.Clients, "clients", 500, "verifications of the agency under way at once")
	flag.IntVar(&o.Readers, "readers", 32, "requests of subjects under way at once")
	flag.IntVar(&o.Rounds, "rounds", 3, "rounds of each")
	flag.DurationVar(&o.Duration, "duration", 10*time.Second, "how long a round lasts")
	flag.Parse()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o bench.VerifyOptions) (err error) {
	if min(o.Subjects, o.Records, o.Together, o.Clients, o.Readers, o.Rounds) < 1 || o.Duration <= 0 {
		return errors.New("all numbers must be positive")
	}
	dir, err := os.MkdirTemp("", "hutong-verify-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	o.Keys = filepath.Join(dir, "devices")
	fmt.Println("starting a network of its own …")
	n, err := story.Own(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Down(context.WithoutCancel(ctx), network.Purge)) }()
	if err := n.Up(ctx); err != nil {
		return err
	}
	v, err := bench.Verify(ctx, n, o)
	if err != nil {
		return err
	}
	return v.Print(os.Stdout, true)
}
