// Command revocation measures how soon a revocation takes effect: citizens revoke consents that officers of another
// organisation are using without a pause. It prints a line PASS or FAIL for each thing it is held to, and ends with 1 if one
// does not hold: the time from the click to the first refused use, and that the ledger has no use behind a revocation.
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

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/bench"
	"github.com/hutong-gov/hutong/test/departments"
	"github.com/hutong-gov/hutong/test/story"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	times := flag.Int("times", 200, "revocations")
	flag.Parse()
	if err := run(ctx, *times); err != nil {
		fmt.Fprintln(os.Stderr, "revocation:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, times int) (err error) {
	if times < 1 {
		return errors.New("-times must be positive")
	}
	dir, err := os.MkdirTemp("", "hutong-revocation-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Println("starting a network of its own …")
	n, err := story.Own(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Down(context.WithoutCancel(ctx), network.Purge)) }()
	if err := story.Prepare(ctx, n, departments.Generate()); err != nil {
		return err
	}
	if err := n.Up(ctx); err != nil {
		return err
	}
	r, err := bench.Revoke(ctx, n, bench.RevocationOptions{Times: times, Citizens: story.DefaultCitizens, Keys: filepath.Join(dir, "devices")})
	if err != nil {
		return err
	}
	return r.Print(os.Stdout)
}
