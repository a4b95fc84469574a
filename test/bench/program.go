package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/story"
)

// Main is a program that measures: it reads the flags that define declares, and runs until it is done or a signal comes. It
// ends with 1 if something fails or does not hold.
func Main(name string, args []string, define func(*flag.FlagSet), run func(context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	define(flags)
	err := flags.Parse(args)
	if err == nil {
		err = run(ctx)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}

// OnItsOwn measures on a network of its own, in a folder of its own, and removes both. What prepare does, if it is not nil,
// comes before the network is started.
func OnItsOwn(ctx context.Context, name string, prepare func(*network.Network) error, measure func(n *network.Network, folder string) error) (err error) {
	folder, err := os.MkdirTemp("", "hutong-"+name+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	fmt.Println("starting a network of its own …")
	n, err := story.Own(ctx, folder, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Down(context.WithoutCancel(ctx), network.Purge)) }()
	if prepare != nil {
		if err := prepare(n); err != nil {
			return err
		}
	}
	if err := n.Up(ctx); err != nil {
		return err
	}
	return measure(n, folder)
}
