// Package node turns a topology into Fabric's processes: it renders each
// peer's core.yaml and each orderer's orderer.yaml, and says how each process
// is started and how it is asked whether it is ready.
//
// Nothing here depends on which Fabric binaries are used, beyond what v2.5 and
// v3.1 have in common: orderer.yaml is read strictly, so it holds only what
// both know; core.yaml is not, and holds settings that v2.5 ignores.
package node

import (
	"bytes"
	_ "embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"text/template"

	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/process"
	"github.com/hutong-gov/hutong/network/topology"
)

// Kinds of Fabric process.
const (
	KindOrderer = "orderer"
	KindPeer    = "peer"
)

// Tiers of the start: what is higher needs what is lower.
const (
	TierAuthority = iota
	TierOrderer
	TierPeer
	TierChaincode
	TierIdentityProvider
	TierGateway
)

// Memory that the Go runtime of a node aims to stay under. Idle nodes use a
// fraction of it; under load it keeps the garbage collector from letting the
// heap double for nothing.
const (
	ordererMemory = "256MiB"
	peerMemory    = "512MiB"
)

// loggingSpec leaves out what Fabric logs for every single call: it is a line
// a transaction at each peer, which costs more than it tells.
const loggingSpec = "comm.grpc.server,endorser,gateway,committer.txvalidator,vscc=warning:info"

const configMode fs.FileMode = 0o600

//go:embed core.yaml.tmpl
var coreText string

//go:embed orderer.yaml.tmpl
var ordererText string

//go:embed builder/detect
var detectScript []byte

//go:embed builder/build
var buildScript []byte

//go:embed builder/release
var releaseScript []byte

var (
	coreTemplate    = parse("core.yaml", coreText)
	ordererTemplate = parse("orderer.yaml", ordererText)
)

func parse(name, text string) *template.Template {
	// Paths may hold anything a file name may: they are quoted.
	quote := func(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
	return template.Must(template.New(name).Funcs(template.FuncMap{"q": quote}).Option("missingkey=error").Parse(text))
}

// Fabric is the Fabric nodes of one network.
type Fabric struct {
	Topology *topology.Topology
	Layout   material.Layout
	// State is the network's state folder, Binaries the folder with `peer`
	// and `orderer`.
	State, Binaries string
}

type peerConfig struct {
	topology.Peer
	Network, Endpoint, ChaincodeListener, Operations string
	MSP                                              material.MSP
	TLS                                              material.TLS
	Data, Builder                                    string
}

type ordererConfig struct {
	topology.OrdererNode
	ListenAddress, AdminAddress, OperationsAddress string
	MSP                                            material.MSP
	TLS                                            material.TLS
	Data                                           string
}

// Configure writes every node's configuration and the external builder.
func (f *Fabric) Configure() error {
	for name, script := range map[string][]byte{"detect": detectScript, "build": buildScript, "release": releaseScript} {
		if err := material.WriteIfChanged(filepath.Join(f.builder(), "bin", name), script, 0o700); err != nil {
			return err
		}
	}
	for _, p := range f.Topology.Peers() {
		folder := f.folder(p.Organisation, p.Node)
		config := peerConfig{
			Peer: p, Network: f.Topology.Name, Endpoint: p.Endpoint(),
			ChaincodeListener: topology.Address(p.ChaincodeListenerPort), Operations: topology.Address(p.Operations),
			MSP: folder.MSP(), TLS: folder.TLS(), Data: f.data(p.Process), Builder: f.builder(),
		}
		if err := render(coreTemplate, config, folder.File("core.yaml")); err != nil {
			return err
		}
	}
	for _, o := range f.Topology.Orderers() {
		folder := f.folder(o.Organisation, o.Node)
		config := ordererConfig{
			OrdererNode: o, ListenAddress: topology.Host,
			AdminAddress: topology.Address(o.Admin), OperationsAddress: topology.Address(o.Operations),
			MSP: folder.MSP(), TLS: folder.TLS(), Data: f.data(o.Process),
		}
		if err := render(ordererTemplate, config, folder.File("orderer.yaml")); err != nil {
			return err
		}
	}
	return nil
}

func render(t *template.Template, data any, file string) error {
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		return fmt.Errorf("render %s: %w", file, err)
	}
	return material.WriteIfChanged(file, out.Bytes(), configMode)
}

