package kernel_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
	"github.com/hutong-gov/hutong/chaincode/state"
)

func changes(t *testing.T, event *ledgertest.Event) []kernel.Change {
	t.Helper()
	if event == nil {
		return nil
	}
	var envelope kernel.Envelope
	require.Equal(t, kernel.EventName, event.Name)
	require.NoError(t, canonical.Decode(event.Payload, &envelope))
	require.Equal(t, kernel.EnvelopeVersion, envelope.Version)
	return envelope.Changes
}

func TestCreate(t *testing.T) {
	l := newLedger()
	l.Advance(1234567 * time.Nanosecond)
	client := l.As(tax, access.Agency)
	receipt, err := client.SubmitAs("4711", "note:Write", "k1", write{"hello"})
	require.NoError(t, err)
	id := kernel.ID(tax, "note:Write", "k1")
	tx := l.Blocks()[0].Transactions[0]
	at := ledgertest.Start.Add(time.Millisecond)
	require.Equal(t, kernel.Receipt{ID: id, Status: "open", Version: 1, At: at, Tx: tx.ID}, receipt)

	var n note
	require.NoError(t, client.Query("note:Get", kernel.ByID{ID: id}, &n))
	stamp := state.Stamp{By: tax, Staff: "4711", At: at, Tx: tx.ID}
	require.Equal(t, "hello", n.Text)
	require.Equal(t, state.Head{ID: id, Status: "open", First: "open", Version: 1, Created: stamp, Digest: n.Digest}, n.Head)
	require.Equal(t, stamp, n.LastChange())
	require.NotContains(t, string(tx.Writes[0].Value), `"changed"`, "what it would say stands in created")
	require.Equal(t, []kernel.Change{{Type: "note.written.v1", ID: id, Agency: tax}}, changes(t, tx.Event))
	require.Len(t, tx.Writes, 1, "one key a record")
	require.Equal(t, state.Key("note", id), tx.Writes[0].Key)
	canon, err := canonical.Transform(tx.Writes[0].Value)
	require.NoError(t, err)
	require.Equal(t, string(canon), string(tx.Writes[0].Value))
}

// TestRecordRemembersSteps: a transition that its record remembers is answered as one with a receipt beside it, and leaves
// one key on the ledger.
func TestRecordRemembersSteps(t *testing.T) {
	l := newLedger()
	agency, other := l.As(tax, access.Agency), l.As(law, access.Agency)
	first := do(t, agency, "note:Write", "k", write{"hello"})
	second := do(t, agency, "note:Write", "k2", write{"hello"})
	signed := do(t, agency, "note:Sign", "s", amend{first.ID, "!"})
	require.Equal(t, "signed", signed.Status)
	require.Equal(t, 2, signed.Version)
	require.Len(t, l.Keys("library"), 2)
	do(t, agency, "note:Amend", "a", amend{first.ID, "better"})
	keys := l.Keys("library")
	l.Advance(time.Hour)

	again := do(t, agency, "note:Sign", "s", amend{first.ID, "!"})
	want := signed
	want.Replayed = true
	require.Equal(t, want, again, "though the record has changed since")
	_, err := agency.Submit("note:Sign", "s", amend{first.ID, "?"})
	requireFault(t, err, fault.Conflict, "idempotency.conflict", "idempotency_key")
	require.Equal(t, keys, l.Keys("library"))

	require.False(t, do(t, other, "note:Sign", "s", amend{first.ID, "!"}).Replayed, "a key is the caller's own")
	require.False(t, do(t, agency, "note:Sign", "s", amend{second.ID, "!"}).Replayed, "a step is the record's own")
	got, err := l.As(tax, access.Agency).On("library").Batch([]kernel.BatchCommand{
		command("note:Sign", "t", amend{second.ID, "."}), command("note:Sign", "t", amend{second.ID, "."}), command("note:Sign", "t", amend{second.ID, ","}),
	})
	require.NoError(t, err)
	require.False(t, got.Outcomes[0].Receipt.Replayed)
	require.True(t, got.Outcomes[1].Receipt.Replayed)
	require.Equal(t, "idempotency.conflict", got.Outcomes[2].Fault.Reason)

	for i := range kernel.MaxInside - 2 { // two are there
		do(t, agency, "note:Sign", fmt.Sprint("many-", i), amend{second.ID, "."})
	}
	_, err = agency.Submit("note:Sign", "one-more", amend{second.ID, "."})
	requireFault(t, err, fault.Internal, "kernel.too_much_inside", "")
}

