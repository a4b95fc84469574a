// Package material makes what a network is made of before anything runs:
// identities, TLS certificates, sealing keys, and the folders that hold them.
//
// One folder belongs to each organisation and holds all of its secrets; a
// process of an organisation is given paths inside that folder and inside the
// public folder, never inside another organisation's.
//
//	public/
//	  {MSP}/ca.pem            root of the organisation's signing certificates
//	  {MSP}/tlsca.pem         root of its TLS certificates
//	  {MSP}/exchange/{agency}.pem   public key to which bodies for an agency are sealed
//	  {channel}.block         the channel's first block
//	organisations/{name}/
//	  ca/ tlsca/              cert.pem, key.pem (local issuer only)
//	  fabric-ca/              Fabric CA's configuration, keys and register (its issuer only)
//	  msp/                    the organisation as others see it
//	  admin/                  the network administrator: msp/ and tls/ (joins, deploys, reads metrics)
//	  nodes/{node}/           msp/, tls/ and the node's configuration
//	  agencies/{agency}/{role}/msp/      an identity whose certificate carries agency and role
//	  agencies/{agency}/exchange/        private.pem, public.pem (ECDH P-256: PKCS#8 and SPKI)
//	  chaincode/{binary}/     tls/ and config.json of the chaincode server
//	  gateway/                tls/, gateway.yaml, connectors/, webhook.key, pseudonym.key (organisations with a portal)
//	  devidp/                 tls/, devidp.yaml (first organisation, development only)
//
// Making material is idempotent: a key or certificate that exists is kept, so
// a manifest with one more agency only adds that agency. Files appear whole or
// not at all; the key is written before its certificate, and a certificate
// that is missing is issued again for the key that is there.
package material

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/hutong-gov/hutong/network/topology"
)

// Attributes of an agency's certificate. Chaincodes and gateways read them.
const (
	AttributeAgency = "agency"
	AttributeRole   = "role"
)

// adminName is the enrolment name of an organisation's network administrator.
const adminName = "network-admin"

// gatewayName is the enrolment name of an organisation's gateway for TLS.
const gatewayName = "gateway"

// identityProviderName is the enrolment name of the development identity
// provider for TLS.
const identityProviderName = "devidp"

// loopback is where the listeners of a native network answer, besides the
// host name derived from the organisation's domain.
var loopback = []string{"localhost", topology.Host, "::1"}

// Make creates what is missing of a network's material under the layout's
// root. Issuer gives the authority of an organisation.
func Make(ctx context.Context, t *topology.Topology, l Layout, issuer func(topology.Organisation) (Issuer, error)) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, org := range t.Organisations {
		group.Go(func() error {
			authority, err := issuer(org)
			if err == nil {
				m := &maker{ctx: ctx, topology: t, org: org, folder: l.Organisation(org), public: l.Public(org), issuer: authority}
				err = m.all()
			}
			if err != nil {
				return fmt.Errorf("material: %s: %w", org.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// maker makes one organisation's material.
type maker struct {
	ctx      context.Context
	topology *topology.Topology
	org      topology.Organisation
	folder   OrganisationFolder
	public   PublicFolder
	issuer   Issuer
	roots    Roots
}

func (m *maker) all() error {
	for _, step := range []func() error{m.authorities, m.admin, m.nodes, m.agencies, m.servers} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// authorities fetches the organisation's roots and publishes them, with the
// MSP folder that holds nothing but roots.
func (m *maker) authorities() error {
	roots, err := m.issuer.Roots(m.ctx)
	if err != nil {
		return fmt.Errorf("roots: %w", err)
	}
	m.roots = roots
	if err := m.writeRoots(m.folder.MSP()); err != nil {
		return err
	}
	if err := keep(m.public.Root(), roots.Signing, publicFile); err != nil {
		return err
	}
	return keep(m.public.TLSRoot(), roots.TLS, publicFile)
}

func (m *maker) admin() error {
	if err := m.identity(m.folder.Admin().MSP(), Enrolment{Name: adminName, Unit: UnitAdmin}); err != nil {
		return err
	}
	return m.tls(m.folder.Admin().TLS(), TLSEnrolment{Name: adminName, Unit: UnitAdmin})
}

func (m *maker) nodes() error {
	for _, p := range m.topology.PeersOf(m.org) {
		if err := m.node(p.Node, p.Host, UnitPeer); err != nil {
			return err
		}
	}
	for _, o := range m.topology.OrderersOf(m.org) {
		if err := m.node(o.Node, o.Host, UnitOrderer); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) node(name, host string, unit Unit) error {
	folder := m.folder.Node(name)
	if err := m.identity(folder.MSP(), Enrolment{Name: name, Unit: unit}); err != nil {
		return err
	}
	return m.tls(folder.TLS(), TLSEnrolment{Name: name, Unit: unit, Hosts: append([]string{host}, loopback...)})
}

func (m *maker) agencies() error {
	for _, agency := range m.org.Agencies {
		for _, role := range agency.Roles {
			enrolment := Enrolment{
				Name: agency.Code + "-" + role,
				Unit: UnitClient,
				Attributes: map[string]string{
					AttributeAgency: agency.Code,
					AttributeRole:   role,
				},
			}
			if err := m.identity(m.folder.Agency(agency, role), enrolment); err != nil {
				return err
			}
		}
		if err := m.exchange(agency); err != nil {
			return err
		}
	}
	return nil
}

// servers makes the TLS certificates of the processes that are not Fabric's:
// chaincode servers and the gateway, and the gateway's own keys.
func (m *maker) servers() error {
	for _, binary := range m.topology.Binaries() {
		host := binary + "." + m.org.Domain
		enrolment := TLSEnrolment{Name: "chaincode-" + binary, Unit: UnitClient, Hosts: append([]string{host}, loopback...)}
		if err := m.tls(m.folder.Chaincode(binary).TLS(), enrolment); err != nil {
			return err
		}
	}
	gateway := TLSEnrolment{Name: gatewayName, Unit: UnitClient, Hosts: append([]string{"gateway." + m.org.Domain}, loopback...)}
	if err := m.tls(m.folder.Gateway().TLS(), gateway); err != nil {
		return err
	}
	if m.topology.DevIDP && m.org.Index == 0 {
		provider := TLSEnrolment{Name: identityProviderName, Unit: UnitClient, Hosts: append([]string{identityProviderName + "." + m.org.Domain}, loopback...)}
		if err := m.tls(m.folder.IdentityProvider().TLS(), provider); err != nil {
			return err
		}
	}
	if _, err := keptKey(m.folder.Gateway().WebhookKey()); err != nil {
		return err
	}
	if !HasPortal(m.org) {
		return nil
	}
	_, err := Secret(m.folder.Gateway().PseudonymKey())
	return err
}

// HasPortal says whether an organisation runs a portal: only there are people
// turned into pseudonyms, so only there is the key for it.
func HasPortal(org topology.Organisation) bool {
	for _, agency := range org.Agencies {
		for _, role := range agency.Roles {
			if role == topology.RolePortal {
				return true
			}
		}
	}
	return false
}
