// Command steady measures the limit of a gateway (certificates issued a second for clients that each wait for their answer)
// and then offers requests at a rate, whatever becomes of those before:
//
//	steady soak       80 % of the limit for five minutes: no error, memory flat, the projection never a second behind
//	steady overload   four times the limit: 80 % of the limit is still done, the rest refused with 503 and Retry-After,
//	                  memory bounded
//
// It prints a line PASS or FAIL with numbers for each of these, and ends with 1 if one does not hold.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/bench"
)

type settings struct {
	mode     string
	clients  int
	limit    float64
	measure  time.Duration
	duration time.Duration
	times    float64
}

func main() {
	s := settings{}
	if len(os.Args) > 1 {
		s.mode = os.Args[1]
	}
	share, length := bench.SoakShare, 5*time.Minute
	if s.mode == "overload" {
		share, length = bench.OverloadTimes, time.Minute
	}
	bench.Main("steady", os.Args[min(2, len(os.Args)):], func(flags *flag.FlagSet) {
		flags.IntVar(&s.clients, "clients", 256, "clients by which the limit is measured")
		flags.Float64Var(&s.limit, "limit", 0, "the limit, certificates a second; measured if 0")
		flags.DurationVar(&s.measure, "measure", 20*time.Second, "how long the limit is measured")
		flags.DurationVar(&s.duration, "duration", length, "how long the load lasts")
		flags.Float64Var(&s.times, "times", share, "what is offered, as a multiple of the limit")
	}, s.run)
}

func (s *settings) run(ctx context.Context) error {
	if s.mode != "soak" && s.mode != "overload" {
		return errors.New("say what to do: soak or overload")
	}
	if s.clients < 1 || s.limit < 0 || s.measure <= 0 || s.duration <= 0 || s.times <= 0 {
		return errors.New("all numbers must be positive")
	}
	return bench.OnItsOwn(ctx, "steady", nil, func(n *network.Network, _ string) error { return s.load(ctx, n) })
}

func (s *settings) load(ctx context.Context, n *network.Network) error {
	world, err := bench.On(ctx, n)
	if err != nil {
		return err
	}
	if s.limit == 0 {
		sample, err := world.Limit(ctx, s.clients, s.measure)
		if err != nil {
			return err
		}
		s.limit = sample.Rate()
		fmt.Printf("the limit: %.1f certificates a second at %d clients (p50 %s, p95 %s, %d errors)\n",
			s.limit, s.clients, sample.P50.Round(time.Millisecond), sample.P95.Round(time.Millisecond), sample.Errors)
	}
	fmt.Printf("offering %.1f a second for %s …\n", s.limit*s.times, s.duration)
	offered, err := world.Offer(ctx, s.limit*s.times, s.duration)
	if err != nil {
		return err
	}
	judge := bench.Soak
	if s.mode == "overload" {
		judge = bench.Overload
	}
	return bench.PrintFindings(os.Stdout, judge(s.limit, offered))
}
