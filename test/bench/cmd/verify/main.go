// Command verify measures verifications against commitments through REST: by an agency, each leaving its evidence on the
// ledger, and by subjects of their own records, leaving none. It prints a line `measure NAME VALUE UNIT` for each, and ends
// with 1 if they are fewer than they are held to, or if a subject's log lacks one.
package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"time"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/bench"
)

func main() {
	var o bench.VerifyOptions
	bench.Main("verify", os.Args[1:], func(flags *flag.FlagSet) {
		flags.IntVar(&o.Subjects, "subjects", 1000, "subjects, each with a case and records")
		flags.IntVar(&o.Records, "records", 5, "records of a subject, which are verified together")
		flags.IntVar(&o.Together, "together", 5, "subjects whose records are verified in a request of the agency's")
		flags.IntVar(&o.Clients, "clients", 500, "verifications of the agency under way at once")
		flags.IntVar(&o.Readers, "readers", 32, "requests of subjects under way at once")
		flags.IntVar(&o.Rounds, "rounds", 3, "rounds of each")
		flags.DurationVar(&o.Duration, "duration", 10*time.Second, "how long a round lasts")
	}, func(ctx context.Context) error {
		if min(o.Subjects, o.Records, o.Together, o.Clients, o.Readers, o.Rounds) < 1 || o.Duration <= 0 {
			return errors.New("all numbers must be positive")
		}
		return bench.OnItsOwn(ctx, "verify", nil, func(n *network.Network, folder string) error {
			o.Keys = filepath.Join(folder, "devices")
			v, err := bench.Verify(ctx, n, o)
			if err != nil {
				return err
			}
			return v.Print(os.Stdout, true)
		})
	})
}
