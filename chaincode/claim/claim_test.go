package claim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/claim"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

func raw(text string) json.RawMessage { return json.RawMessage(text) }

func kindOf(field string) string {
	return map[string]string{"name": "string", "area": "integer", "open": "boolean", "since": "date"}[field]
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		kind, is, claimed, value string
		want                     string // verdict, or unknown with its reason
	}{
		{"string", "equals", `"a"`, `"a"`, "yes"},
		{"string", "equals", `"a"`, `"A"`, "no"},
		{"string", "equals", `"a"`, `"a "`, "no"},
		{"string", "equals", `""`, `""`, "yes"},
		{"string", "equals", `"\u00e9"`, `"e\u0301"`, "yes"}, // two encodings of é
		{"string", "equals", `"\u1112\u1161\u11ab"`, `"\ud55c"`, "yes"},
		{"string", "equals", `"1"`, `"１"`, "no"},       // full width: NFKC would fold it
		{"string", "equals", `"株"`, `"㈱"`, "no"},       // a compatibility character
		{"string", "equals", `"戶"`, `"户"`, "no"},       // traditional and simplified
		{"string", "equals", `"fi"`, `"ﬁ"`, "no"},      // a ligature
		{"string", "equals", `"塚"`, `"\ufa10"`, "yes"}, // which Unicode has as the same ideograph
		{"string", "equals", `"1"`, `1`, "unknown not_comparable"},
		{"string", "equals", `"a"`, `null`, "unknown no_value"},
		{"string", "equals", `"a"`, ` null `, "unknown no_value"},
		{"string", "equals", `"null"`, `null`, "unknown no_value"},
		{"string", "equals", `"a"`, ``, "unknown no_value"},
		{"string", "equals", `"a"`, `["a"]`, "unknown not_comparable"},
		{"string", "member_of", `["a","b"]`, `"b"`, "yes"},
		{"string", "member_of", `["a","b"]`, `"c"`, "no"},
		{"string", "member_of", `["e\u0301"]`, `"\u00e9"`, "yes"},
		{"integer", "equals", `1`, `1`, "yes"},
		{"integer", "equals", `1`, `1.0`, "yes"},
		{"integer", "equals", `10`, `1e1`, "yes"},
		{"integer", "equals", `0`, `-0`, "yes"},
		{"integer", "equals", `1`, `1.5`, "unknown not_comparable"},
		{"integer", "equals", `1`, `"1"`, "unknown not_comparable"},
		{"integer", "equals", `1`, `"NaN"`, "unknown not_comparable"},
		{"integer", "equals", `1`, `NaN`, "unknown not_comparable"},
		{"integer", "equals", `1`, `true`, "unknown not_comparable"},
		{"integer", "equals", `1`, `9007199254740992`, "unknown not_comparable"}, // JSON would carry it changed
		{"integer", "equals", `1`, `1e400`, "unknown not_comparable"},
		{"integer", "equals", `9007199254740991`, `9007199254740991`, "yes"},
		{"integer", "at_least", `50`, `50`, "yes"},
		{"integer", "at_least", `50`, `49`, "no"},
		{"integer", "at_least", `-5`, `-4`, "yes"},
		{"integer", "at_most", `50`, `50`, "yes"},
		{"integer", "at_most", `50`, `51`, "no"},
		{"integer", "at_most", `50`, `null`, "unknown no_value"},
		{"integer", "member_of", `[1,2]`, `2`, "yes"},
		{"integer", "member_of", `[1,2]`, `3`, "no"},
		{"boolean", "equals", `true`, `true`, "yes"},
		{"boolean", "equals", `true`, `false`, "no"},
		{"boolean", "equals", `false`, `false`, "yes"},
		{"boolean", "equals", `false`, `null`, "unknown no_value"},
		{"boolean", "equals", `true`, `1`, "unknown not_comparable"},
		{"date", "equals", `"2026-02-28"`, `"2026-02-28"`, "yes"},
		{"date", "before", `"2026-03-01"`, `"2026-02-28"`, "yes"},
		{"date", "before", `"2026-03-01"`, `"2026-03-01"`, "no"},
		{"date", "after", `"2026-03-01"`, `"2026-03-01"`, "no"},
		{"date", "after", `"2026-03-01"`, `"2026-03-02"`, "yes"},
		{"date", "after", `"0999-12-31"`, `"1000-01-01"`, "yes"},
		{"date", "before", `"2026-03-01"`, `"2026-02-30"`, "unknown not_comparable"},
		{"date", "before", `"2026-03-01"`, `"20260228"`, "unknown not_comparable"},
		{"date", "member_of", `["2026-03-01"]`, `"2026-03-01"`, "yes"},
		{"number", "equals", `1`, `1`, "unknown not_comparable"}, // a type there is not
	} {
		t.Run(fmt.Sprintf("%s %s %s %s", c.kind, c.is, c.claimed, c.value), func(t *testing.T) {
			got := claim.Claim{Field: "x", Is: c.is, Value: raw(c.claimed)}.Judge(c.kind, raw(c.value))
			require.Equal(t, c.want, strings.TrimSpace(got.Verdict+" "+got.Reason))
		})
	}
}

