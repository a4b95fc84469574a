package network

import (
	"fmt"
	"math/rand/v2"

	"github.com/hutong-gov/hutong/network/process"
	"github.com/hutong-gov/hutong/network/topology"
)

// Where FreeBasePort looks: clear of the default network's ports.
const (
	firstFreeBase = 20_000
	freeAttempts  = 100
)

// FreeBasePort finds a base port from which all ports a network needs are free
// at the moment. It is meant for tests, which run beside each other and beside
// a developer's own network.
func FreeBasePort(t *topology.Topology) (int, error) {
	blocks := (topology.MaxPort - firstFreeBase - t.Span()) / topology.PortsPerOrganisation
	for range freeAttempts {
		base := firstFreeBase + topology.PortsPerOrganisation*rand.IntN(blocks)
		if free(base, t.Span()) {
			return base, nil
		}
	}
	return 0, fmt.Errorf("no %d free ports in a row were found between %d and %d", t.Span(), firstFreeBase, topology.MaxPort)
}

func free(base, span int) bool {
	for port := base; port < base+span; port++ {
		if process.Busy(port) {
			return false
		}
	}
	return true
}
