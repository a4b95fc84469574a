package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hyperledger/fabric-admin-sdk/pkg/chaincode"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer/lifecycle"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/network/channel"
	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/topology"
)

const (
	// callTimeout bounds one call to a peer.
	callTimeout = 30 * time.Second
	// settleTimeout is how long peers that have just started may take to know
	// each other and a Raft leader; until then, approvals and commits fail.
	settleTimeout = 60 * time.Second
	// retryInterval paces the attempts until then.
	retryInterval = 200 * time.Millisecond
)

// notApproved is how a peer says that its organisation has not approved a
// sequence; it has no code of its own.
const notApproved = "could not fetch approved chaincode definition"

// Outcome counts what deploying had to do.
type Outcome struct{ Installed, Approved, Committed int }

// Deployer takes the chaincodes of a topology to its channel.
type Deployer struct {
	topology *topology.Topology
	layout   material.Layout
	members  []channel.Member

	installed, approved, committed atomic.Int64
}

// New needs every peer of the network as a member.
func New(t *topology.Topology, l material.Layout, members []channel.Member) *Deployer {
	return &Deployer{topology: t, layout: l, members: members}
}

// Deploy brings the channel to what the manifest says.
func (d *Deployer) Deploy(ctx context.Context) (Outcome, error) {
	if len(d.topology.Chaincodes) == 0 {
		return Outcome{}, nil
	}
	definitions, err := d.committedDefinitions(ctx)
	if err != nil {
		return Outcome{}, fmt.Errorf("deploy: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	for i, cc := range d.topology.Chaincodes {
		group.Go(func() error {
			if err := d.one(ctx, i, definitions[cc.Name]); err != nil {
				return fmt.Errorf("deploy %s: %w", cc.Name, err)
			}
			return nil
		})
	}
	err = group.Wait()
	return Outcome{int(d.installed.Load()), int(d.approved.Load()), int(d.committed.Load())}, err
}

type definition = lifecycle.QueryChaincodeDefinitionsResult_ChaincodeDefinition

func (d *Deployer) committedDefinitions(ctx context.Context) (map[string]*definition, error) {
	m := d.members[0]
	var result *lifecycle.QueryChaincodeDefinitionsResult
	err := settle(ctx, func(ctx context.Context) (err error) {
		result, err = chaincode.NewGateway(m.Connection, m.Admin).QueryCommitted(ctx, d.topology.Channel)
		return err
	})
	if err != nil {
		return nil, err
	}
	byName := map[string]*definition{}
	for _, def := range result.GetChaincodeDefinitions() {
		byName[def.GetName()] = def
	}
	return byName, nil
}

// one deploys one chaincode, given its committed definition or nil.
func (d *Deployer) one(ctx context.Context, index int, committed *definition) error {
	cc := d.topology.Chaincodes[index]
	policy, err := chaincode.NewApplicationPolicy(cc.Policy, "")
	if err != nil {
		return err
	}
	current := matches(committed, cc, policy, d.collections(cc))
	sequence := committed.GetSequence()
	if !current {
		sequence++
	}
	approve, done := errgroup.WithContext(ctx)
	for _, org := range d.topology.Organisations {
		approve.Go(func() error { return d.organisation(done, org, index, sequence, policy) })
	}
	if err := approve.Wait(); err != nil || current {
		return err
	}
	m := d.committer()
	err = settle(ctx, func(ctx context.Context) error {
		return chaincode.NewGateway(m.Connection, m.Admin).Commit(ctx, d.definition(cc, sequence, "", policy))
	})
	if err != nil {
		return fmt.Errorf("commit sequence %d: %w", sequence, err)
	}
	d.committed.Add(1)
	return nil
}

// committer is the member that submits a commit: one whose organisation
// endorses writes, by convention the first.
func (d *Deployer) committer() channel.Member {
	for _, m := range d.members {
		if m.Peer.Organisation.Endorses {
			return m
		}
	}
	return d.members[0]
}

// matches says whether the channel already has what the manifest wants.
func matches(committed *definition, cc topology.Chaincode, policy *peer.ApplicationPolicy, collections *peer.CollectionConfigPackage) bool {
	return committed != nil && committed.GetVersion() == cc.Version && !committed.GetInitRequired() &&
		samePolicy(committed.GetValidationParameter(), policy) && sameCollections(committed.GetCollections(), collections)
}

func samePolicy(parameter []byte, policy *peer.ApplicationPolicy) bool {
	var have peer.ApplicationPolicy
	return proto.Unmarshal(parameter, &have) == nil && proto.Equal(&have, policy)
}

func (d *Deployer) definition(cc topology.Chaincode, sequence int64, packageID string, policy *peer.ApplicationPolicy) *chaincode.Definition {
	return &chaincode.Definition{
		ChannelName: d.topology.Channel, Name: cc.Name, Version: cc.Version, Sequence: sequence,
		PackageID: packageID, ApplicationPolicy: policy, Collections: d.collections(cc),
	}
}

// organisation installs an organisation's package on its peers and approves
// the definition in its name.
func (d *Deployer) organisation(ctx context.Context, org topology.Organisation, index int, sequence int64, policy *peer.ApplicationPolicy) error {
	pkg, err := NewPackage(d.topology, d.layout, org, index)
	if err != nil {
		return err
	}
	var first *channel.Member
	for i, m := range d.members {
		if m.Peer.Organisation.Name != org.Name {
			continue
		}
		if first == nil {
			first = &d.members[i]
		}
		if err := d.install(ctx, m, pkg); err != nil {
			return fmt.Errorf("install on %s: %w", m.Peer.Process, err)
		}
	}
	if first == nil {
		return fmt.Errorf("%s has no peer to install on", org.Name)
	}
	if err := d.approve(ctx, *first, d.definition(d.topology.Chaincodes[index], sequence, pkg.ID, policy)); err != nil {
		return fmt.Errorf("%s approves sequence %d: %w", org.MSP, sequence, err)
	}
	return nil
}

func (d *Deployer) install(ctx context.Context, m channel.Member, pkg Package) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	peer := chaincode.NewPeer(m.Connection, m.Admin)
	installed, err := peer.QueryInstalled(ctx)
	if err != nil {
		return err
	}
	have := slices.ContainsFunc(installed.GetInstalledChaincodes(),
		func(c *lifecycle.QueryInstalledChaincodesResult_InstalledChaincode) bool {
			return c.GetPackageId() == pkg.ID
		})
	if have {
		return nil
	}
	result, err := peer.Install(ctx, bytes.NewReader(pkg.Bytes))
	if err != nil {
		return err
	}
	if result.GetPackageId() != pkg.ID {
		return fmt.Errorf("the peer names the package %s, we computed %s", result.GetPackageId(), pkg.ID)
	}
	d.installed.Add(1)
	return nil
}

