package network

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/network/channel"
	"github.com/hutong-gov/hutong/network/deploy"
	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/process"
)

// Stage is a step of bringing a network up.
type Stage string

// The stages, in their order.
const (
	// StageBuild makes sure of the binaries of Fabric and Fabric CA.
	StageBuild Stage = "build"
	// StageMaterial makes identities, certificates and configurations, and
	// runs the Fabric CAs that issue them if the manifest asks for those.
	StageMaterial Stage = "material"
	// StageStart runs orderers, peers and chaincode servers.
	StageStart Stage = "start"
	// StageChannel creates the channel and lets every node join.
	StageChannel Stage = "channel"
	// StageDeploy takes the chaincodes through the lifecycle.
	StageDeploy Stage = "deploy"
	// StageGateways runs the identity provider and the gateways.
	StageGateways Stage = "gateways"
	// StageReady probes until every organisation can do its work.
	StageReady Stage = "ready"
)

const manifestMode fs.FileMode = 0o644

type stageFunc func(n *Network, ctx context.Context) (summary string, err error)

var stages = []struct {
	name Stage
	run  stageFunc
}{
	{StageBuild, (*Network).build},
	{StageMaterial, (*Network).material},
	{StageStart, (*Network).start},
	{StageChannel, (*Network).channel},
	{StageDeploy, (*Network).deploy},
	{StageGateways, (*Network).gateways},
	{StageReady, (*Network).ready},
}

// Stages lists the stages in their order.
func Stages() []Stage {
	names := make([]Stage, len(stages))
	for i, s := range stages {
		names[i] = s.name
	}
	return names
}

func (s Stage) known() bool { return slices.Contains(Stages(), s) }

// Up runs the stages in order, as far as Options.Until says.
func (n *Network) Up(ctx context.Context) error {
	return n.locked(func() error {
		for _, s := range stages {
			if err := n.run(ctx, s.name, s.run); err != nil {
				return err
			}
			if s.name == n.Options.Until {
				break
			}
		}
		return nil
	})
}

// Run runs one stage alone.
func (n *Network) Run(ctx context.Context, stage Stage) error {
	for _, s := range stages {
		if s.name == stage {
			return n.locked(func() error { return n.run(ctx, s.name, s.run) })
		}
	}
	return fmt.Errorf("there is no stage %q: the stages are %v", stage, Stages())
}

// locked works as the only launcher, having taken over what one that was
// killed has left unfinished.
func (n *Network) locked(work func() error) error {
	release, err := process.Lock(n.Options.State)
	if err != nil {
		return err
	}
	defer release()
	if _, err := n.table.Adopt(); err != nil {
		return err
	}
	return work()
}

func (n *Network) run(ctx context.Context, stage Stage, do stageFunc) error {
	n.Options.Reporter.Begin(stage)
	began := time.Now()
	summary, err := do(n, ctx)
	if err != nil {
		err = fmt.Errorf("stage %s: %w", stage, err)
	}
	n.Options.Reporter.End(stage, summary, time.Since(began), err)
	return err
}

func (n *Network) material(ctx context.Context) (string, error) {
	if err := n.remember(); err != nil {
		return "", err
	}
	issued, err := n.authorities(ctx)
	if err != nil {
		return "", err
	}
	if err := material.Make(ctx, n.Topology, n.Layout, n.issuer); err != nil {
		return "", err
	}
	if err := n.fabric.Configure(); err != nil {
		return "", err
	}
	agencies := 0
	for _, org := range n.Topology.Organisations {
		agencies += len(org.Agencies)
	}
	return fmt.Sprintf("identities of %s and %s in %s%s",
		count(len(n.Topology.Organisations), "organisation"), count(agencies, "agency"), n.Options.State, issued), nil
}

func (n *Network) save(file string) error {
	text, err := n.Topology.Marshal()
	if err != nil {
		return err
	}
	return material.WriteIfChanged(file, text, manifestMode)
}

