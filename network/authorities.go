package network

import (
	"context"
	"fmt"

	"github.com/hutong-gov/hutong/network/authority"
	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/process"
	"github.com/hutong-gov/hutong/network/topology"
)

// authority is an organisation's Fabric CA.
func (n *Network) authority(org topology.Organisation) *authority.Authority {
	return authority.New(n.Topology, n.Layout, org, n.authorityBinary())
}

// authoritySpecs says how the organisations' Fabric CAs are configured and run;
// none where the manifest does not ask for them.
func (n *Network) authoritySpecs() ([]process.Spec, error) {
	if n.Topology.Identities != topology.IdentitiesFabricCA {
		return nil, nil
	}
	var specs []process.Spec
	for _, org := range n.Topology.Organisations {
		spec, err := n.authority(org).Spec()
		if err != nil {
			return nil, fmt.Errorf("the Fabric CA of %s: %w", org.Name, err)
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

// authorities runs what issues the organisations' certificates and says, for
// the summary, what was done.
func (n *Network) authorities(ctx context.Context) (string, error) {
	if n.Topology.Identities != topology.IdentitiesFabricCA {
		return "", nil
	}
	for _, org := range n.Topology.Organisations {
		if err := n.authority(org).Prepare(); err != nil {
			return "", fmt.Errorf("the Fabric CA of %s: %w", org.Name, err)
		}
	}
	specs, err := n.authoritySpecs()
	if err != nil {
		return "", err
	}
	did, err := n.launch(ctx, specs)
	return "; Fabric CA: " + did, err
}

// issuer gives the certificate authority that the manifest asks for.
func (n *Network) issuer(org topology.Organisation) (material.Issuer, error) {
	if n.Topology.Identities == topology.IdentitiesFabricCA {
		return n.authority(org).Issuer()
	}
	return material.NewLocal(n.Layout, org)
}

// authorityOf finds the Fabric CA that runs under a name.
func (n *Network) authorityOf(name string) *authority.Authority {
	for _, org := range n.Topology.Organisations {
		if org.AuthorityProcess() == name {
			return n.authority(org)
		}
	}
	return nil
}