func (d *Deployer) approve(ctx context.Context, m channel.Member, def *chaincode.Definition) error {
	gateway := chaincode.NewGateway(m.Connection, m.Admin)
	done := false
	err := settle(ctx, func(ctx context.Context) error {
		approved, err := gateway.QueryApproved(ctx, def.ChannelName, def.Name, def.Sequence)
		if err != nil && !strings.Contains(describe(err), notApproved) {
			return err
		}
		if err == nil && same(approved, def) {
			return nil
		}
		if err := gateway.Approve(ctx, def); err != nil {
			return err
		}
		done = true
		return nil
	})
	if err == nil && done {
		d.approved.Add(1)
	}
	return err
}

func same(approved *lifecycle.QueryApprovedChaincodeDefinitionResult, def *chaincode.Definition) bool {
	return approved.GetVersion() == def.Version && !approved.GetInitRequired() &&
		samePolicy(approved.GetValidationParameter(), def.ApplicationPolicy) && sameCollections(approved.GetCollections(), def.Collections) &&
		approved.GetSource().GetLocalPackage().GetPackageId() == def.PackageID
}

// settle calls until it succeeds or the network has had its time to settle:
// peers that do not know each other yet, approvals that have not reached every
// peer and a Raft cluster without a leader all show as failures that pass.
func settle(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	var last error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		attempt, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		err := call(attempt)
		if err != nil && (ctx.Err() == nil || last == nil) {
			last = err
		}
		return struct{}{}, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(retryInterval)))
	if err == nil {
		return nil
	}
	return errors.New(describe(last))
}

// describe is an error with what each endorser said about it, which the
// gateway service puts beside the message.
func describe(err error) string {
	text := err.Error()
	for _, detail := range status.Convert(unwrap(err)).Details() {
		if m, ok := detail.(interface {
			GetMspId() string
			GetMessage() string
		}); ok {
			text += fmt.Sprintf("; %s: %s", m.GetMspId(), m.GetMessage())
		}
	}
	return text
}

// unwrap finds the error that carries the gRPC status.
func unwrap(err error) error {
	var carrier interface{ GRPCStatus() *status.Status }
	if errors.As(err, &carrier) {
		return carrier.GRPCStatus().Err()
	}
	return err
}
