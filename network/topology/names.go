package topology

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

func nodeName(kind string, index int) string { return kind + strconv.Itoa(index) }

func processName(org Organisation, node string) string { return org.Name + "-" + node }

// Address is a loopback endpoint as host:port.
func Address(port int) string { return net.JoinHostPort(Host, strconv.Itoa(port)) }

// Endpoint is the peer's service address.
func (p Peer) Endpoint() string { return Address(p.Port) }

// Endpoint is the orderer's service address.
func (o OrdererNode) Endpoint() string { return Address(o.Port) }

// GatewayURL is where an organisation's gateway answers.
func (t *Topology) GatewayURL(org Organisation) string {
	return "https://" + Address(t.GatewayPort(org))
}

// IdentityProviderURL is the issuer of the development identity provider.
func (t *Topology) IdentityProviderURL() string {
	return "https://" + Address(t.IdentityProviderPort())
}

// GatewayProcess is the name of an organisation's gateway process.
func (o Organisation) GatewayProcess() string { return processName(o, "gateway") }

// ChaincodeProcess is the name of an organisation's server process for the
// chaincodes that one binary serves.
func (o Organisation) ChaincodeProcess(binary string) string { return processName(o, binary) }

// AuthorityURL is where an organisation's Fabric CA answers.
func (t *Topology) AuthorityURL(org Organisation) string {
	return "https://" + Address(t.AuthorityPort(org))
}

// AuthorityProcess is the name of an organisation's Fabric CA process.
func (o Organisation) AuthorityProcess() string { return processName(o, "ca") }

// IdentityProviderProcess is the name of the development identity provider.
const IdentityProviderProcess = "devidp"

// AgencyID is how an agency is called on the ledger: {organisation}.{agency}.
func (o Organisation) AgencyID(a Agency) string { return o.Name + "." + a.Code }

// Who lists the ids of the agencies that act, as people read them, and counts those that have an administrator only.
func (o Organisation) Who() string {
	var names []string
	administered := 0
	for _, a := range o.Agencies {
		if slices.Equal(a.Roles, []string{RoleAdmin}) {
			administered++
			continue
		}
		names = append(names, o.AgencyID(a))
	}
	if administered > 0 {
		names = append(names, fmt.Sprintf("and %d that only publish", administered))
	}
	return strings.Join(names, ", ")
}

// Organisation finds an organisation by its name or MSP id.
func (t *Topology) Organisation(name string) (Organisation, bool) {
	for _, org := range t.Organisations {
		if org.Name == name || org.MSP == name {
			return org, true
		}
	}
	return Organisation{}, false
}

// Binaries lists the distinct chaincode server binaries, in manifest order.
func (t *Topology) Binaries() []string {
	var names []string
	seen := map[string]bool{}
	for _, c := range t.Chaincodes {
		if !seen[c.Binary] {
			seen[c.Binary] = true
			names = append(names, c.Binary)
		}
	}
	return names
}

// Endorsers lists the organisations whose peers endorse writes.
func (t *Topology) Endorsers() []Organisation {
	var orgs []Organisation
	for _, org := range t.Organisations {
		if org.Endorses {
			orgs = append(orgs, org)
		}
	}
	return orgs
}

// Inbox is the private data collection of what waits for an organisation.
func (o Organisation) Inbox() string { return "inbox_" + o.MSP }

// Sealed is the private data collection of what an organisation has sealed.
func (o Organisation) Sealed() string { return "sealed_" + o.MSP }
