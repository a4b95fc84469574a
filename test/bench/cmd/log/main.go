// Command log makes the access log of one subject, used a hundred thousand times by several agencies, on a network of its
// own, reads it as the citizen does, and has its completeness verified by a process that is given nothing but the exported
// files and the channel's certificates. It prints a line PASS or FAIL for each thing it is held to, and ends with 1 if one does
// not hold.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/bench"
	"github.com/hutong-gov/hutong/test/story"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	uses := flag.Int("uses", 100_000, "uses of the subject's data")
	pages := flag.Int("pages", 200, "pages read of each kind")
	command := flag.String("hutong", "bin/hutong", "`file` of the command that verifies")
	flag.Parse()
	if err := run(ctx, *uses, *pages, *command); err != nil {
		fmt.Fprintln(os.Stderr, "log:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, uses, pages int, command string) (err error) {
	if uses < 2 || pages < 1 {
		return errors.New("-uses must be two or more, -pages positive")
	}
	if command, err = filepath.Abs(command); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "hutong-log-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Println("starting a network of its own …")
	n, err := story.Own(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Down(context.WithoutCancel(ctx), network.Purge)) }()
	if err := n.Up(ctx); err != nil {
		return err
	}
	l, err := bench.Log(ctx, n, bench.LogOptions{Uses: uses, Pages: pages, Folder: dir, Command: command})
	if err != nil {
		return err
	}
	return l.Print(os.Stdout)
}
