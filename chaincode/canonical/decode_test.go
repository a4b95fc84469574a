package canonical_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

type terms struct {
	Purposes []string  `json:"purposes"`
	Until    time.Time `json:"until"`
}

type embedded struct {
	Staff string `json:"staff,omitempty"`
}

type request struct {
	embedded
	ID     string            `json:"id"`
	Count  int               `json:"count,omitempty"`
	Share  float64           `json:"share,omitempty"`
	Urgent bool              `json:"urgent,omitempty"`
	Terms  terms             `json:"terms"`
	More   []terms           `json:"more,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	Option *terms            `json:"option,omitempty"`
	Body   json.RawMessage   `json:"body,omitempty"`
}

// good is a request that has every required member.
const good = `{"id":"a","terms":{"purposes":["x"],"until":"2026-03-02T09:00:00Z"}}`

// with puts another member into good.
func with(member string) string { return strings.Replace(good, `{`, `{`+member+`,`, 1) }

// swap replaces text in good.
func swap(old, new string) string { return strings.Replace(good, old, new, 1) }

func TestDecode(t *testing.T) {
	for _, c := range []struct{ name, text, field, rule string }{
		{"good", good, "", ""},
		{"other order and space", ` { "terms" : {"until":"2026-03-02T09:00:00Z", "purposes":["x"]}, "id":"a" } `, "", ""},
		{"every optional member", with(`"staff":"7","count":1,"share":0.5,"urgent":true,"more":[{"purposes":[],"until":"2026-03-02T09:00:00Z"}],"labels":{"any name":"v"},"option":{"purposes":["y"],"until":"2026-03-02T09:00:00Z"},"body":{"b":2,"a":1}`), "", ""},

		{"unknown member", with(`"surprise":1`), "surprise", "unknown_field"},
		{"unknown member below", swap(`"purposes"`, `"surprise":1,"purposes"`), "terms.surprise", "unknown_field"},
		{"unknown member in a list", with(`"more":[{"purposes":[],"until":"2026-03-02T09:00:00Z"},{"purposes":[],"until":"2026-03-02T09:00:00Z","surprise":{}}]`), "more[1].surprise", "unknown_field"},
		{"unknown member named like data", with(`"李雷 110101199001011234":1`), "", "unknown_field"},
		{"unknown member with a very long name", with(`"` + strings.Repeat("x", 200) + `":1`), "", "unknown_field"},
		{"name in another case", swap(`"id"`, `"ID"`), "ID", "unknown_field"},
		{"name in another case below", swap(`"until"`, `"Until"`), "terms.Until", "unknown_field"},
		{"name in both cases", with(`"ID":"b"`), "ID", "unknown_field"},
		{"duplicate name", with(`"id":"b"`), "id", "unique_name"},
		{"duplicate name, written differently", with(`"\u0069d":"b"`), "id", "unique_name"},
		{"duplicate name below", swap(`"purposes"`, `"until":"2026-03-02T09:00:00Z","purposes"`), "terms.until", "unique_name"},
		{"duplicate name in free JSON", with(`"body":{"a":1,"a":2}`), "body.a", "unique_name"},

		{"number for string", swap(`"a"`, `1`), "id", "type:string"},
		{"string for integer", with(`"count":"1"`), "count", "type:integer"},
		{"fraction for integer", with(`"count":1.5`), "count", "type:integer"},
		{"boolean for number", with(`"share":true`), "share", "type:number"},
		{"string for boolean", with(`"urgent":"true"`), "urgent", "type:boolean"},
		{"object for array", swap(`["x"]`, `{"x":1}`), "terms.purposes", "type:array"},
		{"number in an array of strings", swap(`["x"]`, `["x",2]`), "terms.purposes[1]", "type:string"},
		{"array for object", swap(`{"purposes":["x"],"until":"2026-03-02T09:00:00Z"}`, `[]`), "terms", "type:object"},
		{"number in a map", with(`"labels":{"a":"x","b":1}`), "labels.b", "type:string"},
		{"text for object behind a pointer", with(`"option":"x"`), "option", "type:object"},
		{"number for embedded member", with(`"staff":7`), "staff", "type:string"},
		{"no time", swap(`"2026-03-02T09:00:00Z"`, `"yesterday"`), "terms.until", "type:date-time"},
		{"number for time", swap(`"2026-03-02T09:00:00Z"`, `1772442000`), "terms.until", "type:date-time"},
		{"no time in a list", with(`"more":[{"purposes":[],"until":"soon"}]`), "more[0].until", "type:date-time"},
		{"time with needless zeros", swap(`09:00:00Z`, `09:00:00.000Z`), "terms.until", "canonical"},

		{"required member absent", swap(`"id":"a",`, ``), "id", "required"},
		{"required member absent below", swap(`"purposes":["x"],`, ``), "terms.purposes", "required"},
		{"required object absent", `{"id":"a"}`, "terms", "required"},
		{"null for required", swap(`"a"`, `null`), "id", "not_null"},
		{"empty optional text", with(`"staff":""`), "staff", "omit_empty"},
		{"empty optional number", with(`"count":0`), "count", "omit_empty"},
		{"empty optional boolean", with(`"urgent":false`), "urgent", "omit_empty"},
		{"empty optional list", with(`"more":[]`), "more", "omit_empty"},
		{"empty optional map", with(`"labels":{}`), "labels", "omit_empty"},
		{"null for optional", with(`"option":null`), "option", "omit_empty"},

		{"big integer", with(`"count":9007199254740993`), "count", "safe_integer"},
		{"big integer in free JSON", with(`"body":[1,{"n":9007199254740993}]`), "body[1].n", "safe_integer"},
		{"too deep", with(`"body":` + strings.Repeat("[", 33) + strings.Repeat("]", 33)), "body[0]…", "max_depth:32"},

		{"nothing", "", "", "json"},
		{"only space", "  \n", "", "json"},
		{"cut off", good[:20], "terms", "json"},
		{"trailing text", good + "x", "", "single_document"},
		{"trailing comma", good + ",", "", "single_document"},
		{"two documents", good + good, "", "single_document"},
		{"comment", `{/* */}`, "", "json"},
		{"not Unicode", swap(`"a"`, "\"\xff\""), "id", "json"},
		{"lone surrogate", swap(`"a"`, `"\ud800"`), "id", "json"},
		{"null", "null", "", "not_null"},
		{"array", "[]", "", "type:object"},
		{"text", `"a"`, "", "type:object"},
		{"leading zero", with(`"count":01`), "count", "json"},
		{"not a number", with(`"share":NaN`), "share", "json"},
		{"plus sign", with(`"share":+1`), "share", "json"},
		{"bare point", with(`"share":1.`), "share", "json"},
		{"bare exponent", with(`"share":1e`), "share", "json"},
		{"bare minus", with(`"share":-`), "share", "json"},
		{"hexadecimal", with(`"count":0x1`), "", "json"},
		{"unknown escape", swap(`"a"`, `"\x"`), "id", "json"},
		{"cut escape", swap(`"a"`, `"\u12"`), "id", "json"},
		{"surrogates the wrong way round", swap(`"a"`, `"\udc00\ud800"`), "id", "json"},
		{"control character", swap(`"a"`, "\"\x01\""), "id", "json"},
		{"missing colon", `{"id" "a"}`, "", "json"},
		{"missing comma", `{"id":"a" "b":"c"}`, "", "json"},
		{"comma before the end", `{"id":"a",}`, "", "json"},
		{"comma at the start", `{,"id":"a"}`, "", "json"},
		{"comma before the end of a list", `{"id":["a",]}`, "id[1]", "json"},
		{"unclosed list", `{"id":["a"`, "id", "json"},
		{"name that is no text", `{1:"a"}`, "", "json"},
		{"byte order mark", "\xef\xbb\xbf" + good, "", "json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r request
			err := canonical.Decode([]byte(c.text), &r)
			if c.rule == "" {
				require.NoError(t, err)
				return
			}
			var f *fault.Fault
			require.ErrorAs(t, err, &f)
			require.Equal(t, fault.Invalid, f.Kind)
			require.Equal(t, "request.invalid", f.Reason)
			require.Equal(t, c.rule, f.Rule)
			if f.Rule == "max_depth:32" {
				require.True(t, strings.HasPrefix(f.Field, "body[0]"), f.Field)
				return
			}
			require.Equal(t, c.field, f.Field)
			require.NotEmpty(t, f.Detail)
		})
	}
}

// TestFaultsDoNotRepeatValues: what a caller sent may be personal data.
func TestFaultsDoNotRepeatValues(t *testing.T) {
	const secret = "110101199001011234"
	for _, text := range []string{
		swap(`"a"`, secret), swap(`"2026-03-02T09:00:00Z"`, `"`+secret+`"`), with(`"count":"` + secret + `"`), with(`"count":` + secret),
		good + secret, `{"id":"` + secret, with(`"` + secret + ` x":1`), swap(`["x"]`, `"`+secret+`"`), `"` + secret + `"`, "{" + secret + ":1}",
	} {
		err := canonical.Decode([]byte(text), new(request))
		require.Error(t, err, text)
		require.NotContains(t, fmt.Sprintf("%#v", fault.From(err)), secret, text)
	}
}

func TestDepth(t *testing.T) {
	nested := func(depth int) []byte {
		return []byte(strings.Repeat("[", depth) + strings.Repeat("]", depth))
	}
	var v any
	require.NoError(t, canonical.Decode(nested(canonical.MaxDepth+1), &v)) // values stand at depths 0 to MaxDepth
	require.Error(t, canonical.Decode(nested(canonical.MaxDepth+2), &v))
	require.NoError(t, canonical.DecodeEnvelope(nested(canonical.MaxDepth+canonical.EnvelopeDepth+1), &v))
	require.Error(t, canonical.DecodeEnvelope(nested(canonical.MaxDepth+canonical.EnvelopeDepth+2), &v))
	require.Error(t, canonical.Decode(nested(1_000_000), &v))
}

// FuzzDecode: whatever comes in is refused with a fault of form, or has one form that decodes to itself.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{good, with(`"count":9007199254740993`), `{"id":"\ud800"}`, "[[[[", with(`"body":{"a":[1e400,-0]}`), swap("09:00:00Z", "09:00:00.5+08:00")} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r request
		if err := canonical.Decode(raw, &r); err != nil {
			var f *fault.Fault
			if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Rule == "" {
				t.Fatalf("not a fault of form: %v", err)
			}
			return
		}
		canon, err := canonical.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := canonical.Transform(raw)
		if err != nil || string(sent) != string(canon) {
			t.Fatalf("accepted %q, understood %q", raw, canon)
		}
		var again request
		if err := canonical.Decode(canon, &again); err != nil {
			t.Fatalf("the canonical form is refused: %v", err)
		}
	})
}
