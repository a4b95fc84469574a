// Package channel makes the channel: its first block, the orderers' and then
// the peers' joining of it. Nothing here needs a Fabric tool; the block is
// built in Go and joined through the nodes' own interfaces.
//
// Every step looks first and acts only where something is missing, so the
// package is run at every start of a network.
package channel

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	adminchannel "github.com/hyperledger/fabric-admin-sdk/pkg/channel"
	"github.com/hyperledger/fabric-admin-sdk/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/node"
	"github.com/hutong-gov/hutong/network/topology"
)

const (
	blockMode fs.FileMode = 0o644
	// joinTimeout bounds one node's joining.
	joinTimeout = 30 * time.Second
	// maxAnswer bounds what is read from an orderer's admin listener.
	maxAnswer = 1 << 20
)

// Member is an organisation's side of the work: its administrator and a
// connection to its peer.
type Member struct {
	Peer       topology.Peer
	Connection grpc.ClientConnInterface
	Admin      identity.SigningIdentity
}

// Block is the channel's first block, made if it is not there yet. It must
// stay the same for ever: the channel's identity hangs on its bytes.
func Block(t *topology.Topology, l material.Layout) (*common.Block, error) {
	file := l.GenesisBlock(t)
	text, err := os.ReadFile(file)
	if err == nil {
		block := &common.Block{}
		if err := proto.Unmarshal(text, block); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		return block, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	block, err := Genesis(t, l)
	if err != nil {
		return nil, err
	}
	if text, err = proto.Marshal(block); err != nil {
		return nil, err
	}
	return block, material.Write(file, text, blockMode)
}

// JoinOrderers lets every orderer that is not on the channel join it.
func JoinOrderers(ctx context.Context, t *topology.Topology, l material.Layout, block *common.Block) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, o := range t.Orderers() {
		group.Go(func() error {
			admin, err := NewAdmin(l, o)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, joinTimeout)
			defer cancel()
			if err := admin.join(ctx, t.Channel, block); err != nil {
				return fmt.Errorf("%s joins %s: %w", o.Process, t.Channel, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// JoinPeers lets every peer that is not on the channel join it.
func JoinPeers(ctx context.Context, t *topology.Topology, members []Member, block *common.Block) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, m := range members {
		group.Go(func() error {
			if err := m.join(ctx, t.Channel, block); err != nil {
				return fmt.Errorf("%s joins %s: %w", m.Peer.Process, t.Channel, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (m Member) join(ctx context.Context, channel string, block *common.Block) error {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	joined, err := adminchannel.ListChannelOnPeer(ctx, m.Connection, m.Admin)
	if err != nil {
		return err
	}
	for _, c := range joined {
		if c.GetChannelId() == channel {
			return nil
		}
	}
	return adminchannel.JoinChannel(ctx, m.Connection, m.Admin, block)
}

// Height is how many blocks the member's peer has committed; an error if it
// is not on the channel.
func (m Member) Height(ctx context.Context, channel string) (uint64, error) {
	info, err := adminchannel.GetBlockChainInfo(ctx, m.Connection, m.Admin, channel)
	if err != nil {
		return 0, err
	}
	if info.GetHeight() == 0 {
		return 0, fmt.Errorf("%s is not on channel %s", m.Peer.Process, channel)
	}
	return info.GetHeight(), nil
}

// Admin is an orderer's admin listener, where channels are joined.
type Admin struct {
	address string
	roots   *x509.CertPool
	client  tls.Certificate
	http    *http.Client
}

// Info is what an orderer says about a channel.
type Info struct {
	Height   uint64 `json:"height"`
	Status   string `json:"status"`
	Relation string `json:"consensusRelation"`
}

// NewAdmin opens an orderer's admin listener with its organisation's
// administrator's TLS certificate.
func NewAdmin(l material.Layout, o topology.OrdererNode) (*Admin, error) {
	config, err := node.ClientTLS(l.Organisation(o.Organisation).Admin().TLS())
	if err != nil {
		return nil, err
	}
	return &Admin{
		address: "https://" + topology.Address(o.Admin), roots: config.RootCAs, client: config.Certificates[0],
		http: &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: joinTimeout},
	}, nil
}

// ErrNotJoined means that an orderer is not on a channel.
var ErrNotJoined = errors.New("the orderer is not on the channel")

// Info asks for a channel's state at the orderer.
func (a *Admin) Info(ctx context.Context, channel string) (Info, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.address+"/participation/v1/channels/"+channel, nil)
	if err != nil {
		return Info{}, err
	}
	response, err := a.http.Do(request)
	if err != nil {
		return Info{}, err
	}
	body, err := answer(response)
	if err != nil {
		return Info{}, err
	}
	switch response.StatusCode {
	case http.StatusOK:
		var info Info
		return info, json.Unmarshal(body, &info)
	case http.StatusNotFound:
		return Info{}, ErrNotJoined
	default:
		return Info{}, fmt.Errorf("answered %s: %s", response.Status, body)
	}
}

func (a *Admin) join(ctx context.Context, channel string, block *common.Block) error {
	_, err := a.Info(ctx, channel)
	if !errors.Is(err, ErrNotJoined) {
		return err
	}
	// The library's call knows no context: it is left behind when ours ends.
	done := make(chan error, 1)
	go func() { done <- a.create(block) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *Admin) create(block *common.Block) error {
	response, err := adminchannel.CreateChannel(a.address, block, a.roots, a.client)
	if err != nil {
		return err
	}
	body, err := answer(response)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusCreated {
		return fmt.Errorf("answered %s: %s", response.Status, body)
	}
	return nil
}

func answer(response *http.Response) ([]byte, error) {
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return []byte(strings.TrimSpace(string(body))), err
}
