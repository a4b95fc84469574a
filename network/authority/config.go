package authority

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/process"
	"github.com/hutong-gov/hutong/network/topology"
)

// registrarName is who registers identities. No member of an organisation has
// this name: nodes end in a number, agencies' identities in their role.
const registrarName = "registrar"

// What the registrar may do.
const (
	registrarRoles      = "client,peer,orderer,admin"
	registrarAttributes = material.AttributeAgency + "," + material.AttributeRole
)

// What "tlsca" issues: by default certificates of clients, by its other profile
// those of servers. The name is fixed: the server asks for it itself when it
// makes its listener's certificate. A profile of another name would not do,
// since Fabric CA writes attributes into every certificate and allows them in
// profiles that it knows only.
const (
	defaultProfile = ""
	serverProfile  = "tls"
)

// unlimited enrolments: an identity's own limit counts.
const unlimited = -1

// serverConfig is the configuration of the process, with that of its default
// authority. The fields are those of Fabric CA's serverconfig.rst that differ
// from their defaults, and those whose default would be unsafe: without an
// address the server listens on all of the machine's.
type serverConfig struct {
	Address    string    `yaml:"address"`
	Port       int       `yaml:"port"`
	CAFiles    []string  `yaml:"cafiles"`
	TLS        tlsConfig `yaml:"tls"`
	Operations struct {
		ListenAddress string `yaml:"listenaddress"`
	} `yaml:"operations"`
	Metrics struct {
		Provider string `yaml:"provider"`
	} `yaml:"metrics"`
	caConfig `yaml:",inline"`
}

type tlsConfig struct {
	Enabled  bool   `yaml:"enabled"`
	CertFile string `yaml:"certfile"`
}

// caConfig is the configuration of one authority.
type caConfig struct {
	CA struct {
		Name string `yaml:"name"`
	} `yaml:"ca"`
	Registry struct {
		MaxEnrollments int        `yaml:"maxenrollments"`
		Identities     []identity `yaml:"identities"`
	} `yaml:"registry"`
	DB struct {
		Type       string `yaml:"type"`
		DataSource string `yaml:"datasource"`
	} `yaml:"db"`
	CSR     csr     `yaml:"csr"`
	Signing signing `yaml:"signing"`
}

// identity is one that the register begins with.
type identity struct {
	Name           string            `yaml:"name"`
	Pass           string            `yaml:"pass"`
	Type           string            `yaml:"type"`
	Affiliation    string            `yaml:"affiliation"`
	MaxEnrollments int               `yaml:"maxenrollments"`
	Attrs          map[string]string `yaml:"attrs"`
}

// csr describes an authority's own certificate; its hosts are those of the
// listener's certificate.
type csr struct {
	CN         string   `yaml:"cn"`
	Names      []csrO   `yaml:"names"`
	Hosts      []string `yaml:"hosts"`
	KeyRequest struct {
		Algo string `yaml:"algo"`
		Size int    `yaml:"size"`
	} `yaml:"keyrequest"`
	CA struct {
		Expiry string `yaml:"expiry"`
	} `yaml:"ca"`
}

type csrO struct {
	O string `yaml:"O"`
}

// signing says what certificates are issued.
type signing struct {
	Default  profile            `yaml:"default"`
	Profiles map[string]profile `yaml:"profiles,omitempty"`
}

type profile struct {
	Usage  []string `yaml:"usage"`
	Expiry string   `yaml:"expiry"`
}

func issuing(usage ...string) profile {
	return profile{Usage: append([]string{"digital signature"}, usage...), Expiry: hours(material.CertificateValidity)}
}

// hours writes a duration as Fabric CA reads it.
func hours(d time.Duration) string { return fmt.Sprintf("%dh", int(d.Hours())) }

// configs are the files the process reads, the server's own first.
func (a *Authority) configs() ([]process.Config, error) {
	secret, err := material.ReadSecret(a.secretFile())
	if err != nil {
		return nil, err
	}
	file := filepath.Join(signingCA, "ca.yaml")
	server := serverConfig{
		Address: topology.Host, Port: a.topology.AuthorityPort(a.org), CAFiles: []string{file},
		TLS: tlsConfig{Enabled: true, CertFile: "tls-cert.pem"}, caConfig: a.ca(tlsCA, secret),
	}
	// Health and version, nothing else: the listener knows no TLS before the
	// server has its first certificate.
	server.Operations.ListenAddress = topology.Address(a.topology.AuthorityOperationsPort(a.org))
	server.Metrics.Provider = "disabled"
	server.Signing.Default = issuing("client auth")
	server.Signing.Profiles = map[string]profile{serverProfile: issuing("client auth", "server auth")}
	own, err := yaml.Marshal(server)
	if err != nil {
		return nil, err
	}
	other, err := yaml.Marshal(a.ca(signingCA, secret))
	if err != nil {
		return nil, err
	}
	return []process.Config{
		{Path: a.folder.File("server.yaml"), Content: own},
		{Path: a.folder.File(file), Content: other},
	}, nil
}

// ca is what the two authorities have in common.
func (a *Authority) ca(name, secret string) caConfig {
	var c caConfig
	c.CA.Name = name
	c.Registry.MaxEnrollments = unlimited
	c.Registry.Identities = []identity{{
		Name: registrarName, Pass: secret, Type: string(material.UnitClient), MaxEnrollments: unlimited,
		Attrs: map[string]string{
			"hf.Registrar.Roles": registrarRoles, "hf.Registrar.Attributes": registrarAttributes,
			"hf.Revoker": "true", "hf.GenCRL": "true",
		},
	}}
	c.DB.Type, c.DB.DataSource = "sqlite3", "identities.db"
	c.CSR.CN, c.CSR.Names, c.CSR.Hosts = name+"."+a.org.Domain, []csrO{{a.org.Domain}}, []string{"localhost", topology.Host}
	c.CSR.KeyRequest.Algo, c.CSR.KeyRequest.Size = "ecdsa", 256
	c.CSR.CA.Expiry = hours(material.AuthorityValidity)
	c.Signing.Default = issuing()
	return c
}