// The order of claims about numbers and days is that of numbers and days, worked out here another way.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := int64(canonical.MaxSafeInteger)
		a, b := rapid.Int64Range(-limit, limit).Draw(t, "a"), rapid.Int64Range(-limit, limit).Draw(t, "b")
		judge := func(is, kind string, claimed, value any) bool {
			left, err := json.Marshal(claimed)
			require.NoError(t, err)
			right, err := json.Marshal(value)
			require.NoError(t, err)
			got := claim.Claim{Field: "x", Is: is, Value: left}.Judge(kind, right)
			require.NotEqual(t, claim.Unknown, got.Verdict)
			return got.Verdict == claim.Yes
		}
		require.Equal(t, a >= b, judge(claim.AtLeast, "integer", b, a))
		require.Equal(t, a <= b, judge(claim.AtMost, "integer", b, a))
		require.Equal(t, a == b, judge(claim.Equals, "integer", b, a))
		require.Equal(t, a == b || a == 7, judge(claim.MemberOf, "integer", []int64{b, 7}, a))
		start := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
		x, y := start.AddDate(0, 0, rapid.IntRange(0, 3_600_000).Draw(t, "x")), start.AddDate(0, 0, rapid.IntRange(0, 3_600_000).Draw(t, "y"))
		day := func(t time.Time) string { return t.Format(time.DateOnly) }
		require.Equal(t, x.Before(y), judge(claim.Before, "date", day(y), day(x)))
		require.Equal(t, x.After(y), judge(claim.After, "date", day(y), day(x)))
	})
}

// Whatever a value is, a claim of its type is answered, and what cannot be read is never no.
func TestAnythingIsAnswered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.SliceOf(rapid.Byte()).Draw(t, "value")
		for _, c := range []struct{ is, kind, claimed string }{
			{"equals", "string", `"a"`}, {"at_least", "integer", `1`}, {"equals", "boolean", `true`}, {"before", "date", `"2026-03-01"`},
		} {
			got := claim.Claim{Field: "x", Is: c.is, Value: raw(c.claimed)}.Judge(c.kind, value)
			if !json.Valid(value) {
				require.Equal(t, claim.Unknown, got.Verdict)
			}
			require.Equal(t, got.Verdict == claim.Unknown, got.Reason != "")
		}
	})
}

