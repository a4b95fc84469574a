package main

import (
	"fmt"
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
died is started again, what runs is left alone, nothing is lost.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			began := time.Now()
			options.Reporter = newReporter(command.OutOrStdout())
			n, err := network.Up(command.Context(), *options)
			if err != nil {
				return err
			}
			announce(command, n, time.Since(began))
			return nil
		},
	}
	command.Flags().StringVar((*string)(&options.Until), "until", "", fmt.Sprintf("last stage to run, one of %v", network.Stages()))
	return command
}

// announce says what is up and where to go.
func announce(command *cobra.Command, n *network.Network, took time.Duration) {
	out := command.OutOrStdout()
	if until := n.Options.Until; until != "" && until != network.StageReady {
		fmt.Fprintf(out, "%s is up to stage %s after %.1f s\n", n.Topology.Name, until, took.Seconds())
		return
	}
	fmt.Fprintf(out, "%s is ready after %.1f s\n", n.Topology.Name, took.Seconds())
	if n.Topology.Gateways {
		for _, org := range n.Topology.Organisations {
			if len(org.Agencies) > 0 {
				fmt.Fprintf(out, "  %-10s %s\n", org.Name, n.Topology.GatewayURL(org))
			}
		}
	}
}

func downCommand(options *network.Options) *cobra.Command {
	purge := false
	command := &cobra.Command{
		Use:   "down",
		Short: "Stop every process of the network",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			n, err := network.Open(*options)
			if err != nil {
				return err
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
	network.StageBuild:    "Stage 1: make sure of Fabric's binaries, building them once",
	network.StageMaterial: "Stage 2: make identities, certificates and configurations that are missing",
	network.StageStart:    "Stage 3: start orderers, peers and chaincode servers that do not run",
	network.StageChannel:  "Stage 4: create the channel and let every node join",
	network.StageDeploy:   "Stage 5: install, approve and commit the chaincodes",
	network.StageGateways: "Stage 6: start the identity provider and the gateways",
	network.StageReady:    "Stage 7: probe until every organisation can do its work",
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
