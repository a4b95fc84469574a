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
		Use:   "hutong",
		Short: "Run a network of government organisations on this machine",
		Long: `Runs a whole network of government organisations on this machine: orderers,
peers, chaincodes, gateways and a development identity provider, as plain
processes on the loopback address. A manifest describes the network; without
one it is the default network of four organisations, network/topology.yaml.`,
		Example: `  hutong up              # make the network, or heal what is there
  hutong status          # every process; exit code 0 if all is well
  hutong logs -f         # what all processes write
  hutong down            # stop everything, keep the ledgers
  hutong down --purge    # stop everything, remove the network

  # a second network beside it, with folder and ports of its own
  hutong up --state /tmp/second --base-port 20000`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       build.Version(),
	}
	flags := root.PersistentFlags()
	flags.StringVar(&options.Manifest, "topology", "", "`file` with the network's manifest (default: that of the folder given with --state, else network/topology.yaml)")
	flags.StringVar(&options.State, "state", "", "`folder` with everything of the network: keys, ledgers, logs (default: state/NAME in the checkout)")
	flags.StringVar(&options.Bin, "bin", "", "`folder` with Hutong's binaries; Fabric's are built into fabric/ in it (default: bin in the checkout)")
	flags.StringVar(&options.Root, "root", "", "`folder` of the checkout (default: found from the working folder upwards)")
	flags.IntVar(&options.BasePort, "base-port", 0, "first `port` of the network, instead of the manifest's base_port")
	// The order of the help is that in which commands are used.
	cobra.EnableCommandSorting = false
	root.AddGroup(&cobra.Group{ID: groupNetwork, Title: "The network:"},
		&cobra.Group{ID: groupStages, Title: "The stages of `up`, in order; each can be run alone:"},
		&cobra.Group{ID: groupAudit, Title: "With nothing but files:"},
		&cobra.Group{ID: groupAgency, Title: "On an agency's own machine:"})
	add(root, groupNetwork, upCommand(options), statusCommand(options), logsCommand(options), catalogueCommand(options), projectionCommand(options), downCommand(options))
	add(root, groupStages, stageCommands(options)...)
	add(root, groupAudit, auditCommand(options))
	add(root, groupAgency, signCommand(), connectorCommand(), exchangeCommand())
	return root
}

// Groups of commands in the help.
const (
	groupNetwork = "network"
	groupStages  = "stages"
	groupAudit   = "audit"
	groupAgency  = "agency"
)

func add(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, c := range commands {
		c.GroupID = group
		root.AddCommand(c)
	}
}