func TestClaimsRefused(t *testing.T) {
	fine := claim.Claim{Field: "area", Is: "at_least", Value: raw(`1`)}
	list := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("1,", n), ",") + "]" }
	for _, c := range []struct {
		name        string
		claims      []claim.Claim
		field, rule string
	}{
		{"none", nil, "claims", "length:1,8"},
		{"too many", make([]claim.Claim, claim.MaxClaims+1), "claims", "length:1,8"},
		{"no such field", []claim.Claim{fine, {"owner", "equals", raw(`"x"`)}}, "claims[1].field", "one_of:dataset.fields"},
		{"nothing of this kind", []claim.Claim{{"area", "resembles", raw(`1`)}}, "claims[0].is", "one_of:[equals member_of at_least at_most before after]"},
		{"a string ordered", []claim.Claim{{"name", "at_least", raw(`"a"`)}}, "claims[0].is", "fits:string"},
		{"a number before", []claim.Claim{{"area", "before", raw(`1`)}}, "claims[0].is", "fits:integer"},
		{"a boolean among several", []claim.Claim{{"open", "member_of", raw(`[true]`)}}, "claims[0].is", "fits:boolean"},
		{"a date at least", []claim.Claim{{"since", "at_least", raw(`"2026-03-01"`)}}, "claims[0].is", "fits:date"},
		{"null", []claim.Claim{{"name", "equals", raw(`null`)}}, "claims[0].value", "type:string"},
		{"a fraction", []claim.Claim{{"area", "equals", raw(`1.5`)}}, "claims[0].value", "type:integer"},
		{"a text for a number", []claim.Claim{{"area", "equals", raw(`"1"`)}}, "claims[0].value", "type:integer"},
		{"no day", []claim.Claim{{"since", "after", raw(`"2026-02-29"`)}}, "claims[0].value", "type:date"},
		{"a long text", []claim.Claim{{"name", "equals", raw(`"` + strings.Repeat("字", claim.MaxText+1) + `"`)}}, "claims[0].value", "type:string"},
		{"no list", []claim.Claim{{"area", "member_of", raw(`1`)}}, "claims[0].value", "length:1,32"},
		{"an empty list", []claim.Claim{{"area", "member_of", raw(`[]`)}}, "claims[0].value", "length:1,32"},
		{"a long list", []claim.Claim{{"area", "member_of", raw(list(claim.MaxMembers + 1))}}, "claims[0].value", "length:1,32"},
		{"a list of another type", []claim.Claim{{"area", "member_of", raw(`[1,"2"]`)}}, "claims[0].value[1]", "type:integer"},
		{"a search", []claim.Claim{fine, {"area", "at_most", raw(`9`)}, {"area", "at_least", raw(`5`)}}, "claims[2].is", "max_bounds:2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fault.From(claim.Check(c.claims, kindOf))
			require.NotNil(t, f)
			require.Equal(t, [3]string{"request.invalid", c.field, c.rule}, [3]string{f.Reason, f.Field, f.Rule})
		})
	}
	require.NoError(t, claim.Check([]claim.Claim{
		fine, {"area", "at_most", raw(`9`)}, {"area", "equals", raw(`5`)}, {"area", "member_of", raw(list(claim.MaxMembers))},
		{"name", "equals", raw(`"` + strings.Repeat("字", claim.MaxText) + `"`)}, {"open", "equals", raw(`false`)}, {"since", "before", raw(`"2024-02-29"`)},
	}, kindOf))
}

func TestDocuments(t *testing.T) {
	claims := []claim.Claim{{"area", "at_least", raw(`1`)}, {"name", "member_of", raw(`["a","b"]`)}}
	require.Equal(t, []string{"area", "name"}, claim.Fields(append(claims, claims[0])))
	values, err := claim.Values(claims)
	require.NoError(t, err)
	plain := map[string]any{}
	for name, value := range values {
		plain[name] = value
	}
	d, err := commitment.New(plain)
	require.NoError(t, err)
	back, err := claim.FromDocument[claim.Claim](d)
	require.NoError(t, err)
	require.Equal(t, claims, back)

	other := d
	other.Fields = []commitment.Field{d.Fields[1]}
	_, err = claim.FromDocument[claim.Claim](other)
	require.Equal(t, "fields[0]", fault.From(err).Field)
	_, err = claim.FromDocument[claim.Verdict](d)
	require.Error(t, err)
	_, err = claim.FromDocument[claim.Claim](commitment.Document{})
	require.Equal(t, "fields", fault.From(err).Field)
	_, err = claim.Values([]claim.Claim{{"area", "equals", raw(`"\ud800"`)}})
	require.Equal(t, "claims[0]", fault.From(err).Field, "text that is not Unicode")
}
