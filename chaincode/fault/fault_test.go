package fault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

var errRevoked = fault.New(fault.Refused, "certificate.already_revoked", "nothing to do")

func TestWireForm(t *testing.T) {
	require.Equal(t, `{"kind":"refused","reason":"certificate.already_revoked","detail":"nothing to do"}`, errRevoked.Wire())
	require.Equal(t, `{"kind":"invalid","reason":"request.invalid","field":"request.id","rule":"required","detail":"send it"}`,
		fault.Field("id", "required", "send it").Under("request").Wire())
}

// TestParse: peers and gateways put text around a chaincode's message.
func TestParse(t *testing.T) {
	wire := errRevoked.Wire()
	for _, c := range []struct {
		name, message string
		found         bool
	}{
		{"bare", wire, true},
		{"as a peer wraps it", "chaincode response 409, " + wire, true},
		{"text after it", wire + " (and more)", true},
		{"a fault that is none before it", `{"kind":"odd","reason":"x"} ` + wire, true},
		{"broken JSON before it", `{"kind": ` + wire, true},
		{"in braces", `{"error":` + wire + `}`, true},
		{"nothing", "", false},
		{"no fault", "chaincode response 500, the disk is full", false},
		{"unknown kind", `{"kind":"odd","reason":"x"}`, false},
		{"no reason", `{"kind":"refused"}`, false},
		{"cut off", wire[:40], false},
		{"wrong type", `{"kind":"refused","reason":7}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, ok := fault.Parse(c.message)
			require.Equal(t, c.found, ok)
			if ok {
				require.Equal(t, errRevoked, f)
			} else {
				require.Nil(t, f)
			}
		})
	}
}

func TestStatusTellsTheKind(t *testing.T) {
	for kind, status := range map[fault.Kind]int32{
		fault.Invalid: 422, fault.Denied: 403, fault.Missing: 404, fault.Conflict: 409, fault.Refused: 409, fault.Limit: 413, fault.Internal: 500, "odd": 500,
	} {
		require.Equal(t, status, fault.New(kind, "x.y", "").Status(), kind)
	}
}

func TestErrors(t *testing.T) {
	wrapped := fmt.Errorf("while revoking: %w", errRevoked.On("id", "status:active"))
	require.ErrorIs(t, wrapped, errRevoked, "a fault is known by its reason")
	require.NotErrorIs(t, wrapped, fault.New(fault.Refused, "certificate.suspended", ""))
	require.NotErrorIs(t, errRevoked, errors.New("certificate.already_revoked"))
	require.Equal(t, "certificate.already_revoked (id: status:active): nothing to do", fault.From(wrapped).Error())
	require.Empty(t, errRevoked.Field, "On changes a copy")

	require.Nil(t, fault.From(nil))
	require.Same(t, errRevoked, fault.From(errRevoked))
	internal := fault.From(errors.New("the disk is full"))
	require.Equal(t, fault.Internal, internal.Kind)
	require.Equal(t, "ledger.failed: the disk is full", internal.Error())

	require.Equal(t, "a.b", fault.Field("b", "r", "").Under("a").Field)
	require.Equal(t, "a", errRevoked.Under("a").Field)
	require.Equal(t, "a[0].b", fault.Field("[0].b", "r", "").Under("a").Field)
}

// FuzzParse: whatever surrounds a fault, it is found whole; whatever else comes, nothing is made of it that is not a fault.
func FuzzParse(f *testing.F) {
	f.Add("chaincode response 409, ", "certificate.revoked", "request.id", "required", "do this", "")
	f.Add(`{"kind":`, "a.b", "", "", "<&>\u2028", `}`)
	f.Add(`{"kind":"refused","reason":7}`, "a.b", "f", "", `"\`, `{"kind":"denied","reason":"x"}`)
	f.Fuzz(func(t *testing.T, before, reason, field, rule, detail, after string) {
		if any, ok := fault.Parse(before); ok && (any.Reason == "" || any.Status() == 0) {
			t.Fatalf("%q makes %#v", before, any)
		}
		want := &fault.Fault{Kind: fault.Refused, Reason: reason, Field: field, Rule: rule, Detail: detail}
		for _, text := range []string{reason, field, rule, detail} {
			if !utf8.ValidString(text) {
				return
			}
		}
		if reason == "" || strings.Contains(before, "{") { // what stands before may be a fault of its own
			return
		}
		got, ok := fault.Parse(before + want.Wire() + after)
		if !ok || *got != *want {
			t.Fatalf("%#v came back as %#v", want, got)
		}
	})
}
