// Command use measures whole uses over REST, on a network of its own with a department's data in PostgreSQL: the officer's
// request with the citizen's consent, the use on the ledger, 10 kB read, sealed, delivered, opened, acknowledged.
//
// It prints what it found in words, a line `measure NAME VALUE UNIT` for each number, and ends with 1 if a use of one client
// alone takes 1.5 s or more at the median, if fewer than 100 a second are done for as long as it lasts, or if one fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/hutong-gov/hutong/gateway/database/throwaway"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/bench"
)

type settings struct {
	clients  int
	alone    time.Duration
	warm     time.Duration
	duration time.Duration
}

func main() {
	var s settings
	bench.Main("use", os.Args[1:], func(flags *flag.FlagSet) {
		flags.IntVar(&s.clients, "clients", 400, "clients at once, each with a subject, a case and a consent of its own")
		flags.DurationVar(&s.alone, "alone", 15*time.Second, "how long one client is measured")
		flags.DurationVar(&s.warm, "warm", 10*time.Second, "how long all work before they are measured")
		flags.DurationVar(&s.duration, "duration", 60*time.Second, "how long all are measured")
	}, s.run)
}

func (s *settings) run(ctx context.Context) (err error) {
	if s.clients < 1 || s.alone <= 0 || s.warm <= 0 || s.duration <= 0 {
		return errors.New("all numbers must be positive")
	}
	address, password, drop, err := throwaway.PostgreSQL(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	return bench.OnItsOwn(ctx, "use", nil, func(n *network.Network, _ string) error {
		return s.measure(ctx, n, bench.Department{URL: address, PasswordFile: password})
	})
}

func (s *settings) measure(ctx context.Context, n *network.Network, d bench.Department) error {
	uses, err := bench.NewUses(ctx, n, d, s.clients)
	if err != nil {
		return err
	}
	if err := uses.Ready(ctx); err != nil {
		return err
	}
	one, err := uses.Measure(ctx, uses.Target(), 1, s.alone)
	if err != nil {
		return err
	}
	bench.Run(ctx, uses.Target(), s.clients, s.warm)
	many, err := uses.Measure(ctx, uses.Target(), s.clients, s.duration)
	if err != nil {
		return err
	}
	findings := bench.UseFindings(one, many)
	err = bench.PrintFindings(os.Stdout, findings)
	var parts []string
	for component := range many.CPU {
		parts = append(parts, component)
	}
	slices.Sort(parts)
	for _, component := range parts {
		fmt.Printf("  %-12s %5.1f ms of CPU a use\n", component, many.CPU[component]*1000/float64(max(many.Count, 1)))
	}
	fmt.Printf("measure use_p50 %d ms\nmeasure uses_per_second %.1f /s\n", one.P50.Milliseconds(), many.Rate())
	return err
}
