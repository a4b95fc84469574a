package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"text/tabwriter"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/projection"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/network"
)

// errDiffers ends `projection rebuild` with a failing exit code; the table has said how.
var errDiffers = errors.New("the tables in use were not what the blocks say; they have been replaced")

func projectionCommand(options *network.Options) *cobra.Command {
	command := &cobra.Command{
		Use:   "projection",
		Short: "Build a gateway's read model anew from the blocks, or identify what is in it",
	}
	var of gatewayChoice
	of.flags(command, options)
	command.AddCommand(rebuildCommand(&of), digestCommand(&of))
	return command
}

// gatewayChoice says whose read model it is.
type gatewayChoice struct {
	options *network.Options
	name    string
	file    string
}

func (g *gatewayChoice) flags(command *cobra.Command, options *network.Options) {
	g.options = options
	command.PersistentFlags().StringVar(&g.name, "gateway", "", "`organisation` of this network whose gateway it is")
	command.PersistentFlags().StringVar(&g.file, "config", "", "a gateway's configuration `file`, for one that is not of this network")
	command.MarkFlagsMutuallyExclusive("gateway", "config")
}

func (g *gatewayChoice) config() (*config.Config, error) {
	switch {
	case g.file != "":
		return config.Load(g.file)
	case g.name == "":
		return nil, errors.New("name the gateway: --gateway ORGANISATION, or --config FILE")
	}
	n, err := network.Open(*g.options)
	if err != nil {
		return nil, err
	}
	return n.GatewayConfig(g.name)
}

func rebuildCommand(of *gatewayChoice) *cobra.Command {
	restart := false
	command := &cobra.Command{
		Use:   "rebuild",
		Short: "Fold every block from block 0 on anew, compare, and replace the tables",
		Long: `Folds every block of the gateway's peer from block 0 on into new tables beside
those in use, compares the two at the block where those in use are, and puts
the new ones in their place. Interrupted, it goes on where it was when it is
called again. The exit code is 0 only if the tables were identical, or if there
were none to compare.

A gateway that keeps SQLite files must be stopped meanwhile. Gateways on
PostgreSQL go on running, and take the new tables at their next statement.`,
		Example: `  hutong projection rebuild --gateway services`,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := of.config()
			if err != nil {
				return err
			}
			if restart {
				if err := projection.Discard(command.Context(), c.Kept()); err != nil {
					return err
				}
			}
			return rebuild(command.Context(), c, command.OutOrStdout(), command.ErrOrStderr())
		},
	}
	command.Flags().BoolVar(&restart, "restart", false, "begin at block 0, whatever an interrupted rebuild has left")
	return command
}

// rebuild builds the read model anew from the gateway's own peer.
func rebuild(ctx context.Context, c *config.Config, out, progress io.Writer) (err error) {
	source, err := openPeer(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	bar := progressbar.NewOptions64(1, progressbar.OptionSetWriter(progress), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetDescription("blocks"), progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true))
	r, err := projection.Rebuild(ctx, c.Kept(), projection.Contracts(), source, c.Limits.BlocksPerCommit, func(done, of uint64) {
		bar.ChangeMax64(int64(of))
		_ = bar.Set64(int64(done)) // a terminal that cannot be written to is no reason to stop
	})
	_ = bar.Clear()
	switch {
	case errors.Is(err, database.ErrInUse):
		return fmt.Errorf("%w: stop the gateway first; only on PostgreSQL the tables can be built anew while it runs", err)
	case errors.Is(err, follow.ErrOtherLedger):
		return fmt.Errorf("%w (`hutong projection rebuild --restart`)", err)
	case err != nil:
		return err
	}
	fmt.Fprintf(out, "built from block 0 to block %d (%x)\n", r.Block.Number, r.Block.Hash)
	if !r.Compared {
		_, err := fmt.Fprintln(out, "there were no tables of this version to compare with, or none at a block that this rebuild had not passed already")
		return err
	}
	fmt.Fprintf(out, "compared at block %d\n", r.At.Number)
	if err := compared(out, r); err != nil {
		return err
	}
	if !r.Identical() {
		return errDiffers
	}
	return nil
}

func compared(out io.Writer, r projection.Rebuilt) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TABLE\tROWS\tSHA-256\t")
	for i, after := range r.After {
		verdict := "identical"
		if after != r.Before[i] {
			verdict = fmt.Sprintf("differs: was %d rows, %s", r.Before[i].Rows, r.Before[i].SHA256)
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", after.Table, after.Rows, after.SHA256, verdict)
	}
	return table.Flush()
}

func digestCommand(of *gatewayChoice) *cobra.Command {
	return &cobra.Command{
		Use:   "digest",
		Short: "Identify what is in each table, the same on SQLite and on PostgreSQL",
		Long: `Prints for each table the number of rows and a SHA-256 over them, all of one
state, and the block up to which they are. Two gateways at the same block have
the same digests, whatever database they use. The gateway may run.`,
		Example: `  hutong projection digest --gateway market`,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) (err error) {
			c, err := of.config()
			if err != nil {
				return err
			}
			s, err := store.Look(command.Context(), c.Kept())
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("this gateway has no read model yet: %w", err)
			}
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			at, started, digests, err := s.Digests(command.Context())
			if err != nil {
				return err
			}
			return identified(command.OutOrStdout(), s.Name(), at.Number, started, digests)
		},
	}
}

func identified(out io.Writer, name string, block uint64, started bool, digests []store.Digest) error {
	if !started {
		_, err := fmt.Fprintf(out, "%s: no block yet\n", name)
		return err
	}
	fmt.Fprintf(out, "%s, as of block %d\n", name, block)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TABLE\tROWS\tSHA-256")
	for _, d := range digests {
		fmt.Fprintf(table, "%s\t%d\t%s\n", d.Table, d.Rows, d.SHA256)
	}
	return table.Flush()
}
