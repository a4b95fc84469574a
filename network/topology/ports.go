package topology

// Ports. Every organisation owns a block of PortsPerOrganisation ports: the
// block of the organisation at index i begins at base_port + 50·i. Inside a
// block every kind of listener has a fixed place, so adding an agency, a peer,
// a chaincode or a further organisation never moves a port that is already
// written into the channel.
//
//	 +0       gateway (HTTPS): the first organisation's is the citizens' door
//	 +1       gateway operations (kept free for a separate metrics listener)
//	 +2 +3    Fabric CA and its operations
//	 +4       development identity provider (first organisation only)
//	 +5..+16  peers: service, chaincode listener, operations; three each
//	+17..+28  orderers: service, admin, operations; three each
//	+29       kept free
//	+30..+49  chaincode servers, in the order of the manifest
const (
	PortsPerOrganisation = 50

	gatewayPort             = 0
	gatewayOperationsPort   = 1
	authorityPort           = 2
	authorityOperationsPort = 3
	identityProviderPort    = 4
	firstPeerPort           = 5
	portsPerPeer            = 3
	firstOrdererPort        = 17
	portsPerOrderer         = 3
	firstChaincodePort      = 30
)

// Limits that the port blocks set, and the range a network must lie in.
const (
	MaxOrganisations = 20
	MaxPeers         = (firstOrdererPort - firstPeerPort) / portsPerPeer
	MaxOrderers      = 4
	MaxChaincodes    = PortsPerOrganisation - firstChaincodePort
	MinPort          = 1024
	// MaxPort keeps a network below the ports that operating systems hand out
	// to outgoing connections (from 32768 on Linux), any of which could be
	// taken at the moment a node wants to listen.
	MaxPort = 32767
)

// Host is where every process of a native network listens.
const Host = "127.0.0.1"

// Span is how many ports the network owns, from BasePort on.
func (t *Topology) Span() int { return PortsPerOrganisation * len(t.Organisations) }

func (t *Topology) port(org Organisation, offset int) int {
	return t.BasePort + PortsPerOrganisation*org.Index + offset
}

// GatewayPort is where an organisation's gateway listens.
func (t *Topology) GatewayPort(org Organisation) int { return t.port(org, gatewayPort) }

// GatewayOperationsPort is kept for a gateway's own operations listener.
func (t *Topology) GatewayOperationsPort(org Organisation) int {
	return t.port(org, gatewayOperationsPort)
}

// AuthorityPort is where an organisation's Fabric CA listens.
func (t *Topology) AuthorityPort(org Organisation) int { return t.port(org, authorityPort) }

// AuthorityOperationsPort is where it tells its health.
func (t *Topology) AuthorityOperationsPort(org Organisation) int {
	return t.port(org, authorityOperationsPort)
}

// IdentityProviderPort is where the development identity provider listens.
func (t *Topology) IdentityProviderPort() int { return t.BasePort + identityProviderPort }

// ChaincodePort is where an organisation serves the chaincode at this place
// in the manifest.
func (t *Topology) ChaincodePort(org Organisation, index int) int {
	return t.port(org, firstChaincodePort+index)
}

// Peer is one peer with everything derived for it.
type Peer struct {
	Organisation Organisation
	// Node is the name inside the organisation: peer0.
	Node string
	// Process is the name inside the network: services-peer0.
	Process string
	// Host is the name in its TLS certificate besides the loopback address.
	Host                                    string
	Port, ChaincodeListenerPort, Operations int
}

// Orderer node with everything derived for it.
type OrdererNode struct {
	Organisation            Organisation
	Node, Process, Host     string
	Port, Admin, Operations int
}

// PeersOf lists an organisation's peers.
func (t *Topology) PeersOf(org Organisation) []Peer {
	peers := make([]Peer, 0, org.Peers)
	for i := range org.Peers {
		node := nodeName("peer", i)
		first := t.port(org, firstPeerPort+portsPerPeer*i)
		peers = append(peers, Peer{
			Organisation: org, Node: node, Process: processName(org, node), Host: node + "." + org.Domain,
			Port: first, ChaincodeListenerPort: first + 1, Operations: first + 2,
		})
	}
	return peers
}

// OrderersOf lists an organisation's orderers.
func (t *Topology) OrderersOf(org Organisation) []OrdererNode {
	orderers := make([]OrdererNode, 0, org.Orderers)
	for i := range org.Orderers {
		node := nodeName("orderer", i)
		first := t.port(org, firstOrdererPort+portsPerOrderer*i)
		orderers = append(orderers, OrdererNode{
			Organisation: org, Node: node, Process: processName(org, node), Host: node + "." + org.Domain,
			Port: first, Admin: first + 1, Operations: first + 2,
		})
	}
	return orderers
}

// Peers lists every peer of the network.
func (t *Topology) Peers() []Peer {
	var all []Peer
	for _, org := range t.Organisations {
		all = append(all, t.PeersOf(org)...)
	}
	return all
}

// Orderers lists every orderer of the network.
func (t *Topology) Orderers() []OrdererNode {
	var all []OrdererNode
	for _, org := range t.Organisations {
		all = append(all, t.OrderersOf(org)...)
	}
	return all
}
