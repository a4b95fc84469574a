package canonical_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

func TestVectorsOfRFC8785(t *testing.T) {
	inputs, err := filepath.Glob("testdata/jcs/input/*.json")
	require.NoError(t, err)
	require.Len(t, inputs, 6)
	for _, input := range inputs {
		name := strings.TrimSuffix(filepath.Base(input), ".json")
		t.Run(name, func(t *testing.T) {
			got, err := canonical.Transform(read(t, input))
			require.NoError(t, err)
			require.Equal(t, string(read(t, "testdata/jcs/output/"+name+".json")), string(got))
			want, err := hex.DecodeString(strings.Join(strings.Fields(string(read(t, "testdata/jcs/outhex/"+name+".txt"))), ""))
			require.NoError(t, err)
			require.Equal(t, want, got)
			again, err := canonical.Transform(got)
			require.NoError(t, err)
			require.Equal(t, got, again)
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	return raw
}

// TestNumbers has RFC 8785 appendix B's table as far as JSON can write it, and what must be refused.
func TestNumbers(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"0", "0"}, {"-0", "0"}, {"5e-324", "5e-324"}, {"-5e-324", "-5e-324"},
		{"1.7976931348623157e+308", "1.7976931348623157e+308"},
		{"9007199254740991", "9007199254740991"}, {"-9007199254740991", "-9007199254740991"},
		{"295147905179352830000e0", "295147905179352830000"},
		{"9.999999999999997e22", "9.999999999999997e+22"}, {"1e+23", "1e+23"}, {"1.0000000000000001e23", "1.0000000000000001e+23"},
		{"999999999999999700000e0", "999999999999999700000"}, {"1e21", "1e+21"},
		{"333333333.3333332", "333333333.3333332"}, {"333333333.33333329", "333333333.3333333"},
		{"0.000001", "0.000001"}, {"1e-7", "1e-7"}, {"1.0", "1"}, {"1E2", "100"}, {"1e-400", "0"},
		{"9007199254740992", ""}, {"-9007199254740992", ""}, {"9007199254740993.0", ""}, {"900719925474099.3e1", ""},
		{"10000000000000000000000000000000000000001e0", ""}, {"1e400", ""}, {"123456789012345678901234567890", ""},
	} {
		t.Run(c.in, func(t *testing.T) {
			got, err := canonical.Transform([]byte(`{"n":[` + c.in + `]}`))
			if c.want == "" {
				require.Equal(t, &fault.Fault{Kind: fault.Invalid, Reason: "request.invalid", Field: "n[0]", Rule: "safe_integer", Detail: "send integers beyond 2^53-1 as strings"}, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, `{"n":[`+c.want+`]}`, string(got))
		})
	}
}

func TestDigestIsThatOfTheContent(t *testing.T) {
	a, err := canonical.Digest(json.RawMessage(`{"b":1.0,"a":"\u00e9"}`))
	require.NoError(t, err)
	b, err := canonical.Digest(map[string]any{"a": "é", "b": 1})
	require.NoError(t, err)
	require.Equal(t, a, b)
	require.Equal(t, canonical.Sum([]byte(`{"a":"é","b":1}`)), a)
	require.Len(t, a, 64)
}

// TestOrderOfNames is by UTF-16 code units: a surrogate pair sorts before U+E000 and above.
func TestOrderOfNames(t *testing.T) {
	got, err := canonical.Transform([]byte(`{"\uffff":1,"😀":2,"\ue000":3,"a":4,"é":5,"ab":6,"":7,"😁":8,"a\u0000":9,"\ud7ff":10}`))
	require.NoError(t, err)
	require.Equal(t, "{\"\":7,\"a\":4,\"a\\u0000\":9,\"ab\":6,\"é\":5,\"\ud7ff\":10,\"😀\":2,\"😁\":8,\"\ue000\":3,\"\uffff\":1}", string(got))
}

// TestTransformIsAFunctionOfTheContent: whatever the order of members and the space between them.
func TestTransformIsAFunctionOfTheContent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		document := document(t, 0)
		raw, err := json.Marshal(document)
		require.NoError(t, err)
		canon, err := canonical.Transform(raw)
		require.NoError(t, err)
		var indented bytes.Buffer
		require.NoError(t, json.Indent(&indented, raw, " ", "\t"))
		again, err := canonical.Transform(indented.Bytes())
		require.NoError(t, err)
		require.Equal(t, canon, again)
		var back any
		require.NoError(t, json.Unmarshal(canon, &back))
		marshalled, err := canonical.Marshal(back)
		require.NoError(t, err)
		require.Equal(t, canon, marshalled)
	})
}

func document(t *rapid.T, depth int) any {
	switch kind := rapid.IntRange(0, 6).Draw(t, "kind"); {
	case kind == 0:
		return rapid.String().Draw(t, "string")
	case kind == 1:
		return rapid.Float64Range(-1e15, 1e15).Draw(t, "number")
	case kind == 2:
		return rapid.Bool().Draw(t, "bool")
	case kind == 3 || depth > 4:
		return nil
	case kind == 4:
		list := make([]any, rapid.IntRange(0, 4).Draw(t, "length"))
		for i := range list {
			list[i] = document(t, depth+1)
		}
		return list
	default:
		object := map[string]any{}
		for range rapid.IntRange(0, 4).Draw(t, "size") {
			object[rapid.String().Draw(t, "name")] = document(t, depth+1)
		}
		return object
	}
}

// FuzzTransform holds Transform to another implementation of RFC 8785 and to the standard library's idea of JSON.
func FuzzTransform(f *testing.F) {
	inputs, err := filepath.Glob("testdata/jcs/input/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, input := range inputs {
		raw, err := os.ReadFile(input)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"😀":1,"\ue000":[1e21,-0,0.1e-6,"\/\b\u001f\u007f"],"a":{"b":true,"a":null}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := canonical.Transform(raw)
		want, wantErr := jcs.Transform(raw)
		if err == nil {
			if wantErr != nil || !bytes.Equal(got, want) {
				t.Fatalf("%q: here %q, there %q (%v)", raw, got, want, wantErr)
			}
			if !json.Valid(raw) || !json.Valid(got) {
				t.Fatalf("%q is no JSON", raw)
			}
			return
		}
		rule := fault.From(err).Rule
		if wantErr == nil && rule != "safe_integer" && !strings.HasPrefix(rule, "max_depth") {
			t.Fatalf("%q: refused here (%v), there %q", raw, err, want)
		}
	})
}
