package topology

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/hyperledger/fabric-admin-sdk/pkg/chaincode"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/access"
)

// Limits of a manifest.
const (
	MaxNameLength   = 31
	MaxDomainLength = 100
	// MaxAuthorityDomainLength leaves room for "tlsca." in front of the domain
	// in a common name, which X.509 limits to 64 characters. Fabric CA refuses
	// longer ones.
	MaxAuthorityDomainLength = 58
	MaxAgencies              = 200
	MaxMessages              = 10_000
	MaxBlockBytes            = 64 << 20
	MinBatchTimeout          = 10 * time.Millisecond
	MaxBatchTimeout          = time.Minute
	MinTick                  = 10 * time.Millisecond
	MaxTick                  = 10 * time.Second
	// MinElectionTicks leaves room for a few lost heartbeats before a leader
	// is given up; Raft wants the election to be several heartbeats long.
	MinElectionTicks = 5
	MaxElectionTicks = 100
)

var (
	nameRule    = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	wordRule    = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
	domainRule  = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`)
	versionRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	roles       = []string{RoleAgency, RoleAdmin, RolePortal, RoleAuditor}
)

// checker collects every broken rule, so that a manifest is corrected in one
// go and not error by error.
type checker struct{ errs []error }

func (c *checker) require(ok bool, field, rule string, args ...any) {
	if !ok {
		c.errs = append(c.errs, fmt.Errorf("topology: %s: %s", field, fmt.Sprintf(rule, args...)))
	}
}

func (c *checker) name(field, value string, rule *regexp.Regexp, limit int) {
	c.require(rule.MatchString(value), field, "%q must match %s", value, rule)
	c.require(len(value) <= limit, field, "must have at most %d characters, has %d", limit, len(value))
}

func (c *checker) within(field string, value, low, high int) {
	c.require(value >= low && value <= high, field, "must lie between %d and %d, is %d", low, high, value)
}

func (c *checker) lasts(field string, value Duration, low, high time.Duration) {
	v := time.Duration(value)
	c.require(v >= low && v <= high, field, "must lie between %s and %s, is %s", low, high, v)
}

func (c *checker) unique(field, value string, seen map[string]bool) {
	c.require(!seen[value], field, "%q is used twice", value)
	seen[value] = true
}

// Validate checks every rule and names each field that breaks one.
func (t *Topology) Validate() error {
	c := &checker{}
	c.name("name", t.Name, nameRule, MaxNameLength)
	c.name("channel", t.Channel, nameRule, MaxNameLength)
	c.require(t.Identities == IdentitiesLocal || t.Identities == IdentitiesFabricCA,
		"identities", "must be %s or %s, is %q", IdentitiesLocal, IdentitiesFabricCA, t.Identities)
	c.within("base_port", t.BasePort, MinPort, MaxPort)
	if last := t.BasePort + t.Span() - 1; t.BasePort <= MaxPort {
		c.require(last <= MaxPort, "base_port", "%d organisations need the ports %d to %d, which must not pass %d: choose a lower base",
			len(t.Organisations), t.BasePort, last, MaxPort)
	}
	t.validateOrderer(c)
	t.validateOrganisations(c)
	t.validateChaincodes(c)
	c.require(!t.DevIDP || t.Gateways, "devidp", "needs gateways: true, nobody else asks the identity provider")
	return errors.Join(c.errs...)
}

func (t *Topology) validateOrderer(c *checker) {
	o := t.Orderer
	c.lasts("orderer.batch_timeout", o.BatchTimeout, MinBatchTimeout, MaxBatchTimeout)
	c.lasts("orderer.tick", o.Tick, MinTick, MaxTick)
	c.within("orderer.max_messages", int(o.MaxMessages), 1, MaxMessages)
	c.within("orderer.preferred_bytes", int(o.PreferredBytes), 1, MaxBlockBytes)
	c.within("orderer.absolute_bytes", int(o.AbsoluteBytes), int(o.PreferredBytes), MaxBlockBytes)
	c.within("orderer.election_ticks", int(o.ElectionTicks), MinElectionTicks, MaxElectionTicks)
}

func (t *Topology) validateOrganisations(c *checker) {
	c.within("organisations", len(t.Organisations), 1, MaxOrganisations)
	names, msps, domains := map[string]bool{}, map[string]bool{}, map[string]bool{}
	orderers, endorsers := 0, 0
	domainLimit := MaxDomainLength
	if t.Identities == IdentitiesFabricCA {
		domainLimit = MaxAuthorityDomainLength
	}
	for i, org := range t.Organisations {
		field := fmt.Sprintf("organisations[%d]", i)
		c.name(field+".name", org.Name, wordRule, MaxNameLength)
		c.require(org.MSP == mspID(org.Name), field+".msp", "must be %q for the organisation %s, is %q", mspID(org.Name), org.Name, org.MSP)
		c.name(field+".domain", org.Domain, domainRule, domainLimit)
		c.unique(field+".name", org.Name, names)
		c.unique(field+".msp", org.MSP, msps)
		c.unique(field+".domain", org.Domain, domains)
		c.within(field+".peers", org.Peers, 1, MaxPeers)
		c.within(field+".orderers", org.Orderers, 0, MaxOrderers)
		orderers += org.Orderers
		if org.Endorses {
			endorsers++
		}
		validateAgencies(c, field, org)
	}
	c.require(orderers > 0, "organisations", "no organisation runs an orderer: give one at least orderers: 1")
	c.require(endorsers > 0, "organisations", "no organisation endorses writes: give one at least endorses: true")
}

// mspID is the MSP id that chaincodes and gateways derive from an organisation's
// name: an agency's id then tells whose certificates may speak for it.
func mspID(name string) string { return access.MSPOf(name + ".") }

func validateAgencies(c *checker, field string, org Organisation) {
	c.within(field+".agencies", len(org.Agencies), 0, MaxAgencies)
	codes := map[string]bool{}
	for i, agency := range org.Agencies {
		at := fmt.Sprintf("%s.agencies[%d]", field, i)
		c.name(at+".code", agency.Code, nameRule, MaxNameLength)
		c.unique(at+".code", agency.Code, codes)
		c.require(len(agency.Roles) > 0, at+".roles", "must name at least one of %v", roles)
		held := map[string]bool{}
		for j, role := range agency.Roles {
			atRole := fmt.Sprintf("%s.roles[%d]", at, j)
			c.require(slices.Contains(roles, role), atRole, "%q must be one of %v", role, roles)
			c.unique(atRole, role, held)
		}
	}
}

func (t *Topology) validateChaincodes(c *checker) {
	c.within("chaincodes", len(t.Chaincodes), 0, MaxChaincodes)
	names := map[string]bool{}
	for i, cc := range t.Chaincodes {
		field := fmt.Sprintf("chaincodes[%d]", i)
		c.name(field+".name", cc.Name, wordRule, MaxNameLength)
		c.unique(field+".name", cc.Name, names)
		c.name(field+".binary", cc.Binary, nameRule, MaxNameLength)
		c.require(!t.clashes(cc.Binary), field+".binary", "%q is also the name of a node, gateway or Fabric CA process", cc.Binary)
		c.name(field+".version", cc.Version, versionRule, MaxNameLength)
		t.validatePolicy(c, field+".policy", cc.Policy)
	}
}

// clashes says whether a server binary's process name would be that of a node.
func (t *Topology) clashes(binary string) bool {
	if binary == "gateway" || binary == "ca" {
		return true
	}
	for i := range max(MaxPeers, MaxOrderers) {
		if binary == nodeName("peer", i) || binary == nodeName("orderer", i) {
			return true
		}
	}
	return false
}

// validatePolicy wants an explicit signature policy over peers of
// organisations that endorse: a policy nobody can meet, or one that an
// auditor's peer could help to meet, would only show at the first write.
func (t *Topology) validatePolicy(c *checker, field, policy string) {
	if policy == "" {
		c.require(false, field, "must be an explicit signature policy such as OutOf(2, 'AMSP.peer', 'BMSP.peer')")
		return
	}
	parsed, err := chaincode.NewApplicationPolicy(policy, "")
	if err != nil {
		c.require(false, field, "is not a signature policy: %v", err)
		return
	}
	for _, principal := range parsed.GetSignaturePolicy().GetIdentities() {
		var role mspproto.MSPRole
		if err := proto.Unmarshal(principal.GetPrincipal(), &role); err != nil {
			c.require(false, field, "has a principal that is not a role: %v", err)
			continue
		}
		id := role.GetMspIdentifier()
		org, known := t.Organisation(id)
		known = known && org.MSP == id
		c.require(known, field, "names %s, which no organisation of this manifest has as its msp", id)
		c.require(!known || org.Endorses, field, "names %s, which has endorses: false", id)
		c.require(role.GetRole() == mspproto.MSPRole_PEER, field, "names %s.%s: only peers endorse, write '%s.peer'",
			id, role.GetRole(), id)
	}
}
