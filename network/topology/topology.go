// Package topology is the manifest of a network: which organisations, nodes,
// agencies, chaincodes and policies there are. A Topology is plain data. All
// that can be derived from it (ports, names, endpoints) is derived here and
// nowhere else, so two packages cannot disagree about where a peer listens.
//
// Invariants of a Topology returned by Parse: every name is unique and fit for
// a host name, every port lies inside the network's own span, and every
// organisation named by an endorsement policy exists and endorses.
package topology

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/goccy/go-yaml"
)

// How the identities of a network are made.
const (
	// IdentitiesLocal keeps each organisation's certificate authority in its
	// folder: quickest, meant for development and tests.
	IdentitiesLocal = "local"
	// IdentitiesFabricCA registers and enrols at each organisation's Fabric CA.
	IdentitiesFabricCA = "fabric-ca"
)

// Roles that a certificate can carry. They are the values of the certificate
// attribute "role"; what each may do is decided by the chaincodes.
const (
	RoleAgency  = "agency"
	RoleAdmin   = "admin"
	RolePortal  = "portal"
	RoleAuditor = "auditor"
)

// DefaultBinary serves a chaincode that does not name a server binary.
const DefaultBinary = "chaincode"

// DefaultVersion is the version of a chaincode that does not state one.
const DefaultVersion = "1"

// Topology is one network.
type Topology struct {
	Name          string         `yaml:"name"`
	BasePort      int            `yaml:"base_port"`
	Channel       string         `yaml:"channel"`
	Identities    string         `yaml:"identities"`
	Orderer       Orderer        `yaml:"orderer"`
	Organisations []Organisation `yaml:"organisations"`
	Chaincodes    []Chaincode    `yaml:"chaincodes"`
	Gateways      bool           `yaml:"gateways"`
	DevIDP        bool           `yaml:"devidp"`
}

// Orderer is how blocks are cut and how the Raft cluster keeps time.
type Orderer struct {
	BatchTimeout   Duration `yaml:"batch_timeout"`
	MaxMessages    uint32   `yaml:"max_messages"`
	PreferredBytes uint32   `yaml:"preferred_bytes"`
	AbsoluteBytes  uint32   `yaml:"absolute_bytes"`
	Tick           Duration `yaml:"tick"`
	ElectionTicks  uint32   `yaml:"election_ticks"`
}

// Organisation is a member of the channel: one MSP, its nodes, its agencies.
type Organisation struct {
	Name     string   `yaml:"name"`
	MSP      string   `yaml:"msp"`
	Domain   string   `yaml:"domain"`
	Peers    int      `yaml:"peers"`
	Orderers int      `yaml:"orderers"`
	Endorses bool     `yaml:"endorses"`
	Agencies []Agency `yaml:"agencies"`

	// Index is the organisation's position in the manifest, from which its
	// ports follow. Set by Parse.
	Index int `yaml:"-"`
}

// Agency is a department inside an organisation, and the roles for which it
// holds an identity.
type Agency struct {
	Code  string   `yaml:"code"`
	Roles []string `yaml:"roles"`
}

// Chaincode is a chaincode definition on the channel and the server binary
// that each organisation runs for it.
type Chaincode struct {
	Name    string   `yaml:"name"`
	Version string   `yaml:"version,omitempty"`
	Policy  string   `yaml:"policy"`
	Binary  string   `yaml:"binary,omitempty"`
	Inboxes *Inboxes `yaml:"inboxes,omitempty"`
}

// Inboxes gives every organisation that endorses two private data collections
// that its peers alone keep: inbox_{MSP}, for payloads that wait for it, and
// sealed_{MSP}, for the details of its sealed uses. Anyone may put something in.
type Inboxes struct {
	// BlockToLive is how many blocks a payload is kept before every peer removes
	// it, 0 for ever. Details are kept until they are opened.
	BlockToLive uint64 `yaml:"block_to_live"`
}

// Duration is a time.Duration written as "200ms" in YAML.
type Duration time.Duration

// UnmarshalYAML reads the form of time.ParseDuration.
func (d *Duration) UnmarshalYAML(text []byte) error {
	var s string
	if err := yaml.Unmarshal(text, &s); err != nil {
		return err
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 200ms", s)
	}
	*d = Duration(v)
	return nil
}

// MarshalYAML writes the form that UnmarshalYAML reads.
func (d Duration) MarshalYAML() (any, error) { return time.Duration(d).String(), nil }

// Parse reads a manifest: unknown fields are refused, defaults filled in, and
// every rule checked.
func Parse(text []byte) (*Topology, error) {
	var t Topology
	dec := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err := dec.Decode(&t); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("topology: the manifest is empty")
		}
		return nil, fmt.Errorf("topology: %w", err)
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("topology: the manifest holds more than one document")
	}
	t.fill()
	if err := t.Validate(); err != nil {
		return nil, err
	}
	return &t, nil
}

// Load reads the manifest in a file.
func Load(path string) (*Topology, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("topology: %w", err)
	}
	t, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Marshal writes a manifest that Parse reads back to the same Topology.
func (t *Topology) Marshal() ([]byte, error) { return yaml.Marshal(t) }

// fill sets what the manifest may leave out.
func (t *Topology) fill() {
	if t.Identities == "" {
		t.Identities = IdentitiesLocal
	}
	for i := range t.Organisations {
		t.Organisations[i].Index = i
	}
	for i := range t.Chaincodes {
		c := &t.Chaincodes[i]
		if c.Binary == "" {
			c.Binary = DefaultBinary
		}
		if c.Version == "" {
			c.Version = DefaultVersion
		}
	}
}
