package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hutong-gov/hutong/network"
)

// errNotUp ends `status` with a failing exit code; the table has said why.
var errNotUp = errors.New("the network is not up")

func statusCommand(options *network.Options) *cobra.Command {
	asJSON := false
	command := &cobra.Command{
		Use:   "status",
		Short: "Show every process: pid, ports, version, memory, channel height",
		Long: `Shows every process the manifest calls for, and why one is not ready:

  ready     runs and does its work
  running   runs, but does not answer as it should
  dead      was started and has ended without being asked to: ` + "`hutong up`" + ` heals it
  absent    was not started, or was stopped

The exit code is 0 only if all of them are ready and all heights agree.
docs/how-to/run-a-network.md describes what --json prints.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			n, err := network.Open(*options)
			if err != nil {
				return err
			}
			status, err := n.Status(command.Context())
			if err != nil {
				return err
			}
			if err := show(command.OutOrStdout(), status, asJSON); err != nil {
				return err
			}
			if !status.Up || !status.HeightsAgree {
				return errNotUp
			}
			return nil
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON, for programs")
	return command
}

func show(out io.Writer, s network.Status, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(s)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PROCESS\tSTATE\tPID\tPORTS\tVERSION\tUPTIME\tMEMORY\tHEIGHT")
	for _, p := range s.Processes {
		ports := make([]string, len(p.Ports))
		for i, port := range p.Ports {
			ports[i] = strconv.Itoa(port.Number)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, p.State, number(int64(p.PID)), strings.Join(ports, ","),
			orDash(p.Version), uptime(p), megabytes(p.MemoryBytes), number(int64(p.Height)))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, p := range s.Processes {
		if p.Problem != "" {
			fmt.Fprintf(out, "%s: %s\n", p.Name, p.Problem)
		}
	}
	up, agree := "up", "heights agree"
	if !s.Up {
		up = "not up"
	}
	if !s.HeightsAgree {
		agree = "heights differ"
	}
	_, err := fmt.Fprintf(out, "%s (channel %s) is %s; %s; %s in all; state in %s\n", s.Network, s.Channel, up, agree, megabytes(s.MemoryBytes), s.State)
	return err
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func number(n int64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

func uptime(p network.ProcessStatus) string {
	if p.PID == 0 {
		return "-"
	}
	return (time.Duration(p.UptimeSeconds) * time.Second).String()
}

func megabytes(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}
