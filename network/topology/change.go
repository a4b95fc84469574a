package topology

import (
	"errors"
	"fmt"
	"slices"
)

// CheckChange says whether a network made from old can go on with next. Ports
// and the channel's members are written into the genesis block and into every
// certificate, so they stay; agencies, chaincodes, gateways and the identity
// provider may be added or changed at any time.
func CheckChange(old, next *Topology) error {
	c := &checker{}
	same := func(field string, was, is any) {
		c.require(was == is, field, "is %v, but this network was made with %v; use that, or remove the network with `hutong down --purge`", is, was)
	}
	same("name", old.Name, next.Name)
	same("base_port", old.BasePort, next.BasePort)
	same("channel", old.Channel, next.Channel)
	same("identities", old.Identities, next.Identities)
	same("orderer", old.Orderer, next.Orderer)
	same("organisations", len(old.Organisations), len(next.Organisations))
	for i := range min(len(old.Organisations), len(next.Organisations)) {
		a, b := old.Organisations[i], next.Organisations[i]
		field := fmt.Sprintf("organisations[%d]", i)
		same(field+".name", a.Name, b.Name)
		same(field+".msp", a.MSP, b.MSP)
		same(field+".domain", a.Domain, b.Domain)
		same(field+".peers", a.Peers, b.Peers)
		same(field+".orderers", a.Orderers, b.Orderers)
		same(field+".endorses", a.Endorses, b.Endorses)
	}
	// A chaincode's port follows from its place, and a committed definition
	// cannot be taken off a channel: chaincodes are only ever appended.
	for i, cc := range old.Chaincodes {
		field := fmt.Sprintf("chaincodes[%d].name", i)
		if i >= len(next.Chaincodes) {
			c.require(false, field, "%s is deployed on this channel and must stay in the manifest", cc.Name)
			continue
		}
		same(field, cc.Name, next.Chaincodes[i].Name)
		// Fabric keeps a collection's block to live as it was first agreed on.
		if cc.Inboxes != nil {
			c.require(next.Chaincodes[i].Inboxes != nil && *next.Chaincodes[i].Inboxes == *cc.Inboxes, fmt.Sprintf("chaincodes[%d].inboxes", i), "must stay as they are on this channel")
		}
	}
	return errors.Join(c.errs...)
}

// Clone copies a topology so that the copy can be changed on its own.
func (t *Topology) Clone() *Topology {
	next := *t
	next.Organisations = slices.Clone(t.Organisations)
	for i := range next.Organisations {
		org := &next.Organisations[i]
		org.Agencies = slices.Clone(org.Agencies)
		for j := range org.Agencies {
			org.Agencies[j].Roles = slices.Clone(org.Agencies[j].Roles)
		}
	}
	next.Chaincodes = slices.Clone(t.Chaincodes)
	for i, cc := range next.Chaincodes {
		if cc.Inboxes != nil {
			inboxes := *cc.Inboxes
			next.Chaincodes[i].Inboxes = &inboxes
		}
	}
	return &next
}
