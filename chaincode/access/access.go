// Package access says who calls a chaincode and what a caller may do. A caller is read from its certificate alone: the
// organisation (MSP) that issued it and the attributes `agency` and `role` that the organisation's CA wrote into it. No
// look-up is needed, and no organisation can speak for another's agencies.
package access

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/cid"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Role is the value of the certificate attribute `role`.
type Role string

const (
	Agency  Role = "agency"  // an agency's service identity: signs what its officers do
	Admin   Role = "admin"   // an agency's administrator: registers, publishes, approves
	Portal  Role = "portal"  // a government portal: submits what citizens have signed
	Auditor Role = "auditor" // reads everything, writes nothing
)

// AllRoles in the order tables and documents list them.
var AllRoles = []Role{Agency, Admin, Portal, Auditor}

// Names of the certificate attributes (OID 1.2.3.4.5.6.7.8.1, as Fabric CA writes them).
const (
	AttributeAgency = "agency"
	AttributeRole   = "role"
)

// Coordinator is the organisation that runs the government-services office: its administrator assigns duties to agencies.
const Coordinator = "services"

var agencyCode = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

// Caller is who signed the transaction.
type Caller struct {
	MSP          string // e.g. "MarketMSP"
	Organisation string // e.g. "market"
	Agency       string // full id, e.g. "market.tax"
	Role         Role
}

// Organisation is the short name of an MSP: "MarketMSP" → "market".
func Organisation(msp string) string { return strings.ToLower(strings.TrimSuffix(msp, "MSP")) }

// MSPOf is the MSP id of the organisation an agency belongs to: "market.tax" → "MarketMSP". Empty if the id has no organisation.
func MSPOf(agency string) string {
	organisation, _, ok := strings.Cut(agency, ".")
	if !ok || organisation == "" {
		return ""
	}
	return strings.ToUpper(organisation[:1]) + organisation[1:] + "MSP"
}

// creator is the part of a stub that tells who signed.
type creator interface{ GetCreator() ([]byte, error) }

// stubCreator lets cid read the creator of anything that has one.
type stubCreator struct{ creator }

// FromStub reads the caller from the transaction's creator certificate.
// Faults: access.no_identity, access.no_agency, access.no_role.
func FromStub(stub creator) (Caller, error) {
	id, err := cid.New(stubCreator{stub})
	if err != nil {
		return Caller{}, fault.New(fault.Denied, "access.no_identity", "the transaction's creator is not an X.509 identity of a channel member")
	}
	msp, err := id.GetMSPID()
	if err != nil {
		return Caller{}, fault.New(fault.Denied, "access.no_identity", "the creator names no MSP")
	}
	code, found, err := id.GetAttributeValue(AttributeAgency)
	if err != nil || !found || !agencyCode.MatchString(code) {
		return Caller{}, fault.New(fault.Denied, "access.no_agency", "the certificate has no valid attribute `agency`; enrol an identity of an agency").On("creator.agency", "required")
	}
	role, found, err := id.GetAttributeValue(AttributeRole)
	if err != nil || !found || !slices.Contains(AllRoles, Role(role)) {
		return Caller{}, fault.New(fault.Denied, "access.no_role", "the certificate has no valid attribute `role`").On("creator.role", "required")
	}
	organisation := Organisation(msp)
	if MSPOf(organisation+".") != msp { // two MSP ids must not stand for one organisation
		return Caller{}, fault.New(fault.Denied, "access.no_identity", "the MSP id is not {Organisation}MSP").On("creator.msp", "organisation_msp")
	}
	return Caller{MSP: msp, Organisation: organisation, Agency: organisation + "." + code, Role: Role(role)}, nil
}

// Scope says which records a function lets its caller touch. The kernel checks roles; a scope is checked by the domain's
// transition, which has the record, with Own or OwnOrganisation below. It stands in the table so that the authorisation
// catalogue can show it and a test can try it.
type Scope string

const (
	Any              Scope = "any"          // no restriction beyond the role
	OwnAgency        Scope = "own_agency"   // the record belongs to the caller's agency
	OwnOrganisations Scope = "organisation" // the record belongs to an agency of the caller's organisation
	Coordinating     Scope = "coordinator"  // the caller is of the coordinating organisation
	SubjectSigned    Scope = "subject"      // the request carries the subject's own signature
)

// Rule is one row of the authorisation table, without the function's name.
type Rule struct {
	Roles []Role
	Scope Scope
}

// Everyone may read.
func Everyone() Rule { return Rule{Roles: AllRoles, Scope: Any} }

// Only makes a rule for some roles.
func Only(scope Scope, roles ...Role) Rule { return Rule{Roles: roles, Scope: scope} }

// Check judges the caller's role. Fault: access.role.
func (r Rule) Check(by Caller) error {
	if !slices.Contains(r.Roles, by.Role) {
		return fault.New(fault.Denied, "access.role", "the caller's role may not call this function").On("creator.role", "one_of:"+r.roleList())
	}
	if r.Scope == Coordinating && by.Organisation != Coordinator {
		return fault.New(fault.Denied, "access.organisation", "only the coordinating organisation may call this function").On("creator.organisation", "one_of:"+Coordinator)
	}
	return nil
}

func (r Rule) roleList() string {
	names := make([]string, len(r.Roles))
	for i, role := range r.Roles {
		names[i] = string(role)
	}
	return strings.Join(names, ",")
}

// Own checks that a record of the given agency belongs to the caller. Fault: access.other_agency.
func (c Caller) Own(agency string) error {
	if c.Agency != agency {
		return fault.New(fault.Denied, "access.other_agency", "the record belongs to another agency").On("creator.agency", "owner")
	}
	return nil
}

// OwnOrganisation checks that an agency is of the caller's organisation. Fault: access.other_organisation.
func (c Caller) OwnOrganisation(agency string) error {
	if !strings.HasPrefix(agency, c.Organisation+".") {
		return fault.New(fault.Denied, "access.other_organisation", "the agency belongs to another organisation").On("creator.organisation", "owner")
	}
	return nil
}
