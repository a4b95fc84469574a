package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/reload"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/audit"
	"github.com/hutong-gov/hutong/network/block"
)

// errUnmatched ends `audit reconcile` with a failing exit code; the table has said which.
var errUnmatched = errors.New("the two sides do not match")

func auditReconcileCommand(options *network.Options) *cobra.Command {
	var of gatewayChoice
	lines, when := false, ""
	command := &cobra.Command{
		Use:   "reconcile",
		Short: "List uses that do not match: without delivery, without receipt, or sealed beyond their date",
		Long: `Reads every block of a gateway's own peer, and nothing else, and lists the uses
that were requested and not delivered by their deliver_until, and those that
were delivered and have no receipt a day later, and sealed uses that were not
opened at their date; before that, what each agency owes which other, as GET
/v1/unmatched-uses sums it up. With --json that is the output, one JSON object a
line. The exit code is 0 only if there are none.`,
		Example: `  hutong audit reconcile --gateway audit`,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			at := time.Now()
			if when != "" {
				var err error
				if at, err = time.Parse(time.RFC3339, when); err != nil {
					return fmt.Errorf("--at %s: name a time like 2026-11-27T09:00:00Z", when)
				}
			}
			usage, tip, err := readUsage(command.Context(), &of)
			if err != nil {
				return err
			}
			debts := usage.Debts(at)
			if lines {
				return writeDebts(command.OutOrStdout(), debts)
			}
			return tellUnmatched(command.OutOrStdout(), debts, usage.Unmatched(at), tip)
		},
	}
	of.flags(command, options)
	command.Flags().BoolVar(&lines, "json", false, "sums alone, one JSON object a line")
	command.Flags().StringVar(&when, "at", "", "`time` at which something is overdue (default: now)")
	return command
}

func writeDebts(out io.Writer, debts []exchange.Debt) error {
	lines := json.NewEncoder(out)
	for _, d := range debts {
		if err := lines.Encode(d); err != nil {
			return err
		}
	}
	if len(debts) > 0 {
		return errUnmatched
	}
	return nil
}

func tellUnmatched(out io.Writer, debts []exchange.Debt, u audit.Unmatched, tip uint64) error {
	fmt.Fprintf(out, "as of block %d: %d requests without delivery, %d deliveries without receipt, %d sealed uses not opened\n", tip, len(u.Undelivered), len(u.Unacknowledged), len(u.Unopened))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, d := range debts {
		fmt.Fprintf(table, "%s\towes %s\t%d × %s\tsince %s\n", plain(d.Agency), plain(d.Other), d.Uses, d.Missing, d.Since.Format(time.RFC3339))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(debts) > 0 {
		fmt.Fprintln(out)
	}
	for _, list := range []struct {
		missing string
		uses    []exchange.Use
	}{{"delivery", u.Undelivered}, {"receipt", u.Unacknowledged}, {"opening", u.Unopened}} {
		for _, use := range list.uses {
			fmt.Fprintf(table, "no %s\t%s\t%s → %s\t%s\trequested %s\n", list.missing, plain(use.ID), plain(use.Provider), plain(use.Consumer), plain(use.Dataset), use.Created.At.Format(time.RFC3339))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(u.Undelivered)+len(u.Unacknowledged)+len(u.Unopened) > 0 {
		return errUnmatched
	}
	return nil
}

func auditStatisticsCommand(options *network.Options) *cobra.Command {
	var of gatewayChoice
	by, published := []string{"what"}, false
	command := &cobra.Command{
		Use:   "statistics",
		Short: "Count how often data was used, from blocks alone",
		Long: `Reads every block of a gateway's own peer and counts what happened to uses, one
JSON object a line: the numbers of GET /v1/audit/statistics/uses, or with
--published those of GET /v1/statistics/uses. Days are Beijing time.`,
		Example: `  hutong audit statistics --gateway audit --by day,dataset,consumer`,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			for _, part := range by {
				if !slices.Contains(exchange.CountParts, part) {
					return fmt.Errorf("--by %s: name any of %s", part, strings.Join(exchange.CountParts, ", "))
				}
			}
			usage, _, err := readUsage(command.Context(), &of)
			if err != nil {
				return err
			}
			lines := json.NewEncoder(command.OutOrStdout())
			for _, c := range usage.Counts(by...) {
				if published {
					c.N = exchange.Rounded(c.N)
				}
				if c.N == 0 {
					continue
				}
				if err := lines.Encode(c); err != nil {
					return err
				}
			}
			return nil
		},
	}
	of.flags(command, options)
	command.Flags().StringSliceVar(&by, "by", by, "`parts` to break the numbers down by: day, dataset, provider, consumer, purpose, what")
	command.Flags().BoolVar(&published, "published", false, "rounded as they are published")
	return command
}

// readUsage reads every block of a gateway's own peer.
func readUsage(ctx context.Context, of *gatewayChoice) (usage *audit.Usage, tip uint64, err error) {
	c, err := of.config()
	if err != nil {
		return nil, 0, err
	}
	source, err := openPeer(c)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	at, err := source.Tip(ctx)
	if err != nil {
		return nil, 0, err
	}
	usage = new(audit.Usage)
	var decoder block.Decoder
	for b, err := range source.Blocks(ctx, 0, at.Number) {
		if err != nil {
			return nil, 0, err
		}
		decoded, err := decoder.Decode(b)
		if err != nil {
			return nil, 0, err
		}
		usage.Add(decoded)
		if decoded.Number == at.Number {
			break
		}
	}
	return usage, at.Number, ctx.Err()
}

// openPeer is the way to a gateway's own peer.
func openPeer(c *config.Config) (*ledger.Ledger, error) {
	registry := prometheus.NewRegistry()
	files, err := reload.NewSet(slog.New(slog.DiscardHandler), registry)
	if err != nil {
		return nil, err
	}
	return ledger.Open(c, follow.NewCommits(), files, registry)
}
