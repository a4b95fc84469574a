// Command story tells one real case on a network, bringing it up first if it is not: somebody starts a business, and
// submits once. It leaves the network running, and can be run again and again.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/departments"
	"github.com/hutong-gov/hutong/test/story"
)

func main() {
	options := network.Options{}
	flag.StringVar(&options.Manifest, "topology", "", "manifest of the network")
	flag.StringVar(&options.State, "state", "", "folder of the network's state")
	flag.StringVar(&options.Bin, "bin", "", "folder of the binaries")
	flag.IntVar(&options.BasePort, "base-port", 0, "first port of the network, instead of the manifest's")
	citizen := flag.String("citizen", "", "development user who applies: citizen1, citizen2 or citizen3 (default: the first whose key is at hand)")
	prepare := flag.Bool("prepare", false, "only write and connect the departments' databases, so that a network started next has them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, options, *prepare, *citizen)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "story:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, options network.Options, prepare bool, citizen string) error {
	options.Reporter = stages{}
	n, err := network.Open(options)
	if err != nil {
		return err
	}
	if prepare {
		return story.Prepare(ctx, n, departments.Generate())
	}
	var citizens []string
	if citizen != "" {
		citizens = []string{citizen}
	}
	_, err = story.Run(ctx, os.Stdout, n, citizens...)
	return err
}

// stages tells of the stages that take their time; on a network that is up there is none.
type stages struct{}

func (stages) Begin(network.Stage) {}

func (stages) Advance(int, int) {}

func (stages) End(stage network.Stage, summary string, took time.Duration, err error) {
	if err == nil && took > time.Second {
		fmt.Printf("%-9s %6.1f s  %s\n", stage, took.Seconds(), summary)
	}
}
