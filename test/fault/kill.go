package fault

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/hutong-gov/hutong/gateway/pause"
	"github.com/hutong-gov/hutong/network"
)

// Kinds of process that are killed.
const (
	Gateway   = "gateway"
	Peer      = "peer"
	Orderer   = "orderer leader"
	Chaincode = "chaincode"
)

// Kinds in the order in which they are killed and listed.
var Kinds = []string{Gateway, Peer, Orderer, Chaincode}

// How a kill goes.
const (
	downTime     = 1 * time.Second // until the launcher is asked to start what is dead
	between      = 40              // acknowledgements after a recovery before the next kill
	goneInterval = time.Millisecond
	goneTimeout  = 5 * time.Second
)

// victim is the process to kill the n-th time: of the organisations in turn, and of the orderers the one that leads.
func victim(ctx context.Context, n *network.Network, kind string, nth int) (string, error) {
	turn := func(names ...string) string { return names[nth%len(names)] }
	switch kind {
	case Gateway:
		return turn("market-gateway", "planning-gateway"), nil
	case Peer:
		return turn("market-peer0", "services-peer0", "planning-peer0"), nil
	case Chaincode:
		return turn("market-chaincode", "services-chaincode", "planning-chaincode"), nil
	case Orderer:
		return n.Leader(ctx)
	}
	return "", fmt.Errorf("there is no kind %q; the kinds are %v", kind, Kinds)
}

// Kill kills a process of the network with SIGKILL and waits until it is gone. Only what the launcher started is hit.
func Kill(ctx context.Context, n *network.Network, name string) error {
	records, err := n.Records()
	if err != nil {
		return err
	}
	for _, r := range records {
		if r.Name != name || !r.Alive() {
			continue
		}
		if err := syscall.Kill(r.PID, syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill %s: %w", name, err)
		}
		ctx, cancel := context.WithTimeout(ctx, goneTimeout)
		defer cancel()
		for r.Alive() {
			if !pause.For(ctx, goneInterval) {
				return fmt.Errorf("%s does not go: %w", name, ctx.Err())
			}
		}
		return nil
	}
	return fmt.Errorf("there is no process %s to kill", name)
}

// Strike is what one kill did.
type Strike struct {
	Kind, Process string
	Longest       time.Duration // that a client waited for the acknowledgement of one write
	Failed        int64         // attempts that were not acknowledged
	Healed        time.Duration // from the launcher's start to a network that is ready
}

// strike kills one process under load, lets the launcher start it again, and waits until the clients are going again.
func strike(ctx context.Context, n *network.Network, l *Load, kind string, nth int) (s Strike, err error) {
	if s.Process, err = victim(ctx, n, kind, nth); err != nil {
		return s, err
	}
	s.Kind = kind
	l.Mark()
	failed := l.Failed()
	if err := Kill(ctx, n, s.Process); err != nil {
		return s, err
	}
	if !pause.For(ctx, downTime) {
		return s, ctx.Err()
	}
	began := time.Now()
	if err := n.Up(ctx); err != nil {
		return s, fmt.Errorf("start %s again: %w", s.Process, err)
	}
	s.Healed = time.Since(began)
	for enough := l.Acknowledged() + between; l.Acknowledged() < enough; {
		if !pause.For(ctx, retryPause) {
			return s, errors.New("the clients do not get going again")
		}
	}
	s.Longest, s.Failed = l.Mark(), l.Failed()-failed
	return s, nil
}