func TestIdempotency(t *testing.T) {
	l := newLedger()
	agency, other, admin := l.As(tax, access.Agency), l.As(law, access.Agency), l.As(tax, access.Admin)
	first := do(t, agency, "note:Write", "k", write{"hello"})
	do(t, agency, "note:Amend", "k", amend{first.ID, "better"})
	l.Advance(time.Hour)
	writes := func() int {
		blocks := l.Blocks()
		return len(blocks[len(blocks)-1].Transactions[0].Writes)
	}

	t.Run("a create again gives the first receipt, though the record has changed", func(t *testing.T) {
		again := do(t, agency, "note:Write", "k", write{"hello"})
		want := first
		want.Replayed = true
		require.Equal(t, want, again)
		require.Zero(t, writes())
		require.Empty(t, events(t, l))
	})
	t.Run("the same content written otherwise is the same content", func(t *testing.T) {
		argument := []byte(`{"request": {"text" : "h\u0065llo"}, "idempotency_key":"k"}`)
		payload, err := agency.Invoke("library", []byte("note:Write"), argument)
		require.NoError(t, err)
		require.Contains(t, string(payload), `"replayed":true`)
	})
	t.Run("a create with other content is a conflict", func(t *testing.T) {
		_, err := agency.Submit("note:Write", "k", write{"goodbye"})
		requireFault(t, err, fault.Conflict, "note.conflict", "idempotency_key")
	})
	t.Run("a transition again gives the first receipt, though the record has changed", func(t *testing.T) {
		amended := do(t, agency, "note:Amend", "k2", amend{first.ID, "best"})
		do(t, agency, "note:Seal", "k", one{first.ID})
		again := do(t, agency, "note:Amend", "k2", amend{first.ID, "best"})
		amended.Replayed = true
		require.Equal(t, amended, again)
		require.Zero(t, writes())
	})
	t.Run("a transition with other content is a conflict", func(t *testing.T) {
		_, err := agency.Submit("note:Amend", "k2", amend{first.ID, "worst"})
		requireFault(t, err, fault.Conflict, "idempotency.conflict", "idempotency_key")
	})
	t.Run("a key is the caller's own", func(t *testing.T) {
		receipt := do(t, other, "note:Write", "k", write{"hello"})
		require.NotEqual(t, first.ID, receipt.ID)
		require.False(t, receipt.Replayed)
	})
	t.Run("a refused command may be corrected under the same key", func(t *testing.T) {
		_, err := agency.Submit("note:Write", "k3", write{""})
		requireFault(t, err, fault.Invalid, "request.invalid", "request.text")
		do(t, agency, "note:Write", "k3", write{"hello"})
	})
	t.Run("a natural key taken with the same content is done already, whatever the idempotency key", func(t *testing.T) {
		opened := do(t, admin, "shelf:Open", "k4", open{Code: "a"})
		require.Equal(t, tax+"/a", opened.ID)
		again := do(t, admin, "shelf:Open", "k5", open{Code: "a"})
		require.True(t, again.Replayed)
		require.Equal(t, opened.Tx, again.Tx)
	})
	t.Run("a natural key taken with other content is a conflict in the function's own words", func(t *testing.T) {
		_, err := admin.Submit("shelf:Open", "k4", open{Code: "a", Note: "x"})
		requireFault(t, err, fault.Conflict, "shelf.conflict", "idempotency_key")
		require.Contains(t, err.Error(), "open a shelf of another code")
	})
}

func TestTransitionCountsVersions(t *testing.T) {
	l := newLedger()
	agency := l.As(tax, access.Agency)
	id := do(t, agency, "note:Write", "k", write{"1"}).ID
	for version := 2; version < 5; version++ {
		l.Advance(time.Minute)
		receipt := do(t, agency, "note:Amend", fmt.Sprint("k", version), amend{id, fmt.Sprint(version)})
		require.Equal(t, version, receipt.Version)
		require.Equal(t, "amended", receipt.Status)
		require.Equal(t, ledgertest.Start.Add(time.Duration(version-1)*time.Minute), receipt.At)
	}
	var past []state.Revision[note]
	require.NoError(t, agency.Query("note:History", kernel.ByID{ID: id}, &past))
	require.Len(t, past, 4)
	require.Equal(t, "4", past[0].Record.Text, "newest first")
	require.Equal(t, ledgertest.Start, past[0].Record.Created.At)
	require.Equal(t, past[0].At, past[0].Record.Changed.At)
	require.Equal(t, "open", past[0].Record.First)
}

