package kernel_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// This file is a whole contract, small. docs/how-to/add-a-transaction.md quotes it; a test below keeps the two together.

// MaxExtensionDays bounds one extension.
const MaxExtensionDays = 90

// ExtendPermit is the request of permit:Extend.
type ExtendPermit struct {
	Permit string `json:"permit"`
	Days   int    `json:"days"`
	Reason string `json:"reason,omitempty"` // code, not prose
}

// Validate checks what can be checked without the ledger.
func (r ExtendPermit) Validate() error {
	if r.Permit == "" {
		return fault.Field("permit", "required", "name the permit")
	}
	if r.Days < 1 || r.Days > MaxExtensionDays {
		return fault.Field("days", fmt.Sprintf("between:1,%d", MaxExtensionDays), "extend by fewer days, or twice")
	}
	return nil
}

// Permit is a permit, valid until a day.
type Permit struct {
	state.Head
	Holder string    `json:"holder"` // pseudonym
	Until  time.Time `json:"until"`
}

// ErrEnded: a permit that has ended is not extended.
var ErrEnded = fault.New(fault.Refused, "permit.ended", "apply for a new permit").On("permit", "not_ended")

// Extend moves the end of the permit. Guards, in this order:
//
//  1. the caller issued the permit: access.other_agency
//  2. it has not ended: permit.ended
func (p Permit) Extend(by access.Caller, r ExtendPermit, now kernel.Moment) (Permit, kernel.Change, error) {
	if err := by.Own(p.Created.By); err != nil {
		return p, kernel.Change{}, err
	}
	if now.Over(p.Until) {
		return p, kernel.Change{}, ErrEnded
	}
	p.Status, p.Until = "extended", p.Until.AddDate(0, 0, r.Days)
	return p, kernel.Change{Type: "permit.extended.v1", ID: p.ID, Subject: p.Holder, Agency: by.Agency}, nil
}

// permits is the collection: one key a permit.
var permits = state.Map[Permit]{Noun: "permit", Parts: []string{"id"}, Doc: "A permit of a holder.",
	Index: func(p Permit) state.Index { return state.Index{Subject: p.Holder, Agency: p.Created.By} }}

// extend is the row of permit:Extend.
var extend = kernel.NewTransition(kernel.Transition[ExtendPermit, Permit]{
	Name: "permit:Extend",
	Rule: access.Only(access.OwnAgency, access.Agency),
	Doc:  "Moves the end of a permit. For the agency that issued it.",
	In:   permits,
	Key:  func(r ExtendPermit) []string { return []string{r.Permit} },
	Apply: func(tx *kernel.Tx, p Permit, r ExtendPermit) (Permit, error) {
		p, change, err := p.Extend(tx.By, r, tx.Now)
		tx.Announce(change) // dropped with the command if there is an error
		return p, err
	},
})

// IssuePermit is the request of permit:Issue.
type IssuePermit struct {
	Holder string `json:"holder"`
	Days   int    `json:"days"`
}

// Validate implements kernel.Validator.
func (r IssuePermit) Validate() error {
	if r.Holder == "" {
		return fault.Field("holder", "required", "name the holder by its pseudonym")
	}
	return nil
}

// issue is the row of permit:Issue. It reads nothing but the key it writes.
var issue = kernel.NewCreate(kernel.Create[IssuePermit, Permit]{
	Name: "permit:Issue",
	Rule: access.Only(access.Any, access.Agency),
	Doc:  "Issues a permit.",
	In:   permits,
	Make: func(tx *kernel.Tx, id string, r IssuePermit) (Permit, error) {
		tx.Announce(kernel.Change{Type: "permit.issued.v1", ID: id, Subject: r.Holder, Agency: tx.By.Agency})
		return Permit{state.Head{Status: "valid"}, r.Holder, tx.At.AddDate(0, 0, r.Days)}, nil
	},
})

// permitContract is the contract with its two functions and the three reads every collection has.
func permitContract() *kernel.Contract {
	return (&kernel.Contract{
		Name: "permit", Doc: "Permits.", Collections: []state.Collection{permits},
		Events: []kernel.Event{
			{Type: "permit.issued.v1", Doc: "A permit was issued."},
			{Type: "permit.extended.v1", Doc: "A permit's end was moved."},
		},
		Functions: append(kernel.Reads(permits), issue, extend),
	}).Build()
}

func TestExtend(t *testing.T) {
	at := ledgertest.Start
	own := access.Caller{Agency: "market.regulation", Role: access.Agency}
	valid := Permit{Head: state.Head{Created: state.Stamp{By: own.Agency}}, Until: at.Add(time.Hour)}
	ended := valid
	ended.Until = at
	for _, c := range []struct {
		name   string
		permit Permit
		by     access.Caller
		want   string // reason
	}{
		{"valid", valid, own, ""},
		{"another agency", valid, access.Caller{Agency: "market.tax"}, "access.other_agency"},
		{"another agency, ended too", ended, access.Caller{Agency: "market.tax"}, "access.other_agency"},
		{"ended this moment", ended, own, "permit.ended"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, change, err := c.permit.Extend(c.by, ExtendPermit{Days: 2}, kernel.At(at))
			if c.want != "" {
				require.Equal(t, c.want, fault.From(err).Reason)
				require.Equal(t, c.permit, got)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.permit.Until.AddDate(0, 0, 2), got.Until)
			require.Equal(t, "permit.extended.v1", change.Type)
		})
	}
}

func TestExtendOnTheLedger(t *testing.T) {
	l := ledgertest.New(permitContract())
	agency := l.As("market.regulation", access.Agency)
	issued, err := agency.Submit("permit:Issue", "case-17", IssuePermit{Holder: "pseudonym", Days: 10})
	require.NoError(t, err)

	_, err = l.As("market.tax", access.Agency).Submit("permit:Extend", "k1", ExtendPermit{Permit: issued.ID, Days: 5})
	require.Equal(t, "access.other_agency", fault.From(err).Reason)

	receipt, err := agency.SubmitAs("4711", "permit:Extend", "k1", ExtendPermit{Permit: issued.ID, Days: 5})
	require.NoError(t, err)
	require.Equal(t, "extended", receipt.Status)

	var permit Permit
	require.NoError(t, agency.Query("permit:Get", kernel.ByID{ID: issued.ID}, &permit))
	require.Equal(t, ledgertest.Start.AddDate(0, 0, 15), permit.Until)
	require.Equal(t, "4711", permit.Changed.Staff)
	require.Equal(t, 2, permit.Version)

	l.Advance(15 * 24 * time.Hour)
	_, err = agency.Submit("permit:Extend", "k2", ExtendPermit{Permit: issued.ID, Days: 5})
	require.ErrorIs(t, err, ErrEnded)
}
