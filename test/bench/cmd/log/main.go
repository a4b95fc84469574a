// Command log makes the access log of one subject, used a hundred thousand times by several agencies, on a network of its
// own, reads it as the citizen does, and has its completeness verified by a process that is given nothing but the exported
// files and the channel's certificates. It prints a line PASS or FAIL for each thing it is held to, and ends with 1 if one does
// not hold.
package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/bench"
)

func main() {
	var o bench.LogOptions
	bench.Main("log", os.Args[1:], func(flags *flag.FlagSet) {
		flags.IntVar(&o.Uses, "uses", 100_000, "uses of the subject's data")
		flags.IntVar(&o.Pages, "pages", 200, "pages read of each kind")
		flags.StringVar(&o.Command, "hutong", "bin/hutong", "`file` of the command that verifies")
	}, func(ctx context.Context) (err error) {
		if o.Uses < 2 || o.Pages < 1 {
			return errors.New("-uses must be two or more, -pages positive")
		}
		if o.Command, err = filepath.Abs(o.Command); err != nil {
			return err
		}
		return bench.OnItsOwn(ctx, "log", nil, func(n *network.Network, folder string) error {
			o.Folder = folder
			l, err := bench.Log(ctx, n, o)
			if err != nil {
				return err
			}
			return l.Print(os.Stdout)
		})
	})
}
