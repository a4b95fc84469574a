package network

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	gatewaypb "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/status"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/network/channel"
	"github.com/hutong-gov/hutong/network/node"
	"github.com/hutong-gov/hutong/network/process"
	"github.com/hutong-gov/hutong/network/topology"
)

const (
	// readyTimeout is how long a network may take to settle once everything
	// runs: gossip and a Raft election, at the worst after a crash.
	readyTimeout = 90 * time.Second
	// readyInterval paces the probes.
	readyInterval = 200 * time.Millisecond
	// readyCall bounds one probe.
	readyCall = 10 * time.Second
)

// probeArgument is what the probe function is called with.
const probeArgument = "{}"

// chaincodeAnswered begins a peer's message when the chaincode itself, and
// not the way to it, refused.
const chaincodeAnswered = "chaincode response "

// leaderMetric is 1 at the orderer that leads a channel's Raft cluster.
const leaderMetric = "consensus_etcdraft_is_leader"

// ready probes until the orderers have a leader, every node has every block,
// every organisation's peer can collect endorsements of every organisation for
// every chaincode, and every gateway says that it is ready.
func (n *Network) ready(ctx context.Context) (string, error) {
	if err := n.running(); err != nil {
		return "", err
	}
	members, closeAll, err := n.members()
	if err != nil {
		return "", needs(err, StageMaterial)
	}
	defer closeAll()
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := persist(ctx, n.led); err != nil {
		return "", err
	}
	height, err := n.ordered(ctx)
	if err != nil {
		return "", err
	}
	group, probing := errgroup.WithContext(ctx)
	for _, o := range n.Topology.Orderers() {
		group.Go(func() error {
			return persist(probing, func(ctx context.Context) error { return n.followed(ctx, o, height) })
		})
	}
	for _, m := range members {
		group.Go(func() error {
			return persist(probing, func(ctx context.Context) error { return n.caughtUp(ctx, m, height) })
		})
		for _, cc := range n.Topology.Chaincodes {
			group.Go(func() error {
				return persist(probing, func(ctx context.Context) error { return n.endorsed(ctx, m, cc) })
			})
		}
	}
	group.Go(func() error { return n.gatewaysReady(probing) })
	if err := group.Wait(); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s of %s endorsed at %s, height %d", count(len(n.Topology.Chaincodes), "chaincode"),
		count(len(n.Topology.Organisations), "organisation"), count(len(members), "peer"), height), nil
}

// persist probes until it succeeds or time is up, and then tells what failed
// last.
func persist(ctx context.Context, probe func(context.Context) error) error {
	var last error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		attempt, cancel := context.WithTimeout(ctx, readyCall)
		defer cancel()
		err := probe(attempt)
		if err != nil && ctx.Err() == nil {
			last = err
		}
		return struct{}{}, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(readyInterval)))
	if err != nil && last != nil {
		return fmt.Errorf("not ready: %w", last)
	}
	return err
}

// led is nil when one orderer leads the channel.
func (n *Network) led(ctx context.Context) error {
	_, err := n.Leader(ctx)
	return err
}

// Leader is the process that leads the channel's Raft cluster now.
func (n *Network) Leader(ctx context.Context) (string, error) {
	var problems []error
	for _, o := range n.Topology.Orderers() {
		operations, err := node.NewOperations(n.Layout.Organisation(o.Organisation).Admin().TLS(), o.Operations)
		if err != nil {
			return "", err
		}
		leads, err := operations.Metric(ctx, leaderMetric, n.Topology.Channel)
		if err == nil && leads == 1 {
			return o.Process, nil
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", o.Process, err))
		}
	}
	return "", errors.Join(append(problems, fmt.Errorf("no orderer leads channel %s", n.Topology.Channel))...)
}

// ordered is the height of the channel at the orderer that is furthest.
func (n *Network) ordered(ctx context.Context) (uint64, error) {
	var highest uint64
	for _, o := range n.Topology.Orderers() {
		height, err := n.ordererHeight(ctx, o)
		if err != nil {
			return 0, err
		}
		highest = max(highest, height)
	}
	return highest, nil
}