// TestCallsRefused: what is wrong with a call, in the order in which a call is judged.
func TestCallsRefused(t *testing.T) {
	command := func(key, staff, request string) string {
		return `{"idempotency_key":"` + key + `","staff":"` + staff + `","request":` + request + `}`
	}
	good := command("k", "1", `{"text":"hello"}`)
	for _, c := range []struct {
		name   string
		args   []string
		kind   fault.Kind
		reason string
		field  string
	}{
		{"good", []string{"note:Write", good}, "", "", ""},
		{"no argument", []string{"note:Write"}, fault.Invalid, "request.invalid", "arguments"},
		{"two arguments", []string{"note:Write", good, good}, fault.Invalid, "request.invalid", "arguments"},
		{"oversized", []string{"note:Write", command("k", "1", `{"text":"`+strings.Repeat("x", kernel.MaxArgumentBytes)+`"}`)}, fault.Limit, "request.too_large", "arguments"},
		{"unknown function", []string{"note:Burn", good}, fault.Missing, "contract.no_such_function", "function"},
		{"function in another case", []string{"note:write", good}, fault.Missing, "contract.no_such_function", "function"},
		{"no JSON", []string{"note:Write", "hello"}, fault.Invalid, "request.invalid", ""},
		{"unknown member of the command", []string{"note:Write", strings.Replace(good, `"staff"`, `"role":"admin","staff"`, 1)}, fault.Invalid, "request.invalid", "role"},
		{"no idempotency key", []string{"note:Write", `{"request":{"text":"hello"}}`}, fault.Invalid, "request.invalid", "idempotency_key"},
		{"empty idempotency key", []string{"note:Write", command("", "1", `{}`)}, fault.Invalid, "request.invalid", "idempotency_key"},
		{"odd idempotency key", []string{"note:Write", command("a b", "1", `{}`)}, fault.Invalid, "request.invalid", "idempotency_key"},
		{"idempotency key on two lines", []string{"note:Write", command(`a\n`, "1", `{}`)}, fault.Invalid, "request.invalid", "idempotency_key"},
		{"long idempotency key", []string{"note:Write", command(strings.Repeat("k", kernel.MaxKeyLength+1), "1", `{}`)}, fault.Invalid, "request.invalid", "idempotency_key"},
		{"odd staff number", []string{"note:Write", command("k", "李雷", `{}`)}, fault.Invalid, "request.invalid", "staff"},
		{"long staff number", []string{"note:Write", command("k", strings.Repeat("1", kernel.MaxStaffLength+1), `{}`)}, fault.Invalid, "request.invalid", "staff"},
		{"no request", []string{"note:Write", `{"idempotency_key":"k"}`}, fault.Invalid, "request.invalid", "request"},
		{"null request", []string{"note:Write", command("k", "1", `null`)}, fault.Invalid, "request.invalid", "request"},
		{"oversized request", []string{"note:Write", command("k", "1", `{"text":"`+strings.Repeat("x", kernel.MaxRequestBytes)+`"}`)}, fault.Limit, "request.too_large", "request"},
		{"unknown member", []string{"note:Write", command("k", "1", `{"text":"a","surprise":1}`)}, fault.Invalid, "request.invalid", "request.surprise"},
		{"wrong type", []string{"note:Write", command("k", "1", `{"text":1}`)}, fault.Invalid, "request.invalid", "request.text"},
		{"required member absent", []string{"note:Write", command("k", "1", `{}`)}, fault.Invalid, "request.invalid", "request.text"},
		{"duplicate member", []string{"note:Write", command("k", "1", `{"text":"a","text":"b"}`)}, fault.Invalid, "request.invalid", "request.text"},
		{"rule of form broken", []string{"note:Write", command("k", "1", `{"text":""}`)}, fault.Invalid, "request.invalid", "request.text"},
		{"record missing", []string{"note:Amend", command("k", "1", `{"id":"x","text":"b"}`)}, fault.Missing, "note.missing", "id"},
		{"id that is no key", []string{"note:Amend", command("k", "1", `{"id":"","text":"b"}`)}, fault.Invalid, "request.invalid", "id"},
		{"a read as a command", []string{"note:Get", good}, fault.Invalid, "request.invalid", "request.idempotency_key"},
		{"a read of nothing", []string{"note:Get", `{"id":""}`}, fault.Invalid, "request.invalid", "request.id"},
		{"a read of what is not there", []string{"note:Get", `{"id":"x"}`}, fault.Missing, "note.missing", "id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger()
			var args [][]byte
			for _, arg := range c.args {
				args = append(args, []byte(arg))
			}
			_, err := l.As(tax, access.Agency).Invoke("library", args...)
			if c.reason == "" {
				require.NoError(t, err)
				return
			}
			requireFault(t, err, c.kind, c.reason, c.field)
			require.Empty(t, l.Keys("library"))
		})
	}
}

