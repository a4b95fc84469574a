package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hutong-gov/hutong/network"
)

const (
	defaultLines = 20
	// followInterval is how often followed logs are looked at for more.
	followInterval = 200 * time.Millisecond
)

func logsCommand(options *network.Options) *cobra.Command {
	follow, lines := false, defaultLines
	command := &cobra.Command{
		Use:   "logs [process]",
		Short: "Show the end of one process's log, or of all",
		Long: `Shows the end of a process's log, or of every process's with its name before each
line. ` + "`hutong status`" + ` lists the names.`,
		Example: `  hutong logs
  hutong logs services-peer0 -f
  hutong logs market-gateway -n 100`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			n, err := network.Open(*options)
			if err != nil {
				return err
			}
			logs, err := open(n, args)
			if err != nil {
				return err
			}
			for _, l := range logs {
				defer l.file.Close()
				if err := l.tail(command.OutOrStdout(), lines); err != nil {
					return err
				}
			}
			if !follow {
				return nil
			}
			return followAll(command.Context(), command.OutOrStdout(), logs)
		},
	}
	command.Flags().BoolVarP(&follow, "follow", "f", false, "go on printing what is written")
	command.Flags().IntVarP(&lines, "lines", "n", defaultLines, "how many lines of each log to begin with")
	return command
}

// logFile is a log being read; of a line that is not complete yet, the
// beginning waits in partial.
type logFile struct {
	prefix  string
	file    *os.File
	reader  *bufio.Reader
	partial string
}

// open opens the named process's log, or every log, each line with the name of
// its process before it.
func open(n *network.Network, args []string) ([]*logFile, error) {
	files, err := filepath.Glob(n.Log("*"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = strings.TrimSuffix(filepath.Base(file), ".log")
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no process of %s has a log in %s yet: `hutong up` starts them", n.Topology.Name, n.Options.State)
	}
	if len(args) > 0 {
		if !slices.Contains(names, args[0]) {
			return nil, fmt.Errorf("no process %q has a log: there are %v", args[0], names)
		}
		names = args
	}
	var logs []*logFile
	for _, name := range names {
		file, err := os.Open(n.Log(name))
		if err != nil {
			return nil, err
		}
		l := &logFile{file: file, reader: bufio.NewReader(file)}
		if len(names) > 1 {
			l.prefix = name + ": "
		}
		logs = append(logs, l)
	}
	return logs, nil
}

// tail prints the last lines and leaves the reader at the end.
func (l *logFile) tail(out io.Writer, lines int) error {
	ring := make([]string, 0, lines)
	for {
		line, err := l.line()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if lines <= 0 {
			continue
		}
		if len(ring) == lines {
			ring = ring[1:]
		}
		ring = append(ring, line)
	}
	for _, line := range ring {
		fmt.Fprint(out, l.prefix, line)
	}
	return nil
}

func (l *logFile) line() (string, error) {
	text, err := l.reader.ReadString('\n')
	text = l.partial + text
	if err != nil {
		l.partial = text
		return "", err
	}
	l.partial = ""
	return text, nil
}

func followAll(ctx context.Context, out io.Writer, logs []*logFile) error {
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	for {
		for _, l := range logs {
			for {
				line, err := l.line()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					return err
				}
				fmt.Fprint(out, l.prefix, line)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
