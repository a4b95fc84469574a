package exchange_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func sealed(t *testing.T, s exchange.Sealed) []byte {
	t.Helper()
	raw, err := json.Marshal(s)
	require.NoError(t, err)
	return raw
}

func TestWaits(t *testing.T) {
	u := used(1)
	u.Status, u.Delivery = exchange.Delivered, hashB
	right := exchange.Sealed{Commitment: hashB, To: tax, Sealed: "AAAA"}
	require.NoError(t, u.Waits(sealed(t, right)))
	for name, c := range map[string]struct {
		payload []byte
		reason  string
	}{
		"nothing":                  {nil, "exchange.payload_missing"},
		"too large":                {[]byte(strings.Repeat(" ", exchange.MaxWaitingBytes+1)), "exchange.payload_too_large"},
		"not JSON":                 {[]byte("hello"), "exchange.payload_mismatch"},
		"another commitment":       {sealed(t, exchange.Sealed{Commitment: hashA, To: tax, Sealed: "AAAA"}), "exchange.payload_mismatch"},
		"sealed to another":        {sealed(t, exchange.Sealed{Commitment: hashB, To: police, Sealed: "AAAA"}), "exchange.payload_mismatch"},
		"nothing in it":            {sealed(t, exchange.Sealed{Commitment: hashB, To: tax}), "exchange.payload_mismatch"},
		"a member that is unknown": {[]byte(`{"commitment":"` + hashB + `","to":"` + tax + `","sealed":"AAAA","more":1}`), "exchange.payload_mismatch"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.reason, reason(u.Waits(c.payload))) })
	}
}

func TestPurgeUse(t *testing.T) {
	type world struct {
		by  access.Caller
		use exchange.Use
	}
	fresh := func() *world {
		u := used(1)
		u.Status, u.Delivery, u.Waiting = exchange.Acknowledged, hashB, true
		return &world{asTax, u}
	}
	request := exchange.PurgeUse{Use: useID, Reason: "case.over"}
	require.NoError(t, request.Validate())
	other := housing
	run := func(w *world) error {
		u, event, err := w.use.Purge(w.by, request)
		if err == nil {
			require.Equal(t, exchange.Acknowledged, u.Status)
			require.Equal(t, hashB, u.Delivery, "the evidence stays")
			require.Equal(t, "case.over", u.Purged)
			require.False(t, u.Waiting)
			require.Equal(t, kernel.Change{Type: exchange.EventUsePurged, ID: useID, Subject: alice, Agency: other, Case: caseID}, event)
		}
		return err
	}
	checkGuards(t, exchange.UsePurge, fresh, run, []guard[world]{
		{"neither provider nor consumer", func(w *world) { w.by = asPolice }, "access.other_agency"},
		{"purged before", func(w *world) { w.use.Purged = "asked" }, "exchange.already_purged"},
		{"nothing delivered", func(w *world) { w.use.Status, w.use.Delivery = exchange.Requested, "" }, "exchange.not_delivered"},
	})
	w := fresh()
	w.by, other = asHouse, tax
	require.NoError(t, run(w), "the provider may, too")
}
