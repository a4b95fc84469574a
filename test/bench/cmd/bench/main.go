// Command bench measures ways into one network against each other and prints a table, a JSON file and a line
// `ratio NAME VALUE` for each comparison:
//
//	direct       fabric-gateway client, bare chaincode, one small create a transaction: the yardstick
//	direct-batch the same client and chaincode, 128 such creates a transaction: what no gateway can be faster than
//	create       fabric-gateway client, a plain create of our chaincode (type:Publish), one a transaction
//	rest-create  the same create through REST: POST /v1/certificate-types
//	issue        fabric-gateway client, certificate:Issue, which also judges the issuer's accreditation
//	rest-issue   the same through REST: POST /v1/certificates; there, group commit decides how many travel together
//
// and ways to read, of one certificate by its id and of a page of twenty:
//
//	evaluate, evaluate-list   fabric-gateway client, certificate:Get and certificate:List on the peer
//	rest-read, rest-list      through REST, from the gateway's own tables; the list with a filter, which a peer does not offer
//
// All enter through the same organisation's peer, writes under the same endorsement policy, and wait for the commit. They run in
// turn, each for the same time, round after round; a ratio is taken inside a round and the median reported.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/bench"
)

// settings are the command's flags.
type settings struct {
	state, out string
	basePort   int
	clients    []int
	targets    []string
	duration   time.Duration
	rounds     int
	keep       bool
}

func main() {
	var s settings
	var clients, targets string
	bench.Main("bench", os.Args[1:], func(flags *flag.FlagSet) {
		flags.StringVar(&s.state, "state", "", "state folder of the network the measurement makes (default: a temporary one)")
		flags.StringVar(&s.out, "out", filepath.Join("test", "bench", "results", "bench.json"), "file for the JSON report")
		flags.IntVar(&s.basePort, "base-port", 27000, "first port of the network the measurement makes")
		flags.StringVar(&clients, "clients", "1,32,128,256", "numbers of concurrent clients")
		flags.StringVar(&targets, "targets", strings.Join(bench.AllTargets, ","), "which targets to measure")
		flags.DurationVar(&s.duration, "duration", 10*time.Second, "how long each run lasts")
		flags.IntVar(&s.rounds, "rounds", 3, "how often each run is repeated")
		flags.BoolVar(&s.keep, "keep", false, "leave the network running")
	}, func(ctx context.Context) error {
		if err := s.list(clients, targets); err != nil {
			return err
		}
		return run(ctx, s)
	})
}

// list reads the flags that are lists, and checks the numbers.
func (s *settings) list(clients, targets string) error {
	for _, text := range strings.Split(clients, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 4096 {
			return fmt.Errorf("--clients: %q is not a number between 1 and 4096", text)
		}
		s.clients = append(s.clients, n)
	}
	for _, name := range strings.Split(targets, ",") {
		if !slices.Contains(bench.AllTargets, name) {
			return fmt.Errorf("--targets: %q is not one of %s", name, strings.Join(bench.AllTargets, ", "))
		}
		s.targets = append(s.targets, name)
	}
	if s.rounds < 1 || s.duration <= 0 {
		return errors.New("--rounds and --duration must be positive")
	}
	return nil
}

func run(ctx context.Context, s settings) (err error) {
	temporary := s.state == ""
	if temporary {
		if s.state, err = os.MkdirTemp("", "hutong-bench-*"); err != nil {
			return err
		}
	}
	fmt.Println("starting a network with the bare chaincode beside ours …")
	options := network.Options{State: s.state, BasePort: s.basePort}
	if !slices.ContainsFunc(s.targets, bench.OverREST) {
		options.Until = network.StageDeploy
	}
	world, err := bench.Start(ctx, options)
	if world != nil && !s.keep {
		defer func() { err = errors.Join(err, world.Stop(context.WithoutCancel(ctx), temporary)) }()
	}
	if err != nil {
		return err
	}
	targets, err := world.Targets(ctx, s.targets)
	if err != nil {
		return err
	}
	report := bench.Report{
		Started: time.Now().UTC().Truncate(time.Second), Fabric: world.FabricVersion(),
		Machine: fmt.Sprintf("%d processors, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version()),
	}
	for _, clients := range s.clients {
		for _, t := range targets { // connections, caches, sessions
			bench.Run(ctx, t, clients, time.Second)
		}
		for round := range s.rounds {
			for i := range targets {
				t := targets[(i+round)%len(targets)] // no target is always the first
				sample, err := world.Measure(ctx, t, clients, s.duration)
				if err != nil {
					return err
				}
				sample.Round = round
				report.Samples = append(report.Samples, sample)
				fmt.Printf("%4d clients  round %d  %-10s %8.1f ops/s  p50 %s\n", clients, round+1, t.Name, sample.Rate(), sample.P50.Round(time.Millisecond/10))
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
		}
	}
	for _, clients := range s.clients {
		suffix := ""
		if clients != bench.HeadlineClients {
			suffix = fmt.Sprintf("_at_%d", clients)
		}
		for _, c := range []struct{ name, target string }{
			{"chaincode_vs_direct", bench.Create}, {"rest_vs_direct", bench.RESTCreate},
			{"issue_vs_direct", bench.Issue}, {"batch_vs_direct", bench.BareBatch},
		} {
			report.Compare(c.name+suffix, fmt.Sprintf("throughput at %d clients", clients), c.target, bench.Bare, clients, bench.RateRatio)
		}
		for _, c := range []struct{ name, single string }{
			{"group_commit_vs_direct", bench.Bare}, {"group_commit_vs_issue", bench.Issue},
		} {
			report.Compare(c.name+suffix, fmt.Sprintf("certificates issued a second through REST at %d clients, to one create a transaction", clients), bench.RESTIssue, c.single, clients, bench.RateRatio)
			report.Compare(c.name+"_p95"+suffix, fmt.Sprintf("95th percentile of the time at %d clients; 1 or less is no worse", clients), bench.RESTIssue, c.single, clients, bench.P95Ratio)
		}
		for _, c := range []struct{ name, rest, peer string }{
			{"read_vs_evaluate", bench.RESTRead, bench.Evaluate}, {"list_vs_evaluate", bench.RESTList, bench.EvaluateList},
		} {
			report.Compare(c.name+suffix, fmt.Sprintf("queries a second at %d clients", clients), c.rest, c.peer, clients, bench.RateRatio)
			report.Compare(c.name+"_p95"+suffix, fmt.Sprintf("95th percentile of the time at %d clients; 1 or less is no worse", clients), c.rest, c.peer, clients, bench.P95Ratio)
		}
	}
	report.Compare("rest_added_p50_ms", "median at one client, REST less direct, in milliseconds", bench.RESTCreate, bench.Bare, 1, bench.AddedP50)
	report.Compare("rest_issue_added_p50_ms", "median at one client, REST less direct, in milliseconds", bench.RESTIssue, bench.Bare, 1, bench.AddedP50)
	fmt.Println()
	if err := report.Print(os.Stdout); err != nil {
		return err
	}
	if err := report.Save(s.out); err != nil {
		return err
	}
	fmt.Printf("\nfull report: %s\n", s.out)
	return nil
}
