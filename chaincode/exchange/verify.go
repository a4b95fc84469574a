package exchange

import (
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/claim"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// UseVerify verifies claims against a commitment, with no provider online.
const UseVerify = "use:Verify"

// EventUseVerified is a verification against a commitment.
const EventUseVerified = "use.verified.v1"

var verifyEvents = []kernel.Event{
	{Type: EventUseVerified, Doc: "An agency verified claims against a commitment to a subject's record. id: the use; agency: the provider."},
}

// What a grant allows (Terms.Modes).
const (
	ModeFetch  = "fetch"  // the granted fields may be delivered
	ModeVerify = "verify" // claims about them may be asked
)

// ErrModeOutside: a grant to verify is none to fetch, and the reverse.
var ErrModeOutside = fault.New(fault.Refused, "exchange.mode_not_granted", "the grant allows only to verify, or only to fetch; ask for one that allows this").On("request.claims", "within:grant.modes")

// VerifyUse records that the caller's agency verified claims against the commitment to a subject's record (the consumer's
// service identity). Selector is absent: nobody looks the record up. Claims commits to what was asked, Answer to what was
// answered; both are documents (package claim) that the consumer keeps.
type VerifyUse struct {
	RequestUse
	Openings []Opening `json:"openings"` // of Fields, in their order
	Answer   string    `json:"answer"`
}

// checkModes checks what a grant is to allow.
func checkModes(field string, modes []string) error {
	if len(modes) == 0 {
		return nil
	}
	return checkList(field, modes, 1, 2, func(at, mode string) error { return oneOf(at, mode, []string{ModeFetch, ModeVerify}) })
}

// Allow says whether the terms allow a mode.
func (t Terms) Allow(mode string) bool { return subset([]string{mode}, t.modes()) }

// modes are what the terms allow: to fetch, where they do not say.
func (t Terms) modes() []string {
	if len(t.Modes) == 0 {
		return []string{ModeFetch}
	}
	return t.Modes
}

// Mode is what the request needs to be granted.
func (r RequestUse) Mode() string {
	if r.Claims != "" {
		return ModeVerify
	}
	return ModeFetch
}

// Validate implements kernel.Validator.
func (r VerifyUse) Validate() error {
	if r.Selector != "" {
		return fault.Field("selector", "absent", "a commitment is found by its subject; leave the selector out")
	}
	if err := r.RequestUse.validate(); err != nil {
		return err
	}
	if err := checkCommitment("claims", r.Claims); err != nil {
		return err
	}
	if err := checkCommitment("answer", r.Answer); err != nil {
		return err
	}
	if len(r.Fields) > claim.MaxClaims {
		return fault.Field("fields", fmt.Sprintf("max_items:%d", claim.MaxClaims), "verify fewer fields at once")
	}
	if len(r.Openings) != len(r.Fields) {
		return fault.Field("openings", "one_for_each:fields", "open each field, in the order of fields")
	}
	for i, o := range r.Openings {
		at := fmt.Sprintf("openings[%d]", i)
		if err := commitment.Check(at+".leaf", o.Leaf); err != nil {
			return err
		}
		if err := (commitment.Proof{Fields: 1, Path: o.Path}).Check(); err != nil {
			return fault.Field(at+".path", "hashes", "send the path as it came with the field")
		}
	}
	return nil
}

// Verify judges the openings against the commitment and makes the use, which was requested as any other (RequestUse.Request),
// the evidence of it. The finding is the use's status; the answer stands only where it is proven.
func (r VerifyUse) Verify(u Use, c Commitment, now kernel.Moment) (Use, kernel.Change) {
	u.Status, u.Root, u.Until = c.Find(r.Fields, r.Openings, now), c.Root, now.At
	if u.Status == Proven {
		u.Delivery = r.Answer
	}
	return u, u.change(EventUseVerified, u.Provider)
}

// Mode is what the use needs to be granted.
func (u Use) Mode() string { return RequestUse{Claims: u.Claims}.Mode() }

// Verified says whether the use is one against a commitment: it was done when it was recorded, and nothing is delivered.
func (u Use) Verified() bool { return u.Claims != "" && u.Selector == "" }

// Ordinal implements kernel.Numbered.
func (u Use) Ordinal() int { return u.Number }
