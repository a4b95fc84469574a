package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/hutong-gov/hutong/network"
)

func upCommand(options *network.Options) *cobra.Command {
	command := &cobra.Command{
		Use:   "up",
		Short: "Bring the network up, or heal what is there",
		Long: `Runs every stage in order. Each looks first and adds only what is missing, so
after a crash, or a kill of anything, the same command heals the network: what
died is started again, what runs is left alone, nothing is lost.

The first time, Fabric's binaries are built, which takes a minute or two. With
FABRIC_BIN=FOLDER in the environment those in that folder are used instead.`,
		Example: `  hutong up
  hutong up --until deploy                      # without gateways
  hutong up --topology my-network.yaml          # another manifest
  FABRIC_BIN=/opt/fabric/bin hutong up          # other Fabric binaries`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			began := time.Now()
			options.Reporter = newReporter(command.OutOrStdout())
			n, err := network.Up(command.Context(), *options)
			if err != nil {
				return err
			}
			announce(command.OutOrStdout(), n, time.Since(began))
			return nil
		},
	}
	command.Flags().StringVar((*string)(&options.Until), "until", "", fmt.Sprintf("last `stage` to run, one of %v", network.Stages()))
	return command
}

// announce says what is up and where to go.
func announce(out io.Writer, n *network.Network, took time.Duration) {
	if until := n.Options.Until; until != "" && until != network.StageReady {
		fmt.Fprintf(out, "%s is up to stage %s after %.1f s\n", n.Topology.Name, until, took.Seconds())
		return
	}
	fmt.Fprintf(out, "%s is ready after %.1f s\n", n.Topology.Name, took.Seconds())
	line := func(what, where, note string) { fmt.Fprintf(out, "  %-9s %-30s %s\n", what, where, note) }
	if n.Topology.Gateways {
		for _, org := range n.Topology.Organisations {
			if len(org.Agencies) > 0 {
				line(org.Name, n.Topology.GatewayURL(org)+apiPage, org.Who())
			}
		}
	}
	if n.Topology.DevIDP {
		line("sign in", n.Topology.IdentityProviderURL(), "development identity provider: choose a user, no password")
	}
	line("trust", filepath.Join(n.Layout.PublicRoot(), "*", "tlsca.pem"), "roots of the organisations' TLS certificates")
	line("next", "hutong status · hutong logs · hutong down", "")
}

// apiPage is where a gateway describes its interface, to be tried out.
const apiPage = "/docs"

func downCommand(options *network.Options) *cobra.Command {
	purge := false
	command := &cobra.Command{
		Use:   "down",
		Short: "Stop every process of the network",
		Long: `Stops every process that was started for the network, and nothing else. Keys
and ledgers stay, and the next ` + "`hutong up`" + ` goes on with them, unless --purge
removes the whole state folder.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			n, err := network.Open(*options)
			if err != nil {
				return err
			}
			if _, err := os.Stat(n.Options.State); errors.Is(err, fs.ErrNotExist) {
				fmt.Fprintf(command.OutOrStdout(), "there is no network in %s, nothing to stop\n", n.Options.State)
				return nil
			}
			began := time.Now()
			if err := n.Down(command.Context(), purge); err != nil {
				return err
			}
			what := "is down; its state stays in " + n.Options.State
			if purge {
				what = "is down, and its state is removed"
			}
			fmt.Fprintf(command.OutOrStdout(), "%s %s (%.1f s)\n", n.Topology.Name, what, time.Since(began).Seconds())
			return nil
		},
	}
	command.Flags().BoolVar(&purge, "purge", false, "also remove the network's state folder: ledgers, keys, everything")
	return command
}

// stageText describes each stage for the help.
var stageText = map[network.Stage]string{
	network.StageBuild:    "1: make sure of Fabric's binaries, building them once",
	network.StageMaterial: "2: make missing identities, certificates, configurations (and start the Fabric CAs, if any)",
	network.StageStart:    "3: start orderers, peers and chaincode servers that do not run",
	network.StageChannel:  "4: create the channel and let every node join",
	network.StageDeploy:   "5: install, approve and commit the chaincodes",
	network.StageGateways: "6: start the identity provider and the gateways",
	network.StageReady:    "7: probe until every organisation can do its work",
}

func stageCommands(options *network.Options) []*cobra.Command {
	var commands []*cobra.Command
	for _, stage := range network.Stages() {
		commands = append(commands, &cobra.Command{
			Use:   string(stage),
			Short: stageText[stage],
			Args:  cobra.NoArgs,
			RunE: func(command *cobra.Command, _ []string) error {
				options.Reporter = newReporter(command.OutOrStdout())
				n, err := network.Open(*options)
				if err != nil {
					return err
				}
				return n.Run(command.Context(), stage)
			},
		})
	}
	return commands
}
