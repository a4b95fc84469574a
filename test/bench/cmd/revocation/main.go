// Command revocation measures how soon a revocation takes effect: citizens revoke consents that officers of another
// organisation are using without a pause. It prints a line PASS or FAIL for each thing it is held to, and ends with 1 if one
// does not hold: the time from the click to the first refused use, and that the ledger has no use behind a revocation.
package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/bench"
	"github.com/hutong-gov/hutong/test/departments"
	"github.com/hutong-gov/hutong/test/story"
)

func main() {
	o := bench.RevocationOptions{Citizens: story.DefaultCitizens}
	bench.Main("revocation", os.Args[1:], func(flags *flag.FlagSet) {
		flags.IntVar(&o.Times, "times", 200, "revocations")
	}, func(ctx context.Context) error {
		if o.Times < 1 {
			return errors.New("-times must be positive")
		}
		prepare := func(n *network.Network) error { return story.Prepare(ctx, n, departments.Generate()) }
		return bench.OnItsOwn(ctx, "revocation", prepare, func(n *network.Network, folder string) error {
			o.Keys = filepath.Join(folder, "devices")
			r, err := bench.Revoke(ctx, n, o)
			if err != nil {
				return err
			}
			return r.Print(os.Stdout)
		})
	})
}
