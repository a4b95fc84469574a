package network

import (
	_ "embed"

	"github.com/hutong-gov/hutong/network/topology"
)

//go:embed topology.yaml
var manifest []byte

// DefaultManifest is the text of the default network's manifest.
func DefaultManifest() []byte { return append([]byte(nil), manifest...) }

// DefaultTopology is the default network.
func DefaultTopology() *topology.Topology {
	t, err := topology.Parse(manifest)
	if err != nil {
		// The manifest is part of the program; a test parses it.
		panic(err)
	}
	return t
}
