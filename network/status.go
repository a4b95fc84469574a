package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/hutong-gov/hutong/network/node"
	"github.com/hutong-gov/hutong/network/process"
	"github.com/hutong-gov/hutong/network/topology"
)

// statusTimeout bounds what is asked of one process.
const statusTimeout = 3 * time.Second

// Status is what a network looks like at a moment.
type Status struct {
	Network   string          `json:"network"`
	State     string          `json:"state"`
	Channel   string          `json:"channel"`
	At        time.Time       `json:"at"`
	Processes []ProcessStatus `json:"processes"`
	// MemoryBytes is the resident memory of all processes together.
	MemoryBytes int64 `json:"memory_bytes"`
	// HeightsAgree says whether every node that answered has the same blocks.
	HeightsAgree bool `json:"heights_agree"`
	// Up says whether every process runs and is ready.
	Up bool `json:"up"`
}

// ProcessStatus is what one process looks like.
type ProcessStatus struct {
	Name          string         `json:"name"`
	Kind          string         `json:"kind"`
	State         State          `json:"state"`
	PID           int            `json:"pid,omitempty"`
	Ports         []process.Port `json:"ports"`
	Version       string         `json:"version,omitempty"`
	UptimeSeconds int64          `json:"uptime_seconds,omitempty"`
	MemoryBytes   int64          `json:"memory_bytes,omitempty"`
	// Height is the channel's height at an orderer or peer.
	Height uint64 `json:"height,omitempty"`
	// Problem says why the process is not ready.
	Problem string `json:"problem,omitempty"`
}

// State of a process in a Status.
type State string

// The states.
const (
	// Ready: runs and does its work.
	Ready State = "ready"
	// Running, but its probe fails.
	Running State = "running"
	// Dead: was started, and ended without being asked to.
	Dead State = "dead"
	// Absent: not started, or stopped.
	Absent State = "absent"
)

// Status looks at every process the manifest calls for. It takes no lock and
// changes nothing.
func (n *Network) Status(ctx context.Context) (Status, error) {
	s := Status{Network: n.Topology.Name, State: n.Options.State, Channel: n.Topology.Channel, At: time.Now().UTC()}
	specs, err := n.specs()
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("there is no network in %s yet: `hutong up` makes it", n.Options.State)
	}
	if err != nil {
		return s, err
	}
	heights, closeAll, err := n.heights()
	if err != nil {
		return s, err
	}
	defer closeAll()
	s.Processes = make([]ProcessStatus, len(specs))
	var group sync.WaitGroup
	for i, spec := range specs {
		group.Go(func() { s.Processes[i] = n.look(ctx, spec, heights[spec.Name]) })
	}
	group.Wait()
	s.summarise()
	return s, nil
}

func (s *Status) summarise() {
	s.Up, s.HeightsAgree = true, true
	var height uint64
	for _, p := range s.Processes {
		s.MemoryBytes += p.MemoryBytes
		s.Up = s.Up && p.State == Ready
		if p.Height == 0 {
			continue
		}
		if height == 0 {
			height = p.Height
		}
		s.HeightsAgree = s.HeightsAgree && p.Height == height
	}
	// Nobody's height is no agreement.
	s.HeightsAgree = s.HeightsAgree && height > 0
}

// specs are all processes the manifest calls for.
func (n *Network) specs() ([]process.Spec, error) {
	specs, err := n.authoritySpecs()
	if err != nil {
		return nil, err
	}
	nodes, err := n.nodes()
	if err != nil {
		return nil, err
	}
	gateways, err := n.gatewaySpecs()
	if err != nil {
		return nil, err
	}
	return slices.Concat(specs, nodes, gateways), nil
}

type heightFunc func(context.Context) (uint64, error)

// heights says how each node is asked for its height.
func (n *Network) heights() (map[string]heightFunc, func(), error) {
	members, closeAll, err := n.members()
	if err != nil {
		return nil, nil, err
	}
	ask := map[string]heightFunc{}
	for _, m := range members {
		ask[m.Peer.Process] = func(ctx context.Context) (uint64, error) { return m.Height(ctx, n.Topology.Channel) }
	}
	for _, o := range n.Topology.Orderers() {
		ask[o.Process] = func(ctx context.Context) (uint64, error) { return n.ordererHeight(ctx, o) }
	}
	return ask, closeAll, nil
}

func (n *Network) look(ctx context.Context, spec process.Spec, height heightFunc) ProcessStatus {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	p := ProcessStatus{Name: spec.Name, Kind: spec.Kind, Ports: spec.Ports, State: Absent}
	r, err := n.table.Record(spec.Name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			p.Problem = err.Error()
		}
		return p
	}
	p.Version = r.Version
	if !r.Alive() {
		p.State, p.Problem = Dead, fmt.Sprintf("pid %d has ended: see %s", r.PID, n.table.Log(spec.Name))
		return p
	}
	p.PID, p.State, p.UptimeSeconds = r.PID, Running, int64(time.Since(r.Started).Seconds())
	// Gone since it was looked at is a zero here, and shows at the probe.
	p.MemoryBytes, _ = process.Memory(r.PID)
	if err := spec.Probe(ctx); err != nil {
		p.Problem = err.Error()
		return p
	}
	if height != nil {
		if p.Height, err = height(ctx); err != nil {
			p.Problem = err.Error()
			return p
		}
	}
	if version, err := n.version(ctx, spec.Name); err == nil && version != "" {
		p.Version = version
	}
	p.State = Ready
	return p
}

// version asks a node or authority for the release its binary states.
func (n *Network) version(ctx context.Context, name string) (string, error) {
	ask := func(org topology.Organisation, port int) (string, error) {
		operations, err := node.NewOperations(n.Layout.Organisation(org).Admin().TLS(), port)
		if err != nil {
			return "", err
		}
		return operations.Version(ctx)
	}
	for _, p := range n.Topology.Peers() {
		if p.Process == name {
			return ask(p.Organisation, p.Operations)
		}
	}
	for _, o := range n.Topology.Orderers() {
		if o.Process == name {
			return ask(o.Organisation, o.Operations)
		}
	}
	if ca := n.authorityOf(name); ca != nil {
		return ca.Version(ctx)
	}
	return "", nil
}
