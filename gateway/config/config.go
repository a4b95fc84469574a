// Package config is a gateway's configuration: one YAML file, decoded strictly into one struct. A gateway serves one
// organisation, so the file names only that organisation's keys; what it knows of others is public.
//
// Paths in the file may be relative; they are taken relative to the file's folder, so that a state folder can be moved.
//
// Invariant: a Config returned by Load or Parse is complete. Every required field is set, every default filled in, and
// every agency named belongs to the organisation served.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/gateway/database"
)

// Config is the whole file.
type Config struct {
	Organisation     string `yaml:"organisation"`                // short name, e.g. "services"
	MSP              string `yaml:"msp_id"`                      // e.g. "ServicesMSP"
	Listen           string `yaml:"listen"`                      // host:port of the HTTPS listener
	PublicURL        string `yaml:"public_url"`                  // how others reach it
	OperationsListen string `yaml:"operations_listen,omitempty"` // host:port of a second HTTPS listener with /metrics, /healthz and /readyz only
	TLS              TLS    `yaml:"tls"`                         // of both listeners

	Channel       string      `yaml:"channel"`             // Fabric channel
	Peers         []Peer      `yaml:"peers"`               // the organisation's own; the first that is healthy is used
	EndorsingMSPs []string    `yaml:"endorsing_msps"`      // who may endorse writes
	AllMSPs       []string    `yaml:"all_msps"`            // the channel's members
	Directory     []Neighbour `yaml:"directory,omitempty"` // other organisations' gateways, for sealed payloads

	Identities   []Identity    `yaml:"identities"`              // with which the gateway signs
	ExchangeKeys []ExchangeKey `yaml:"exchange_keys,omitempty"` // with which it opens what is sealed to its agencies
	PseudonymKey string        `yaml:"pseudonym_key,omitempty"` // file, 32 bytes in hexadecimal; only where citizens are served

	DataDir          string `yaml:"data_dir"`                    // folder of the SQLite files: projection and vault
	Database         string `yaml:"database,omitempty"`          // postgres://user@host:port/database that several gateways share, instead of SQLite files
	DatabasePassword string `yaml:"database_password,omitempty"` // file with its password, and nothing else

	OIDC        OIDC   `yaml:"oidc"`
	FurtherOIDC []OIDC `yaml:"further_oidc,omitempty"` // further providers, such as one for staff beside that for citizens
	Connectors  string `yaml:"connectors,omitempty"`   // file or folder of connector definitions
	Limits      Limits `yaml:"limits,omitempty"`

	Webhooks Webhooks `yaml:"webhooks,omitempty"`
	Anchors  Anchors  `yaml:"anchors,omitempty"`

	Rates     Rates     `yaml:"rates,omitempty"`
	Log       Log       `yaml:"log,omitempty"`
	Telemetry Telemetry `yaml:"telemetry,omitempty"`
}

// TLS is the listener's certificate and key. Files that are replaced are taken into use within seconds.
type TLS struct {
	Cert string `yaml:"cert"` // PEM file, the chain from the listener's own certificate up
	Key  string `yaml:"key"`  // PEM file

	ClientCA string `yaml:"client_ca,omitempty"` // PEM file; callers are asked for, and may do without, a certificate of these authorities
}

// Peer is how one of the organisation's own peers is reached. Its endpoint names it in metrics and in readiness.
type Peer struct {
	Endpoint   string `yaml:"endpoint"`    // host:port
	TLSRoot    string `yaml:"tls_root"`    // PEM file
	ServerName string `yaml:"server_name"` // expected in the peer's certificate
}

// Neighbour is another organisation's gateway.
type Neighbour struct {
	MSP     string `yaml:"msp_id"`   // of the organisation
	URL     string `yaml:"url"`      // https address
	TLSRoot string `yaml:"tls_root"` // PEM file; empty: the system's roots
}

// Identity is one Fabric identity of this organisation, in an MSP folder (signcerts/, keystore/).
type Identity struct {
	Agency string      `yaml:"agency"`        // full id, e.g. "services.police"
	Role   access.Role `yaml:"role"`          // agency, admin, portal or auditor; what its certificate says
	MSPDir string      `yaml:"msp_dir"`       // folder
	Key    *Key        `yaml:"key,omitempty"` // where the private key is, if not in the folder's keystore/
}

