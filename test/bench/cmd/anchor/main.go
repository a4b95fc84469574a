// Command anchor anchors 3,000,000 records of an airport's cargo on a network of its own, kills the command that does it
// twice on the way, and verifies 10,000 proofs taken at random. It prints what it measured and ends with 1 if something that
// was promised does not hold.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hutong-gov/hutong/gateway/anchor"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/bench"
	"github.com/hutong-gov/hutong/test/story"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "anchor:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	s := bench.AnchorSettings{Out: os.Stdout}
	flags := flag.NewFlagSet("anchor", flag.ContinueOnError)
	flags.IntVar(&s.Records, "records", bench.AnchorRecords, "records in all")
	flags.IntVar(&s.BatchSize, "batch-size", anchor.DefaultBatchSize, "records of a batch")
	flags.IntVar(&s.Proofs, "proofs", bench.AnchorProofs, "proofs to verify")
	flags.IntVar(&s.Kills, "kills", bench.AnchorKills, "how often the command is killed")
	flags.DurationVar(&s.KillsWithin, "kills-within", bench.AnchorKillsWithin, "of a start, at random")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.Records < 100 || s.Proofs < 1 || s.Kills < 0 || s.KillsWithin <= 0 {
		return errors.New("all numbers must be positive, and there must be at least 100 records")
	}
	if s.Dir, err = os.MkdirTemp("", "hutong-anchor-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.Dir)) }()
	fmt.Println("starting a network of its own …")
	n, err := story.Own(ctx, s.Dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Down(context.WithoutCancel(ctx), network.Purge)) }()
	if err := n.Up(ctx); err != nil {
		return err
	}
	anchored, err := bench.Anchor(ctx, n, s)
	if err != nil {
		return err
	}
	anchored.Print(os.Stdout)
	return bench.PrintFindings(os.Stdout, anchored.Judge(s))
}