func (f *Fabric) folder(org topology.Organisation, node string) material.MemberFolder {
	return f.Layout.Organisation(org).Node(node)
}

func (f *Fabric) data(name string) string { return filepath.Join(f.State, "data", name) }

func (f *Fabric) builder() string { return filepath.Join(f.State, "builder") }

// Orderers are the orderer processes.
func (f *Fabric) Orderers() ([]process.Spec, error) {
	nodes := f.Topology.Orderers()
	specs := make([]process.Spec, 0, len(nodes))
	for _, o := range nodes {
		operations, err := NewOperations(f.Layout.Organisation(o.Organisation).Admin().TLS(), o.Operations)
		if err != nil {
			return nil, err
		}
		folder := f.folder(o.Organisation, o.Node)
		specs = append(specs, process.Spec{
			Name: o.Process, Kind: KindOrderer, Tier: TierOrderer,
			Path: filepath.Join(f.Binaries, "orderer"), Dir: folder.Dir(),
			Env: f.environment(folder.Dir(), ordererMemory), Configs: []process.Config{{Path: folder.File("orderer.yaml")}},
			Ports: []process.Port{
				{Number: o.Port, Purpose: "service"}, {Number: o.Admin, Purpose: "administration"}, {Number: o.Operations, Purpose: "operations"},
			},
			Ready: operations.Serving(o.Port, o.Admin),
		})
	}
	return specs, nil
}

// Peers are the peer processes.
func (f *Fabric) Peers() ([]process.Spec, error) {
	nodes := f.Topology.Peers()
	specs := make([]process.Spec, 0, len(nodes))
	for _, p := range nodes {
		operations, err := NewOperations(f.Layout.Organisation(p.Organisation).Admin().TLS(), p.Operations)
		if err != nil {
			return nil, err
		}
		folder := f.folder(p.Organisation, p.Node)
		specs = append(specs, process.Spec{
			Name: p.Process, Kind: KindPeer, Tier: TierPeer,
			Path: filepath.Join(f.Binaries, "peer"), Args: []string{"node", "start"}, Dir: folder.Dir(),
			Env: f.environment(folder.Dir(), peerMemory), Configs: []process.Config{{Path: folder.File("core.yaml")}},
			Ports: []process.Port{
				{Number: p.Port, Purpose: "service"}, {Number: p.ChaincodeListenerPort, Purpose: "chaincode listener"}, {Number: p.Operations, Purpose: "operations"},
			},
			Ready: operations.Serving(p.Port),
		})
	}
	return specs, nil
}

func (f *Fabric) environment(configDir, memory string) []string {
	return append(Environment(memory),
		"FABRIC_CFG_PATH="+configDir,
		"FABRIC_LOGGING_SPEC="+loggingSpec,
		"FABRIC_LOGGING_FORMAT=%{time:2006-01-02 15:04:05.000 MST} [%{module}] %{shortfunc} -> %{level:.4s} %{message}",
	)
}

// processors is how many each process uses at once: half of the machine's.
// A dozen and more processes share them, and much of what a transaction costs
// is one process waking another: with fewer threads that look for work, fewer
// look in vain. On two processors this made plain transactions an eighth
// faster. It also keeps a gateway that refuses thousands a second from taking
// the peers' share: in fourfold overload 94 % of the limit is done, and 77 %
// where gateways may use both processors.
func processors() int { return max(1, runtime.NumCPU()/2) }

// Environment is what every process of a network is given. The launcher's own
// environment is not passed on: a CORE_ or ORDERER_ variable left in somebody's
// shell would silently override a configuration file, and a proxy setting
// could send loopback traffic elsewhere.
func Environment(memory string) []string {
	env := []string{"GOMEMLIMIT=" + memory, "GOMAXPROCS=" + strconv.Itoa(processors())}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
