// Command hutong runs a network of government organisations on this machine:
// it makes their identities, starts their nodes, creates the channel, deploys
// the chaincodes and starts the gateways.
//
//	hutong up        bring everything up, or heal what is there
//	hutong status    see every process
//	hutong down      stop everything
//
// `hutong help` lists the rest. The network itself is described by a manifest,
// network/topology.yaml unless --topology names another.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hutong-gov/hutong/chaincode/build"
	"github.com/hutong-gov/hutong/network"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errNotUp) {
			fmt.Fprintln(os.Stderr, "hutong:", err)
		}
		stop()
		os.Exit(1)
	}
}

// command is the whole command line.
func command() *cobra.Command {
	options := &network.Options{}
	root := &cobra.Command{
		Use:           "hutong",
		Short:         "Run a network of government organisations on this machine",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       build.Version(),
	}
	flags := root.PersistentFlags()
	flags.StringVar(&options.Manifest, "topology", "", "manifest of the network (default: that of --state, else network/topology.yaml)")
	flags.StringVar(&options.State, "state", "", "folder of the network's state (default: {root}/state/{name})")
	flags.StringVar(&options.Bin, "bin", "", "folder of the binaries (default: {root}/bin)")
	flags.StringVar(&options.Root, "root", "", "checkout of the source (default: found from the working folder upwards)")
	flags.IntVar(&options.BasePort, "base-port", 0, "first port of the network, instead of the manifest's base_port")
	root.AddCommand(upCommand(options), downCommand(options), statusCommand(options), logsCommand(options))
	root.AddCommand(stageCommands(options)...)
	return root
}
