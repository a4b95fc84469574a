package material

import (
	"path/filepath"

	"github.com/hutong-gov/hutong/network/topology"
)

// Layout names every path of a network's material.
type Layout struct{ root string }

// At is the layout under a state folder.
func At(root string) Layout { return Layout{root} }

// Organisation is the folder that belongs to one organisation.
func (l Layout) Organisation(org topology.Organisation) OrganisationFolder {
	return OrganisationFolder{filepath.Join(l.root, "organisations", org.Name)}
}

// Public is what everybody may know about one organisation.
func (l Layout) Public(org topology.Organisation) PublicFolder {
	return PublicFolder{filepath.Join(l.PublicRoot(), org.MSP)}
}

// PublicRoot holds every organisation's public folder, by MSP id.
func (l Layout) PublicRoot() string { return filepath.Join(l.root, "public") }

// GenesisBlock is the channel's first block.
func (l Layout) GenesisBlock(t *topology.Topology) string {
	return filepath.Join(l.PublicRoot(), t.Channel+".block")
}

// PublicFolder is what everybody may know about an organisation.
type PublicFolder struct{ root string }

// Dir is the folder itself.
func (f PublicFolder) Dir() string { return f.root }

// Root is the certificate under which the organisation's identities stand.
func (f PublicFolder) Root() string { return filepath.Join(f.root, "ca.pem") }

// TLSRoot is the certificate under which its listeners' certificates stand.
func (f PublicFolder) TLSRoot() string { return filepath.Join(f.root, "tlsca.pem") }

// ExchangeKey is the key to which bodies for an agency are sealed.
func (f PublicFolder) ExchangeKey(a topology.Agency) string {
	return filepath.Join(f.root, "exchange", a.Code+".pem")
}

// OrganisationFolder holds all secrets of one organisation.
type OrganisationFolder struct{ root string }

// Dir is the folder itself.
func (f OrganisationFolder) Dir() string { return f.root }

// MSP is the organisation as others see it: roots and no key.
func (f OrganisationFolder) MSP() MSP { return MSP{filepath.Join(f.root, "msp")} }

// Admin is the network administrator's folder.
func (f OrganisationFolder) Admin() MemberFolder {
	return MemberFolder{filepath.Join(f.root, "admin")}
}

// Node is a peer's or orderer's folder.
func (f OrganisationFolder) Node(name string) MemberFolder {
	return MemberFolder{filepath.Join(f.root, "nodes", name)}
}

// Agency is the MSP folder of an agency's identity in a role.
func (f OrganisationFolder) Agency(a topology.Agency, role string) MSP {
	return MSP{filepath.Join(f.root, "agencies", a.Code, role, "msp")}
}

// ExchangePrivate is an agency's key to open what is sealed to it.
func (f OrganisationFolder) ExchangePrivate(a topology.Agency) string {
	return filepath.Join(f.root, "agencies", a.Code, "exchange", "private.pem")
}

// ExchangePublic is the public half of ExchangePrivate.
func (f OrganisationFolder) ExchangePublic(a topology.Agency) string {
	return filepath.Join(f.root, "agencies", a.Code, "exchange", "public.pem")
}

// Chaincode is the folder of the server for a chaincode binary.
func (f OrganisationFolder) Chaincode(binary string) MemberFolder {
	return MemberFolder{filepath.Join(f.root, "chaincode", binary)}
}

// Gateway is the gateway's folder.
func (f OrganisationFolder) Gateway() MemberFolder {
	return MemberFolder{filepath.Join(f.root, "gateway")}
}

// Authority is the folder of the organisation's Fabric CA.
func (f OrganisationFolder) Authority() MemberFolder {
	return MemberFolder{filepath.Join(f.root, "fabric-ca")}
}

// IdentityProvider is the folder of the development identity provider, which
// the first organisation runs.
func (f OrganisationFolder) IdentityProvider() MemberFolder {
	return MemberFolder{filepath.Join(f.root, "devidp")}
}

func (f OrganisationFolder) authority(kind string) (cert, key string) {
	dir := filepath.Join(f.root, kind)
	return filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
}

// MemberFolder holds one process's or administrator's own files.
type MemberFolder struct{ root string }

// Dir is the folder itself.
func (f MemberFolder) Dir() string { return f.root }

// File is a file in the folder, such as a configuration.
func (f MemberFolder) File(name string) string { return filepath.Join(f.root, name) }

// MSP is the member's signing identity.
func (f MemberFolder) MSP() MSP { return MSP{filepath.Join(f.root, "msp")} }

// TLS is the member's TLS certificate.
func (f MemberFolder) TLS() TLS { return TLS{filepath.Join(f.root, "tls")} }

// PseudonymKey is the secret with which a portal makes pseudonyms.
func (f MemberFolder) PseudonymKey() string { return filepath.Join(f.root, "pseudonym.key") }

// WebhookKey signs what the gateway sends to webhooks.
func (f MemberFolder) WebhookKey() string { return filepath.Join(f.root, "webhook.key") }

// MSP is a folder in the form Fabric's tools read.
type MSP struct{ root string }

// MSPAt is the MSP folder at a path.
func MSPAt(dir string) MSP { return MSP{dir} }

// Dir is the folder itself.
func (m MSP) Dir() string { return m.root }

// Certificate is the signing certificate.
func (m MSP) Certificate() string { return filepath.Join(m.root, "signcerts", "cert.pem") }

// Key is the signing key.
func (m MSP) Key() string { return filepath.Join(m.root, "keystore", "key.pem") }

// Root is the root the certificate stands under.
func (m MSP) Root() string { return filepath.Join(m.root, "cacerts", "ca.pem") }

// TLSRoot is the organisation's TLS root.
func (m MSP) TLSRoot() string { return filepath.Join(m.root, "tlscacerts", "tlsca.pem") }

func (m MSP) config() string { return filepath.Join(m.root, "config.yaml") }

// TLS is a folder with a certificate, its key and the root.
type TLS struct{ root string }

// Certificate is the TLS certificate.
func (t TLS) Certificate() string { return filepath.Join(t.root, "cert.pem") }

// Key is its key.
func (t TLS) Key() string { return filepath.Join(t.root, "key.pem") }

// Root is the organisation's TLS root.
func (t TLS) Root() string { return filepath.Join(t.root, "ca.pem") }
