package shape

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

type head struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

type colour string

type hex struct{ text string }

func (h *hex) UnmarshalText(text []byte) error { h.text = string(text); return nil }

type tree struct {
	head
	Status   int                `json:"status"` // hides head's
	Key      string             `header:"Key" json:"-"`
	Path     string             `path:"path"`
	Colour   colour             `json:"colour" enum:"red,green"`
	Hex      hex                `json:"hex,omitzero"`
	Raw      json.RawMessage    `json:"raw,omitempty"`
	Bytes    []byte             `json:"bytes,omitempty"`
	At       time.Time          `json:"at,omitzero"`
	Weights  map[string]float64 `json:"weights,omitempty" max:"2"`
	Children []tree             `json:"children,omitempty"`
	Parent   *tree              `json:"parent"`
	Named    head               `json:"named,omitzero"`
	Any      any                `json:"any,omitempty"`
	Unnamed  bool               `json:",omitempty"`
	hidden   int
}

func TestMembersAreThoseOfEncodingJSON(t *testing.T) {
	s := Of(reflect.TypeFor[tree]())
	var names, required []string
	for _, m := range s.Members {
		names = append(names, m.Name)
		if m.Required {
			required = append(required, m.Name)
		}
	}
	require.Equal(t, []string{"id", "status", "colour", "hex", "raw", "bytes", "at", "weights", "children", "parent", "named", "any", "Unnamed"}, names)
	require.Equal(t, []string{"id", "status", "colour"}, required)
	status, _ := s.member("status")
	require.Equal(t, Integer, status.Shape.Kind, "a struct's own field hides a promoted one")
	require.Equal(t, "shape.tree.Status", status.Source)
	id, _ := s.member("id")
	require.Equal(t, "shape.head.ID", id.Source)
	children, _ := s.member("children")
	require.Same(t, s, children.Shape.Items, "a type that contains itself ends")
	at, _ := s.member("at")
	require.Equal(t, "date-time", at.Shape.Format)
	text, _ := s.member("hex")
	require.Equal(t, String, text.Shape.Kind)
	_ = tree{}.hidden
}

func TestDecode(t *testing.T) {
	s := Of(reflect.TypeFor[tree]())
	for _, c := range []struct{ name, text, field, rule string }{
		{"least", `{"id":"a","status":1,"colour":"red"}`, "", ""},
		{"everything", `{"id":"a","status":1,"colour":"red","hex":"ff","raw":{"a":[1,"x",null,true]},"bytes":"AAEC","at":"2026-01-01T00:00:00Z","weights":{"a":1.5},
			"children":[{"id":"b","status":2,"colour":"green"}],"parent":{"id":"c","status":3,"colour":"red"},"named":{"id":"","status":""},"any":[1],"Unnamed":true}`, "", ""},
		{"null where optional", `{"id":"a","status":1,"colour":"red","raw":null,"at":null,"weights":null,"children":null,"parent":null,"any":null}`, "", ""},
		{"inside a list", `{"id":"a","status":1,"colour":"red","children":[{"id":"b","status":"2","colour":"red"}]}`, "children[0].status", "type:integer"},
		{"inside a pointer", `{"id":"a","status":1,"colour":"red","parent":{"status":1,"colour":"red"}}`, "parent.id", "required"},
		{"null in a list", `{"id":"a","status":1,"colour":"red","children":[null]}`, "children[0]", "required"},
		{"enum", `{"id":"a","status":1,"colour":"blue"}`, "colour", "one_of:red,green"},
		{"too many in a map", `{"id":"a","status":1,"colour":"red","weights":{"a":1,"b":2,"c":3}}`, "weights", "max_members:2"},
		{"wrong in a map", `{"id":"a","status":1,"colour":"red","weights":{"a":"heavy"}}`, "weights.a", "type:number"},
		{"double inside anything", `{"id":"a","status":1,"colour":"red","raw":{"x":1,"x":2}}`, "raw.x", "unique_name"},
		{"large inside anything", `{"id":"a","status":1,"colour":"red","raw":{"x":90071992547409931}}`, "raw.x", "safe_integer"},
		{"deep inside anything", `{"id":"a","status":1,"colour":"red","raw":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}`, "raw" + strings.Repeat("[0]", 32), "max_depth:32"},
		{"bytes that are not base64", `{"id":"a","status":1,"colour":"red","bytes":"!"}`, "", "json"},
		{"cut off", `{"id":"a","status":1`, "", "json"},
		{"nothing", ``, "", "json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var v tree
			err := s.Decode([]byte(c.text), &v)
			if c.rule == "" {
				require.NoError(t, err)
				require.Equal(t, "a", v.ID)
				return
			}
			var f *fault.Fault
			require.ErrorAs(t, err, &f)
			require.Equal(t, []string{c.field, c.rule}, []string{f.Field, f.Rule})
		})
	}
}

// TestWhatIsWrittenIsRead: what encoding/json writes of a value is accepted and gives the value back.
func TestWhatIsWrittenIsRead(t *testing.T) {
	type leaf struct {
		Name  string   `json:"name"`
		Count int32    `json:"count"`
		Tags  []string `json:"tags,omitempty"`
		Next  *head    `json:"next"`
	}
	s := Of(reflect.TypeFor[leaf]())
	rapid.Check(t, func(t *rapid.T) {
		v := leaf{Name: rapid.String().Draw(t, "name"), Count: rapid.Int32().Draw(t, "count")}
		v.Tags = rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "tags")
		if rapid.Bool().Draw(t, "next") {
			v.Next = &head{ID: rapid.String().Draw(t, "id")}
		}
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		var back leaf
		require.NoError(t, s.Decode(raw, &back))
		again, err := json.Marshal(back)
		require.NoError(t, err)
		require.JSONEq(t, string(raw), string(again))
	})
}

// FuzzDecode: whatever comes in, the answer is a value or a fault that repeats nothing odd.
func FuzzDecode(f *testing.F) {
	s := Of(reflect.TypeFor[tree]())
	for _, seed := range []string{`{"id":"a","status":1,"colour":"red"}`, `{"children":[{}]}`, `[`, `{"a":{"b":1e400}}`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var v tree
		err := s.Decode(raw, &v)
		if err == nil {
			return
		}
		var no *fault.Fault
		require.ErrorAs(t, err, &no)
		require.Regexp(t, `^[A-Za-z0-9._?\[\]-]*$`, no.Field)
	})
}

func TestMistakesInTagsPanic(t *testing.T) {
	require.Panics(t, func() { Of(reflect.TypeFor[struct{ C chan int }]()) })
	require.Panics(t, func() {
		Of(reflect.TypeFor[struct {
			S string `max:"many"`
		}]())
	})
	require.Panics(t, func() {
		Of(reflect.TypeFor[struct {
			S string `pattern:"("`
		}]())
	})
}

// TestWhatAStructKeepsToItself is not described: it is shown as the one it embeds.
func TestWhatAStructKeepsToItself(t *testing.T) {
	type Page struct {
		Items []string `json:"items"`
	}
	type written struct {
		Page
		raw [][]byte
	}
	type more struct {
		Page
		Next string `json:"next"`
	}
	require.Equal(t, reflect.TypeFor[Page](), Of(reflect.TypeOf(written{raw: nil})).Type)
	require.Len(t, Of(reflect.TypeFor[more]()).Members, 2)
}
