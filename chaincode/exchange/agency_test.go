package exchange_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

func agency(id string, duties ...string) exchange.Agency {
	return exchange.Agency{
		Head: state.Head{ID: id, Status: exchange.Registered}, Name: title, ExchangeKey: public(keys[alice]),
		Gateway: "https://127.0.0.1:7443", Duties: duties,
	}
}

func TestRegisterAgency(t *testing.T) {
	type world struct {
		by      access.Caller
		request exchange.RegisterAgency
	}
	fresh := func() *world {
		return &world{asTax, exchange.RegisterAgency{Code: "tax", Name: title, ExchangeKey: public(keys[alice]), Gateway: "https://127.0.0.1:7443"}}
	}
	run := func(w *world) error {
		require.NoError(t, w.request.Validate())
		a, event, err := w.request.Register(w.by)
		if err == nil {
			want := agency(tax)
			want.Duties = []string{}
			require.Equal(t, want, a)
			require.Equal(t, kernel.Change{Type: exchange.EventAgencyRegistered, ID: tax, Agency: tax}, event)
		}
		return err
	}
	checkGuards(t, exchange.AgencyRegister, fresh, run, []guard[world]{
		{"code of another agency", func(w *world) { w.request.Code = "regulation" }, "access.other_agency"},
	})
}

func TestUpdateAgency(t *testing.T) {
	type world struct {
		by     access.Caller
		agency exchange.Agency
	}
	request := exchange.UpdateAgency{Agency: tax, Name: exchange.Text{Zh: "税务", En: "Tax"}, ExchangeKey: public(keys[bob]), Gateway: "https://tax.example:443"}
	require.NoError(t, request.Validate())
	run := func(w *world) error {
		a, event, err := w.agency.Update(w.by, request)
		if err == nil {
			require.Equal(t, request.Name, a.Name)
			require.Equal(t, request.ExchangeKey, a.ExchangeKey)
			require.Equal(t, request.Gateway, a.Gateway)
			require.Equal(t, []string{exchange.DutyPortal}, a.Duties, "an agency does not change its own duties")
			require.Equal(t, kernel.Change{Type: exchange.EventAgencyUpdated, ID: tax, Agency: tax}, event)
		}
		return err
	}
	checkGuards(t, exchange.AgencyUpdate, func() *world { return &world{asTax, agency(tax, exchange.DutyPortal)} }, run, []guard[world]{
		{"another agency", func(w *world) { w.by = asHouse }, "access.other_agency"},
	})
}

func TestAssignDuties(t *testing.T) {
	for _, duties := range [][]string{{}, {exchange.DutyIdentity}, {exchange.DutyIdentity, exchange.DutyPortal}} {
		request := exchange.AssignDuties{Agency: police, Duties: duties}
		require.NoError(t, request.Validate())
		a, event, err := agency(police, exchange.DutyPortal).Assign(request)
		require.NoError(t, err)
		require.Equal(t, duties, a.Duties)
		require.Equal(t, kernel.Change{Type: exchange.EventAgencyAssigned, ID: police, Agency: police}, event)
	}
	require.Empty(t, documented(t, exchange.AgencyAssign))
}
