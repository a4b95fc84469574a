package story

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/node"
	"github.com/hutong-gov/hutong/network/topology"
	"github.com/hutong-gov/hutong/test/story/search"
)

// Scan is what a search of a whole network found.
type Scan struct {
	Blocks, Logs, Metrics, Files int
	Bytes                        int64
	Found                        []Finding
	Known                        int // of the texts, that the departments' own databases have: what the same search finds where it is
}

// Finding is a place where a text was found. Text is its number in the list that was searched for, never the text.
type Finding struct {
	Where string
	Text  int
}

// In counts the findings of a text in places of a kind: "block", "log", "metrics", "file"; "" is every kind.
func (s Scan) In(kind string, text int) (n int) {
	for _, f := range s.Found {
		if f.Text == text && len(f.Where) >= len(kind) && f.Where[:len(kind)] == kind {
			n++
		}
	}
	return n
}

// maxFile bounds what is read of one file at a time.
const maxFile = 256 << 20

// Where to search.
type Where bool

const (
	BlocksLogsMetrics Where = false
	EveryFile         Where = true // of the network's state besides: ledgers, projections, vaults, keys
)

// ScanNetwork searches for texts in every block of the channel, raw, as the auditor's peer has it; in every log file; in
// the metrics of every gateway, peer and orderer; and, if asked to, in every other file of the network's state. The departments'
// own databases are searched for what they have.
func ScanNetwork(ctx context.Context, n *network.Network, texts []string, where Where) (s Scan, err error) {
	finder := search.New(texts)
	look := func(where string, data []byte) {
		s.Bytes += int64(len(data))
		for _, text := range finder.Find(data) {
			s.Found = append(s.Found, Finding{where, text})
		}
	}
	if s.Blocks, err = EachBlock(ctx, n, func(b *common.Block) error {
		raw, err := proto.Marshal(b)
		look(fmt.Sprintf("block %d", b.GetHeader().GetNumber()), raw)
		return err
	}); err != nil {
		return s, err
	}
	if s.Metrics, err = eachMetrics(ctx, n, look); err != nil {
		return s, err
	}
	if s.Known, err = known(filepath.Join(n.Options.State, departmentsFolder), finder); err != nil {
		return s, err
	}
	return s, s.files(n, where, look)
}

// known counts the texts that the files of a folder have between them.
func known(folder string, finder *search.Finder) (int, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	seen := map[int]bool{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return 0, err
		}
		for _, text := range finder.Find(data) {
			seen[text] = true
		}
	}
	return len(seen), err
}

func (s *Scan) files(n *network.Network, where Where, look func(where string, data []byte)) error {
	logs := filepath.Dir(n.Log("any"))
	root := logs
	if where == EveryFile {
		root = n.Options.State
	}
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if os.IsNotExist(err) {
				return nil // a running node tidies up
			}
			return err
		}
		if entry.IsDir() {
			if path == filepath.Join(n.Options.State, departmentsFolder) {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		info, err := entry.Info()
		if err != nil || info.Size() > maxFile {
			return err
		}
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		kind := "file"
		if filepath.Dir(path) == logs {
			kind = "log"
			s.Logs++
		} else {
			s.Files++
		}
		look(kind+" "+filepath.Base(path), data)
		return nil
	})
}

// EachBlock reads every block there is from the auditor's peer.
func EachBlock(ctx context.Context, n *network.Network, use func(*common.Block) error) (count int, err error) {
	peer, err := DialPeer(n, "audit.office", "auditor")
	if err != nil {
		return 0, err
	}
	defer func() { _ = peer.Close() }()
	raw, err := peer.GetContract("qscc").EvaluateWithContext(ctx, "GetChainInfo", client.WithArguments(n.Topology.Channel))
	if err != nil {
		return 0, err
	}
	var info common.BlockchainInfo
	if err := proto.Unmarshal(raw, &info); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	blocks, err := peer.BlockEvents(ctx, client.WithStartBlock(0))
	if err != nil {
		return 0, err
	}
	for b := range blocks {
		if err := use(b); err != nil {
			return count, err
		}
		if count++; b.GetHeader().GetNumber()+1 == info.GetHeight() {
			return count, nil
		}
	}
	return count, fmt.Errorf("the peer gave %d blocks of %d", count, info.GetHeight())
}

// eachMetrics reads the metrics of every process that has any.
func eachMetrics(ctx context.Context, n *network.Network, look func(where string, data []byte)) (count int, err error) {
	live := NewLive(n)
	for _, org := range n.Topology.Organisations {
		text, err := live.Get(ctx, org.Name, "/metrics")
		if err != nil {
			return count, err
		}
		look("metrics "+org.GatewayProcess(), text)
		count++
		admin := n.Layout.Organisation(org).Admin().TLS()
		ports := map[string]int{}
		for _, p := range n.Topology.PeersOf(org) {
			ports[p.Process] = p.Operations
		}
		for _, o := range n.Topology.OrderersOf(org) {
			ports[o.Process] = o.Operations
		}
		for process, port := range ports {
			text, err := nodeMetrics(ctx, admin, port)
			if err != nil {
				return count, fmt.Errorf("metrics of %s: %w", process, err)
			}
			look("metrics "+process, text)
			count++
		}
	}
	return count, nil
}

// nodeMetrics reads the metrics of a peer or orderer, which are for its administrator.
func nodeMetrics(ctx context.Context, admin material.TLS, port int) ([]byte, error) {
	config, err := node.ClientTLS(admin)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+topology.Address(port)+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	c := http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	response, err := c.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %s", response.Status)
	}
	return io.ReadAll(response.Body)
}