// nodes are the processes that stage start runs.
func (n *Network) nodes() ([]process.Spec, error) {
	orderers, err := n.fabric.Orderers()
	if err != nil {
		return nil, err
	}
	peers, err := n.fabric.Peers()
	if err != nil {
		return nil, err
	}
	servers, err := deploy.Servers(n.Topology, n.Layout, n.Options.Bin)
	if err != nil {
		return nil, err
	}
	return slices.Concat(orderers, peers, servers), nil
}

func (n *Network) start(ctx context.Context) (string, error) {
	specs, err := n.nodes()
	if err != nil {
		return "", needs(err, StageMaterial)
	}
	return n.launch(ctx, specs)
}

// launch starts what does not run and waits until all of it is ready.
func (n *Network) launch(ctx context.Context, specs []process.Spec) (string, error) {
	for _, spec := range specs {
		if err := executable(spec.Path); err != nil {
			return "", fmt.Errorf("%s cannot start: %w: Hutong's own binaries are built with `make build`, Fabric's with `hutong %s`",
				spec.Name, err, StageBuild)
		}
	}
	started, err := n.table.Begin(ctx, specs)
	if err != nil {
		return "", err
	}
	if err := n.table.Await(ctx, specs); err != nil {
		return "", err
	}
	switch {
	case len(started) == 0:
		return fmt.Sprintf("%s running already", count(len(specs), "process")), nil
	case len(started) == len(specs):
		return fmt.Sprintf("%s started", count(len(specs), "process")), nil
	default:
		return fmt.Sprintf("%s started (%s), %d running already",
			count(len(started), "process"), strings.Join(started, ", "), len(specs)-len(started)), nil
	}
}

// running makes sure that every node runs, for the stages that would only
// wait in vain for one that does not.
func (n *Network) running() error {
	specs, err := n.nodes()
	if err != nil {
		return needs(err, StageMaterial)
	}
	for _, spec := range specs {
		if r, err := n.table.Record(spec.Name); err != nil || !r.Alive() {
			return fmt.Errorf("%s does not run: run `hutong %s` first", spec.Name, StageStart)
		}
	}
	return nil
}

func (n *Network) channel(ctx context.Context) (string, error) {
	if err := n.running(); err != nil {
		return "", err
	}
	block, err := channel.Block(n.Topology, n.Layout)
	if err != nil {
		return "", needs(err, StageMaterial)
	}
	if err := channel.JoinOrderers(ctx, n.Topology, n.Layout, block); err != nil {
		return "", err
	}
	members, closeAll, err := n.members()
	if err != nil {
		return "", err
	}
	defer closeAll()
	if err := channel.JoinPeers(ctx, n.Topology, members, block); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s and %s on channel %s", count(len(n.Topology.Orderers()), "orderer"),
		count(len(members), "peer"), n.Topology.Channel), nil
}

func (n *Network) deploy(ctx context.Context) (string, error) {
	if err := n.running(); err != nil {
		return "", err
	}
	members, closeAll, err := n.members()
	if err != nil {
		return "", needs(err, StageMaterial)
	}
	defer closeAll()
	did, err := deploy.New(n.Topology, n.Layout, members).Deploy(ctx)
	if err != nil {
		return "", err
	}
	if did == (deploy.Outcome{}) {
		return fmt.Sprintf("%s deployed already", count(len(n.Topology.Chaincodes), "chaincode")), nil
	}
	return fmt.Sprintf("%s: %d installed, %d approved, %d committed", count(len(n.Topology.Chaincodes), "chaincode"),
		did.Installed, did.Approved, did.Committed), nil
}

// needs adds which stage would have made what is missing.
func needs(err error, stage Stage) error {
	return fmt.Errorf("%w (if nothing was made yet, run `hutong %s` first)", err, stage)
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	switch {
	case strings.HasSuffix(noun, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	case strings.HasSuffix(noun, "ss"):
		return fmt.Sprintf("%d %ses", n, noun)
	default:
		return fmt.Sprintf("%d %ss", n, noun)
	}
}
