package network

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/node"
	"github.com/hutong-gov/hutong/network/process"
	"github.com/hutong-gov/hutong/network/topology"
)

// Kinds and binaries of the gateway stage's processes.
const (
	kindGateway          = "gateway"
	kindIdentityProvider = "devidp"
	gatewayBinary        = "gateway"
	devidpBinary         = "devidp"
)

// audience is what tokens for the gateways are made out to.
const audience = "hutong"

// connectorsFolder in a gateway's folder holds the definitions of the
// department databases it reads, put there by whoever runs the department.
const connectorsFolder = "connectors"

// usersFile in the development identity provider's folder replaces the users
// it has by default, where somebody put it there.
const usersFile = "users.yaml"

// Memory that the Go runtimes aim to stay under.
const (
	gatewayMemory          = "384MiB"
	identityProviderMemory = "128MiB"
)

// gatewayFile in a gateway's folder is its configuration.
const gatewayFile = "gateway.yaml"

// devidpConfig is the development identity provider's configuration. The
// provider's own package is not imported for it: it would link a whole OpenID
// provider into the launcher. A test reads what is written with that package.
type devidpConfig struct {
	Listen    string     `yaml:"listen"`
	PublicURL string     `yaml:"public_url"`
	TLS       config.TLS `yaml:"tls"`
	DataDir   string     `yaml:"data_dir"`
	Audience  string     `yaml:"audience"`
	Users     string     `yaml:"users,omitempty"`
}

// gateways runs the development identity provider and a gateway for every
// organisation.
func (n *Network) gateways(ctx context.Context) (string, error) {
	specs, err := n.gatewaySpecs()
	if err != nil {
		return "", needs(err, StageMaterial)
	}
	if len(specs) == 0 {
		return "none in this manifest", nil
	}
	for _, spec := range specs {
		if err := executable(spec.Path); err != nil {
			return "", fmt.Errorf("%s cannot start: %w: build Hutong's binaries with `make build`, or stop before the gateways with `hutong up --until %s`",
				spec.Name, err, StageDeploy)
		}
	}
	return n.launch(ctx, specs)
}