// Key says where a private key is kept.
type Key struct {
	PKCS11 *PKCS11 `yaml:"pkcs11"`
}

// PKCS11 is a private key in a hardware security module. Label or ID, or both, find exactly one EC private key.
type PKCS11 struct {
	Module  string `yaml:"module"`          // the maker's library, a file
	Token   string `yaml:"token"`           // the token's label
	Label   string `yaml:"label,omitempty"` // the key's CKA_LABEL
	ID      string `yaml:"id,omitempty"`    // the key's CKA_ID, hexadecimal
	PINFile string `yaml:"pin_file"`        // file with the user PIN, read at each login
}

// ExchangeKey is the private key to which payloads for an agency are sealed: PKCS#8 PEM, ECDH P-256.
type ExchangeKey struct {
	Agency  string `yaml:"agency"`  // full id
	Private string `yaml:"private"` // PEM file
}

// Load reads a configuration file.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	c, err := Parse(text, folder)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse reads a configuration. Relative paths are taken relative to folder.
func Parse(text []byte, folder string) (*Config, error) {
	var c Config
	dec := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err := dec.Decode(&c); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("config: the file is empty")
		}
		return nil, fmt.Errorf("config: %w", err)
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("config: the file holds more than one document")
	}
	c.resolve(folder)
	c.fill()
	if err := c.Validate(); err != nil {
		return nil, locate(text, err)
	}
	return &c, nil
}

// fill puts defaults in the place of what is not set.
func (c *Config) fill() {
	c.OIDC.Fill()
	for i := range c.FurtherOIDC {
		c.FurtherOIDC[i].fillFurther()
	}
	c.Limits.fill()
	c.Webhooks.fill()
	c.Anchors.fill(c.DataDir)
	c.Rates.fill()
	c.Log.fill()
	c.Telemetry.fill()
}

// Marshal writes a configuration in the form that Parse reads.
func (c *Config) Marshal() ([]byte, error) { return yaml.Marshal(c) }

// resolve makes every path absolute.
func (c *Config) resolve(folder string) {
	paths := []*string{&c.TLS.Cert, &c.TLS.Key, &c.TLS.ClientCA, &c.PseudonymKey, &c.DataDir, &c.DatabasePassword, &c.OIDC.TLSRoot, &c.Connectors, &c.Anchors.Archive, &c.Anchors.Inbox, &c.Webhooks.SigningKey, &c.Webhooks.TLSRoot, &c.Telemetry.TLSRoot}
	for i := range c.Peers {
		paths = append(paths, &c.Peers[i].TLSRoot)
	}
	for i := range c.FurtherOIDC {
		paths = append(paths, &c.FurtherOIDC[i].TLSRoot)
	}
	for i := range c.Directory {
		paths = append(paths, &c.Directory[i].TLSRoot)
	}
	for i := range c.Identities {
		paths = append(paths, &c.Identities[i].MSPDir)
		if k := c.Identities[i].Key; k != nil && k.PKCS11 != nil {
			paths = append(paths, &k.PKCS11.Module, &k.PKCS11.PINFile)
		}
	}
	for i := range c.ExchangeKeys {
		paths = append(paths, &c.ExchangeKeys[i].Private)
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(folder, *p)
		}
	}
}

// Identity finds the identity of an agency in a role. ok is false if this gateway does not hold it.
func (c *Config) Identity(agency string, role access.Role) (id Identity, ok bool) {
	for _, id := range c.Identities {
		if id.Agency == agency && id.Role == role {
			return id, true
		}
	}
	return Identity{}, false
}

// Neighbour finds the gateway of another organisation.
func (c *Config) Neighbour(msp string) (n Neighbour, ok bool) {
	for _, n := range c.Directory {
		if n.MSP == msp {
			return n, true
		}
	}
	return Neighbour{}, false
}

// Serves says whether an agency belongs to the organisation of this gateway.
func (c *Config) Serves(agency string) bool { return access.MSPOf(agency) == c.MSP }

// Kept is where the gateway keeps what it keeps.
func (c *Config) Kept() database.Settings {
	return database.Settings{Folder: c.DataDir, URL: c.Database, PasswordFile: c.DatabasePassword, Organisation: c.Organisation}
}
