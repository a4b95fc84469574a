// Command devidp runs the development identity provider (package devidp).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/hutong-gov/hutong/chaincode/build"
	"github.com/hutong-gov/hutong/gateway/devidp"
)

func main() {
	path := flag.String("config", "", "configuration `file` (YAML)")
	version := flag.Bool("version", false, "print the version and end")
	flag.Parse()
	if *version {
		fmt.Println("devidp", build.Version())
		return
	}
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	if err := run(*path); err != nil {
		fmt.Fprintln(os.Stderr, "devidp:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	if path == "" {
		return errors.New("--config: name the configuration file")
	}
	config, err := devidp.LoadConfig(path)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	return devidp.Run(ctx, config)
}