// gatewaySpecs says how the processes are configured and run.
func (n *Network) gatewaySpecs() ([]process.Spec, error) {
	var specs []process.Spec
	if n.Topology.DevIDP {
		spec, err := n.identityProvider()
		if err != nil {
			return nil, err
		}
		specs = append(specs, spec)
	}
	if !n.Topology.Gateways {
		return specs, nil
	}
	for _, org := range n.Topology.Organisations {
		if len(org.Agencies) == 0 {
			continue // nobody in whose name a gateway could act
		}
		spec, err := n.gateway(org)
		if err != nil {
			return nil, fmt.Errorf("gateway of %s: %w", org.Name, err)
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

func (n *Network) identityProvider() (process.Spec, error) {
	org := n.Topology.Organisations[0]
	folder := n.Layout.Organisation(org).IdentityProvider()
	settings := devidpConfig{
		Listen: topology.Address(n.Topology.IdentityProviderPort()), PublicURL: n.Topology.IdentityProviderURL(),
		TLS:     config.TLS{Cert: folder.TLS().Certificate(), Key: folder.TLS().Key()},
		DataDir: n.data(topology.IdentityProviderProcess), Audience: audience,
	}
	var configs []process.Config
	if _, err := os.Stat(folder.File(usersFile)); err == nil {
		settings.Users = folder.File(usersFile)
		configs = append(configs, process.Config{Path: settings.Users})
	}
	text, err := yaml.Marshal(settings)
	if err != nil {
		return process.Spec{}, err
	}
	file := folder.File("devidp.yaml")
	ready, err := answers(folder.TLS().Root(), n.Topology.IdentityProviderURL()+"/.well-known/openid-configuration")
	if err != nil {
		return process.Spec{}, err
	}
	path := filepath.Join(n.Options.Bin, devidpBinary)
	return process.Spec{
		Name: topology.IdentityProviderProcess, Kind: kindIdentityProvider, Tier: node.TierIdentityProvider,
		Path: path, Args: []string{"--config", file}, Dir: folder.Dir(), Configs: append([]process.Config{{Path: file, Content: text}}, configs...),
		Env: node.Environment(identityProviderMemory), Versioned: true,
		Ports: []process.Port{{Number: n.Topology.IdentityProviderPort(), Purpose: "OpenID Connect"}},
		Ready: ready,
	}, nil
}

func (n *Network) gateway(org topology.Organisation) (process.Spec, error) {
	folder := n.Layout.Organisation(org).Gateway()
	settings, connectors, err := n.gatewayConfig(org)
	if err != nil {
		return process.Spec{}, err
	}
	text, err := settings.Marshal()
	if err != nil {
		return process.Spec{}, err
	}
	file := folder.File(gatewayFile)
	// Read back before it is used: a configuration the gateway would
	// refuse is found here, with the field's name.
	if _, err := config.Parse(text, folder.Dir()); err != nil {
		return process.Spec{}, err
	}
	ready, err := answers(folder.TLS().Root(), n.Topology.GatewayURL(org)+"/readyz")
	if err != nil {
		return process.Spec{}, err
	}
	path := filepath.Join(n.Options.Bin, gatewayBinary)
	return process.Spec{
		Name: org.GatewayProcess(), Kind: kindGateway, Tier: node.TierGateway,
		Path: path, Args: []string{"--config", file}, Dir: folder.Dir(), Configs: append([]process.Config{{Path: file, Content: text}}, connectors...),
		Env: node.Environment(gatewayMemory), Versioned: true,
		Ports: []process.Port{{Number: n.Topology.GatewayPort(org), Purpose: "HTTPS"}},
		Ready: ready,
	}, nil
}

// GatewayConfig reads the configuration of an organisation's gateway, as it was last written.
func (n *Network) GatewayConfig(organisation string) (*config.Config, error) {
	for _, org := range n.Topology.Organisations {
		if org.Name == organisation {
			return config.Load(n.Layout.Organisation(org).Gateway().File(gatewayFile))
		}
	}
	return nil, fmt.Errorf("no organisation %q in this network", organisation)
}

// gatewayConfig is what an organisation's gateway is told: its own keys, and
// what is public of the others. The second result are connector files.
func (n *Network) gatewayConfig(org topology.Organisation) (*config.Config, []process.Config, error) {
	t := n.Topology
	own := n.Layout.Organisation(org)
	folder := own.Gateway()
	c := &config.Config{
		Organisation: org.Name, MSP: org.MSP, Channel: t.Channel,
		Listen: topology.Address(t.GatewayPort(org)), PublicURL: t.GatewayURL(org),
		TLS:     config.TLS{Cert: folder.TLS().Certificate(), Key: folder.TLS().Key()},
		DataDir: n.data(org.GatewayProcess()), Database: n.Options.Database, DatabasePassword: n.Options.DatabasePassword,
		OIDC: config.OIDC{
			Issuer: t.IdentityProviderURL(), Audience: audience, TLSRoot: n.Layout.Public(t.Organisations[0]).TLSRoot(),
		},
	}
	for _, p := range t.PeersOf(org) {
		c.Peers = append(c.Peers, config.Peer{Endpoint: p.Endpoint(), TLSRoot: n.Layout.Public(org).TLSRoot(), ServerName: p.Host})
	}
	for _, o := range t.Organisations {
		c.AllMSPs = append(c.AllMSPs, o.MSP)
		if o.Endorses {
			c.EndorsingMSPs = append(c.EndorsingMSPs, o.MSP)
		}
		if o.Name != org.Name {
			c.Directory = append(c.Directory, config.Neighbour{MSP: o.MSP, URL: t.GatewayURL(o), TLSRoot: n.Layout.Public(o).TLSRoot()})
		}
	}
	for _, agency := range org.Agencies {
		id := org.AgencyID(agency)
		for _, role := range agency.Roles {
			c.Identities = append(c.Identities, config.Identity{
				Agency: id, Role: access.Role(role), MSPDir: own.Agency(agency, role).Dir(),
			})
		}
		c.ExchangeKeys = append(c.ExchangeKeys, config.ExchangeKey{Agency: id, Private: own.ExchangePrivate(agency)})
	}
	c.Webhooks = webhooks(folder.WebhookKey(), n.Layout.Public(org).TLSRoot())
	if material.HasPortal(org) {
		c.PseudonymKey = folder.PseudonymKey()
	}
	connectors, err := definitions(folder.File(connectorsFolder))
	if len(connectors) > 0 {
		c.Connectors = folder.File(connectorsFolder)
	}
	return c, connectors, err
}

// definitions lists the files of a connectors folder; none if it is not there.
func definitions(folder string) ([]process.Config, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []process.Config
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, process.Config{Path: filepath.Join(folder, e.Name())})
		}
	}
	return files, nil
}

func (n *Network) data(name string) string { return filepath.Join(n.Options.State, "data", name) }

// answers is a probe: the address answers 200, under a root certificate.
func answers(root, url string) (func(context.Context) error, error) {
	roots, err := node.Roots(root)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(io.LimitReader(response.Body, maxProbeAnswer))
		if err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answered %s: %s", url, response.Status, strings.TrimSpace(string(body)))
		}
		return nil
	}, nil
}

// maxProbeAnswer bounds what is read of a probe's answer.
const maxProbeAnswer = 64 << 10

// webhooks says how a gateway of this network delivers events: receivers run on this machine, under its organisation's root.
func webhooks(key, root string) config.Webhooks {
	return config.Webhooks{SigningKey: key, TLSRoot: root, Networks: []string{"127.0.0.0/8", "::1/128"}}
}