func (n *Network) ordererHeight(ctx context.Context, o topology.OrdererNode) (uint64, error) {
	admin, err := channel.NewAdmin(n.Layout, o)
	if err != nil {
		return 0, err
	}
	info, err := admin.Info(ctx, n.Topology.Channel)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", o.Process, err)
	}
	return info.Height, nil
}

// followed is nil when an orderer has caught up with the others.
func (n *Network) followed(ctx context.Context, o topology.OrdererNode, height uint64) error {
	have, err := n.ordererHeight(ctx, o)
	if err == nil && have < height {
		err = fmt.Errorf("%s has %d of %d blocks", o.Process, have, height)
	}
	return err
}

func (n *Network) caughtUp(ctx context.Context, m channel.Member, height uint64) error {
	have, err := m.Height(ctx, n.Topology.Channel)
	if err != nil {
		return fmt.Errorf("%s: %w", m.Peer.Process, err)
	}
	if have < height {
		return fmt.Errorf("%s has %d of %d blocks", m.Peer.Process, have, height)
	}
	return nil
}

// endorsed is nil when the member's peer collects an endorsement from every
// organisation for a chaincode. It asks for the chaincode's description, which
// our contracts give to everybody; a chaincode that does not know the function
// says so, which proves as well that it was reached. Nothing is submitted.
func (n *Network) endorsed(ctx context.Context, m channel.Member, cc topology.Chaincode) error {
	gateway, err := n.connect(m)
	if err != nil {
		return err
	}
	defer gateway.Close()
	msps := make([]string, len(n.Topology.Organisations))
	for i, org := range n.Topology.Organisations {
		msps[i] = org.MSP
	}
	proposal, err := gateway.GetNetwork(n.Topology.Channel).GetContract(cc.Name).
		NewProposal(kernel.DescribeFunction, client.WithArguments(probeArgument), client.WithEndorsingOrganizations(msps...))
	if err != nil {
		return err
	}
	_, err = proposal.EndorseWithContext(ctx)
	if err == nil || answered(err) {
		return nil
	}
	return fmt.Errorf("%s cannot collect endorsements for %s: %w%s", m.Peer.Process, cc.Name, err, details(err))
}

// connect opens the member's peer in the name of one of the organisation's
// agencies, or of its administrator where there is none.
func (n *Network) connect(m channel.Member) (*client.Gateway, error) {
	id := m.Admin
	if org := m.Peer.Organisation; len(org.Agencies) > 0 {
		agency := org.Agencies[0]
		var err error
		if id, err = signer(org.MSP, n.Layout.Organisation(org).Agency(agency, agency.Roles[0])); err != nil {
			return nil, err
		}
	}
	// The identity hashes by itself.
	return client.Connect(id, client.WithSign(id.Sign), client.WithHash(hash.NONE), client.WithClientConnection(m.Connection))
}

// answered says whether every failed endorsement was refused by the chaincode
// itself: then all of them were reached.
func answered(err error) bool {
	found := endorsers(err)
	for _, d := range found {
		if !strings.HasPrefix(d.GetMessage(), chaincodeAnswered) {
			return false
		}
	}
	return len(found) > 0
}

func details(err error) string {
	var text strings.Builder
	for _, d := range endorsers(err) {
		fmt.Fprintf(&text, "; %s: %s", d.GetMspId(), d.GetMessage())
	}
	return text.String()
}

func endorsers(err error) []*gatewaypb.ErrorDetail {
	var carrier interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &carrier) {
		return nil
	}
	var found []*gatewaypb.ErrorDetail
	for _, d := range carrier.GRPCStatus().Details() {
		if detail, ok := d.(*gatewaypb.ErrorDetail); ok {
			found = append(found, detail)
		}
	}
	return found
}

// gatewaysReady waits for the gateways that were started.
func (n *Network) gatewaysReady(ctx context.Context) error {
	specs, err := n.gatewaySpecs()
	if err != nil {
		return err
	}
	var running []process.Spec
	for _, spec := range specs {
		if _, err := n.table.Record(spec.Name); err == nil {
			running = append(running, spec)
		}
	}
	return n.table.Await(ctx, running)
}
