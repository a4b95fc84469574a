// Command gateway runs one organisation's gateway: gateway --config FILE.
//
// SIGTERM and SIGINT end it gracefully (see package serve), with exit code 0; a second one ends it at once. Exit code 2 is a
// configuration that cannot be used, 1 any other failure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/hutong-gov/hutong/chaincode/build"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/serve"
)

// Exit codes.
const (
	exitFailed   = 1
	exitUnusable = 2
)

func main() {
	path := flag.String("config", "", "configuration `file` (YAML)")
	check := flag.Bool("check-config", false, "say what is wrong with the configuration, if anything, and end")
	show := flag.Bool("print-config", false, "print the configuration with its defaults, without secrets, and end")
	version := flag.Bool("version", false, "print the version and end")
	flag.Parse()
	if *version {
		fmt.Println("gateway", build.Version())
		return
	}
	c, err := load(*path)
	switch {
	case err != nil:
		end(exitUnusable, err)
	case *check:
	case *show:
		if err := write(os.Stdout, c); err != nil {
			end(exitFailed, err)
		}
	default:
		if err := run(c); err != nil {
			end(exitFailed, err)
		}
	}
}

func end(code int, err error) {
	fmt.Fprintln(os.Stderr, "gateway:", err)
	os.Exit(code)
}

func load(path string) (*config.Config, error) {
	if path == "" {
		return nil, errors.New("--config: name the configuration file")
	}
	return config.Load(path)
}

func write(to io.Writer, c *config.Config) error {
	text, err := c.Shown()
	if err != nil {
		return err
	}
	_, err = to.Write(text)
	return err
}

func run(c *config.Config) error {
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: c.Log.SlogLevel()}))
	slog.SetDefault(log)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // from the first signal on the system's own handling is back: a second one kills
	return serve.Run(ctx, c, log, nil)
}
