package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/audit"
	"github.com/hutong-gov/hutong/network/statement"
)

func auditCommand(options *network.Options) *cobra.Command {
	command := &cobra.Command{
		Use:   "audit",
		Short: "Verify what the network says without trusting who said it",
	}
	command.AddCommand(auditLogCommand(options), auditReconcileCommand(options), auditStatisticsCommand(options))
	return command
}

// trustChoice says what statements are held against.
type trustChoice struct {
	options      *network.Options
	certificates string
	channel      string
	needed       int
}

func (c *trustChoice) flags(command *cobra.Command, options *network.Options) {
	c.options = options
	flags := command.Flags()
	flags.StringVar(&c.certificates, "certificates", "", "`folder` with {MSP id}/ca.pem for each organisation of the channel (default: this network's)")
	flags.StringVar(&c.channel, "channel", "", "`name` of the channel (default: this network's)")
	flags.IntVar(&c.needed, "needed", 0, "of how many `organisations` a peer must have signed (default: more than half)")
}

// trust reads the certificates. It needs no network where folder and channel are given.
func (c *trustChoice) trust() (t statement.Trust, err error) {
	folder, channel := c.certificates, c.channel
	if folder == "" || channel == "" {
		n, err := network.Open(*c.options)
		if err != nil {
			return t, fmt.Errorf("name --certificates and --channel, or a network: %w", err)
		}
		folder, channel = cmp.Or(folder, n.Layout.PublicRoot()), cmp.Or(channel, n.Topology.Channel)
	}
	if t.Roots, err = statement.Certificates(folder); err != nil {
		return t, err
	}
	t.Channel, t.Needed = channel, cmp.Or(c.needed, statement.Majority(len(t.Roots)))
	return t, nil
}

// errIncomplete ends `audit log` with a failing exit code; the text has said what is missing.
var errIncomplete = errors.New("the files do not have the whole log")

func auditLogCommand(options *network.Options) *cobra.Command {
	var trust trustChoice
	part := false
	command := &cobra.Command{
		Use:   "log FILE...",
		Short: "Verify an exported access log: that nothing in it was changed, and nothing left out",
		Long: `Verifies files that GET /v1/subjects/me/log gave, all parts of one log. It
needs no network and no ledger, only the certificates of the channel's
organisations: each file has a statement of the log's head that peers of
several organisations signed, and the entries are held against its root.
Certificates are judged at the time of the statement, so a log can be verified
after they have expired. The exit code is 0 only if every file holds and
together they have every entry.`,
		Example: `  hutong audit log log-1.json log-10001.json --certificates public --channel hutong`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, names []string) error {
			t, err := trust.trust()
			if err != nil {
				return err
			}
			files := make([]audit.LogFile, len(names))
			for i, name := range names {
				raw, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				if err := json.Unmarshal(raw, &files[i]); err != nil {
					return fmt.Errorf("%s is no exported log: %w", name, err)
				}
			}
			report, err := audit.CheckLog(t, files...)
			if err != nil {
				return err
			}
			tellLog(command.OutOrStdout(), report)
			if report.Missing > 0 && !part {
				return errIncomplete
			}
			return nil
		},
	}
	trust.flags(command, options)
	command.Flags().BoolVar(&part, "part", false, "the files need not have the whole log")
	return command
}

func tellLog(out io.Writer, r audit.LogReport) {
	fmt.Fprintf(out, "Subject     %s\nStated      %d entries, at %s\nSigned by   peers of %s\n", plain(r.Subject), r.Count, r.At.Format(time.RFC3339), strings.Join(r.Organisations, ", "))
	if r.Sealed+r.Opened > 0 {
		fmt.Fprintf(out, "Sealed      %d entries are not open; %d were opened, and are what was sealed\n", r.Sealed, r.Opened)
	}
	for _, number := range r.Overdue {
		fmt.Fprintf(out, "Overdue     entry %d should have been opened, and was not\n", number)
	}
	if r.Missing == 0 {
		fmt.Fprintf(out, "Proved      all %d entries: nothing was changed, and nothing is left out\n", r.Proved)
		return
	}
	fmt.Fprintf(out, "Proved      %d entries; number %d is the first that is in no file\n", r.Proved, r.Missing)
}
