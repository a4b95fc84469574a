// Command anchor anchors 3,000,000 records of an airport's cargo on a network of its own, kills the command that does it
// twice on the way, and verifies 10,000 proofs taken at random. It prints what it measured and ends with 1 if something that
// was promised does not hold.
package main

import (
	"context"
	"errors"
	"flag"
	"os"

	"github.com/hutong-gov/hutong/gateway/anchor"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/bench"
)

func main() {
	s := bench.AnchorSettings{Out: os.Stdout}
	bench.Main("anchor", os.Args[1:], func(flags *flag.FlagSet) {
		flags.IntVar(&s.Records, "records", bench.AnchorRecords, "records in all")
		flags.IntVar(&s.BatchSize, "batch-size", anchor.DefaultBatchSize, "records of a batch")
		flags.IntVar(&s.Proofs, "proofs", bench.AnchorProofs, "proofs to verify")
		flags.IntVar(&s.Kills, "kills", bench.AnchorKills, "how often the command is killed")
		flags.DurationVar(&s.KillsWithin, "kills-within", bench.AnchorKillsWithin, "of a start, at random")
	}, func(ctx context.Context) error {
		if s.Records < 100 || s.Proofs < 1 || s.Kills < 0 || s.KillsWithin <= 0 {
			return errors.New("all numbers must be positive, and there must be at least 100 records")
		}
		return bench.OnItsOwn(ctx, "anchor", nil, func(n *network.Network, folder string) error {
			s.Dir = folder
			anchored, err := bench.Anchor(ctx, n, s)
			if err != nil {
				return err
			}
			anchored.Print(os.Stdout)
			return bench.PrintFindings(os.Stdout, anchored.Judge(s))
		})
	})
}
