package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/catalogue"
	doors "github.com/hutong-gov/hutong/network/door"
)

// loading is what `catalogue load` is told.
type loading struct {
	door
	network *network.Options
	agency  string
	dryRun  bool
	verbose bool
}

func catalogueCommand(options *network.Options) *cobra.Command {
	command := &cobra.Command{Use: "catalogue", Short: "Load agencies, datasets, requirements and services from files"}
	l := &loading{network: options}
	load := &cobra.Command{
		Use: "load [FOLDER]", Short: "Load a catalogue; what is there already is left alone", Args: cobra.MaximumNArgs(1),
		Long: `Loads the catalogue in FOLDER, or the one that comes with the product: agencies and
the roster, the directory of datasets, types of certificates, requirements and their
evidence, grants, services. The files are checked before anything is written; a mistake
is named by file, entry, member and rule. Every entry is made by the administrator of
the agency whose it is, and what the ledger has already is not written again: a load
that broke off goes on, and loading again changes nothing. An entry that the ledger has
with other content ends the load.

On this machine's network the agencies' administrators sign in at its development
identity provider. Elsewhere an agency loads its own part, at its organisation's gateway
with its administrator's access token, from the environment's ` + tokenVariable + ` or
--token-file.`,
		Example: `  hutong catalogue load --dry-run            # what would be written
  hutong catalogue load
  hutong catalogue load catalogue/ --agency planning.parks --gateway https://gateway.planning.example --token-file token`,
		RunE: func(command *cobra.Command, args []string) error { return l.run(command, args) },
	}
	flags := load.Flags()
	l.flags(flags)
	flags.StringVar(&l.agency, "agency", "", "`id` of the agency whose entries are loaded (default: all)")
	flags.BoolVar(&l.dryRun, "dry-run", false, "say what would be written, and write nothing")
	flags.BoolVarP(&l.verbose, "verbose", "v", false, "say every write")
	load.MarkFlagsRequiredTogether("gateway", "agency")
	command.AddCommand(load, &cobra.Command{
		Use: "check [FOLDER]", Short: "Check a catalogue's files; no network is needed", Args: cobra.MaximumNArgs(1),
		Long: `Checks the catalogue in FOLDER, or the one that comes with the product, as load does
before it writes: the form of every entry, by the ledger's own rules, and that every
reference leads somewhere. All mistakes that can be found at once are named, by file,
entry, member and rule.`,
		Example: `  hutong catalogue check catalogue/`,
		RunE: func(command *cobra.Command, args []string) error {
			c, err := readCatalogue(strings.Join(args, "")) // at most one
			if err != nil {
				return err
			}
			for _, line := range c.Lines() {
				fmt.Fprintln(command.OutOrStdout(), line)
			}
			fmt.Fprintln(command.OutOrStdout(), "nothing is wrong with it")
			return nil
		},
	})
	return command
}

// readCatalogue reads the one in a folder, or without a folder the one that comes with the product.
func readCatalogue(folder string) (catalogue.Catalogue, error) {
	if folder != "" {
		return catalogue.Read(os.DirFS(folder))
	}
	return catalogue.Default()
}

func (l *loading) run(command *cobra.Command, args []string) error {
	c, err := readCatalogue(strings.Join(args, "")) // at most one
	if err != nil {
		return err
	}
	to, err := l.way()
	if err != nil {
		return err
	}
	out := command.OutOrStdout()
	options := catalogue.Options{Agency: l.agency, DryRun: l.dryRun}
	if l.dryRun || l.verbose {
		options.Say = func(format string, args ...any) { fmt.Fprintf(out, "+ "+format+"\n", args...) }
	}
	bar, end := stageBar(command.ErrOrStderr())
	options.Progress = bar
	result, err := c.Load(command.Context(), to, options)
	end()
	for _, line := range result.Lines() {
		fmt.Fprintln(out, line)
	}
	if err != nil {
		return fmt.Errorf("%w\nwhat was written stays; the same command goes on", err)
	}
	switch written := result.Total().Written; {
	case l.dryRun:
		fmt.Fprintf(out, "%d writes are left to make; nothing was written\n", written)
	case written == 0:
		fmt.Fprintln(out, "all of it is there already; nothing was changed")
	default:
		fmt.Fprintf(out, "loaded in %.1f s, up to block %d\n", result.Total().Took.Seconds(), result.Block)
	}
	return nil
}

// way gives the way to the gateways.
func (l *loading) way() (catalogue.Door, error) {
	if l.gateway != "" {
		c, err := l.client()
		return func(context.Context, string) (*client.Client, error) { return c, nil }, err
	}
	n, err := network.Open(*l.network)
	if err != nil {
		return nil, err
	}
	if !n.Topology.DevIDP || !n.Topology.Gateways {
		return nil, errors.New("this network has no development identity provider or no gateways: name an agency's gateway with --gateway, and the agency with --agency")
	}
	return doors.To(n).Admin, nil
}

// stageBar shows a load's progress on a terminal; elsewhere the lines at the end are enough.
func stageBar(out io.Writer) (show func(catalogue.Progress), end func()) {
	f, ok := out.(*os.File)
	if !ok || !isatty.IsTerminal(f.Fd()) {
		return nil, func() {}
	}
	bar := progressbar.NewOptions(1, progressbar.OptionSetWriter(out), progressbar.OptionClearOnFinish(), progressbar.OptionShowCount())
	show = func(p catalogue.Progress) {
		bar.ChangeMax(max(p.Total, 1))
		bar.Describe(p.Stage)
		_ = bar.Set(p.Done) // a terminal that went away is no reason to stop
	}
	return show, func() { _ = bar.Finish() }
}