// TestRoles tries every function with every role: the table decides, and nothing else.
func TestRoles(t *testing.T) {
	for _, row := range library().Rows() {
		for _, role := range access.AllRoles {
			l := newLedger()
			do(t, l.As(tax, access.Agency), "note:Write", "before", write{"hello"})
			client := l.As(tax, role).On("library")
			var err error
			if row.Kind == kernel.KindRead {
				err = client.Query(row.Name, map[string]string{"id": "x"}, nil)
			} else {
				_, err = client.Submit(row.Name, "k", map[string]string{"id": "x"})
			}
			f := fault.From(err)
			denied := f != nil && f.Reason == "access.role"
			allowed := false
			for _, r := range row.Rule.Roles {
				allowed = allowed || r == role
			}
			require.Equal(t, !allowed, denied, "%s as %s: %v", row.Name, role, err)
			if denied {
				require.Equal(t, fault.Denied, f.Kind)
				require.True(t, strings.HasPrefix(f.Rule, "one_of:"), f.Rule)
			}
		}
	}
}

func TestScopes(t *testing.T) {
	l := newLedger()
	_, err := l.As(tax, access.Admin).Submit("shelf:Found", "k", open{Code: "a"})
	requireFault(t, err, fault.Denied, "access.organisation", "creator.organisation")
	do(t, l.As("services.hall", access.Admin), "shelf:Found", "k", open{Code: "a"})
	id := do(t, l.As(tax, access.Agency), "note:Write", "k", write{"hello"}).ID
	_, err = l.As(law, access.Agency).Submit("note:Amend", "k", amend{id, "x"})
	requireFault(t, err, fault.Denied, "access.other_agency", "creator.agency")
}

func TestTimestampFarFromTheEndorsersClockIsRefused(t *testing.T) {
	for _, c := range []struct {
		offset time.Duration
		fine   bool
	}{
		{0, true}, {-kernel.MaxSkew + time.Second, true}, {kernel.MaxSkew, true},
		{-kernel.MaxSkew - time.Second, false}, {kernel.MaxSkew + time.Second, false}, {24 * time.Hour, false}, {-24 * time.Hour, false},
		// one of two endorsers refuses: its clock is ahead
		{-kernel.MaxSkew + ledgertest.EndorserSkew/2, false},
	} {
		t.Run(c.offset.String(), func(t *testing.T) {
			l := newLedger()
			client := l.As(tax, access.Agency).Skewed(c.offset)
			_, single := client.Submit("note:Write", "k", write{"hello"})
			_, batch := client.Batch([]kernel.BatchCommand{ledgertest.Command("note:Write", "k2", write{"hello"})})
			if c.fine {
				require.NoError(t, single)
				require.NoError(t, batch)
				require.NoError(t, client.Query("note:List", kernel.Listing{}, nil))
				return
			}
			requireFault(t, single, fault.Refused, "transaction.timestamp", "transaction.timestamp")
			requireFault(t, batch, fault.Refused, "transaction.timestamp", "transaction.timestamp")
			requireFault(t, client.Query("note:List", kernel.Listing{}, nil), fault.Refused, "transaction.timestamp", "transaction.timestamp")
		})
	}
}

func TestCallersWithoutAttributesAreDenied(t *testing.T) {
	l := newLedger()
	for _, c := range []struct {
		name, msp  string
		attributes map[string]string
		reason     string
	}{
		{"no attributes", "MarketMSP", nil, "access.no_agency"},
		{"no agency", "MarketMSP", map[string]string{"role": "agency"}, "access.no_agency"},
		{"no role", "MarketMSP", map[string]string{"agency": "tax"}, "access.no_role"},
		{"unknown role", "MarketMSP", map[string]string{"agency": "tax", "role": "mayor"}, "access.no_role"},
		{"agency of another organisation", "MarketMSP", map[string]string{"agency": "services.hall", "role": "agency"}, "access.no_agency"},
		{"look-alike organisation", "marketMSP", map[string]string{"agency": "tax", "role": "agency"}, "access.no_identity"},
		{"organisation without MSP", "Market", map[string]string{"agency": "tax", "role": "agency"}, "access.no_identity"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := l.Identity(c.msp, c.attributes)
			_, err := client.Submit("note:Write", "k", write{"hello"})
			var f *fault.Fault
			require.ErrorAs(t, err, &f)
			require.Equal(t, fault.Denied, f.Kind)
			require.Equal(t, c.reason, f.Reason)
			require.ErrorIs(t, client.Query("note:List", kernel.Listing{}, nil), f)
		})
	}
}

func TestAProgramErrorRefusesTheTransaction(t *testing.T) {
	var log bytes.Buffer
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
	l := newLedger()
	agency := l.As(tax, access.Agency)
	id := do(t, agency, "note:Write", "k", write{"hello"}).ID
	contract, stub := library(), panicking{}
	response := contract.Invoke(stub)
	require.Equal(t, int32(500), response.GetStatus())
	f, ok := fault.Parse(response.GetMessage())
	require.True(t, ok)
	require.Equal(t, kernel.ReasonPanicked, f.Reason)
	require.NotContains(t, response.GetMessage(), "text of the request")
	require.Contains(t, log.String(), "contract panicked")
	require.NotContains(t, log.String(), "text of the request")
	require.Panics(t, func() { _, _ = agency.Submit("note:Panic", "k", one{id}) }, "a test cannot overlook it")
	do(t, agency, "note:Write", "k9", write{"still here"})
}

func TestDescribe(t *testing.T) {
	l := newLedger()
	var rows []kernel.Row
	require.NoError(t, l.As("audit.office", access.Auditor).On("library").Query(kernel.DescribeFunction, kernel.Nothing{}, &rows))
	require.Len(t, rows, len(library().Rows()))
	raw, err := json.Marshal(rows[3:5])
	require.NoError(t, err)
	require.JSONEq(t, `[
		{"function":"note:Get","kind":"read","roles":["agency","admin","portal","auditor"],"scope":"any","request":"ByID","doc":"One note by id."},
		{"function":"note:History","kind":"read","roles":["agency","admin","portal","auditor"],"scope":"any","request":"ByID","doc":"Every past state of one note, newest first."}
	]`, string(raw))
}

func TestBadTablesDoNotBuild(t *testing.T) {
	row := kernel.NewRead("note:Look", access.Everyone(), "", func(*kernel.Tx, one) (one, error) { return one{}, nil })
	for name, functions := range map[string][]kernel.Function{
		"twice":   {row, row},
		"no rule": {kernel.NewRead("note:Look", access.Rule{}, "", func(*kernel.Tx, one) (one, error) { return one{}, nil })},
		"no noun": {kernel.NewRead("Look", access.Everyone(), "", func(*kernel.Tx, one) (one, error) { return one{}, nil })},
		"nothing": {{Name: "note:Look", Rule: access.Everyone()}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Panics(t, func() { (&kernel.Contract{Name: "bad", Functions: functions}).Build() })
		})
	}
}

func TestIDs(t *testing.T) {
	require.Equal(t, kernel.ID("a", "b", "c"), kernel.ID("a", "b", "c"))
	require.Regexp(t, kernel.IDForm, kernel.ID("a", "b", "c"))
	require.Len(t, kernel.ID("a", "b", "c"), 26)
	seen := map[string]bool{}
	for _, parts := range [][3]string{{"a", "b", "c"}, {"ab", "", "c"}, {"a", "bc", ""}, {"", "a", "bc"}} {
		seen[kernel.ID(parts[0], parts[1], parts[2])] = true
	}
	require.Len(t, seen, 4)
}

// TestIDsInTheOrderOfTheirKeys: keys that begin with their time give ids that do.
func TestIDsInTheOrderOfTheirKeys(t *testing.T) {
	at := func(millis uint64) string {
		u := uuid.Must(uuid.NewV7())
		binary.BigEndian.PutUint32(u[:4], uint32(millis>>16))
		binary.BigEndian.PutUint16(u[4:6], uint16(millis))
		return u.String()
	}
	rapid.Check(t, func(r *rapid.T) {
		one, two := rapid.Uint64Range(0, 1<<48-2).Draw(r, "one"), rapid.Uint64Range(1, 1<<48-1).Draw(r, "two")
		a, b := kernel.ID("x", "f", at(min(one, two-1))), kernel.ID("y", "g", at(max(one+1, two)))
		require.Less(r, a, b)
		require.Regexp(r, kernel.IDForm, a)
		require.Len(r, a, 30)
	})
	key := at(1_700_000_000_000)
	require.Equal(t, kernel.ID("a", "b", key)[:10], kernel.ID("c", "d", key)[:10])
	require.NotEqual(t, kernel.ID("a", "b", key)[10:], kernel.ID("c", "b", key)[10:])
	for _, other := range []string{strings.ToUpper(key), "{" + key[1:35] + "}", key + "0", uuid.NewString(), strings.Repeat("-", 36)} {
		require.Len(t, kernel.ID("a", "b", other), 26, other)
	}
}
