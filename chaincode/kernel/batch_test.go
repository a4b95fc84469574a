package kernel_test

import (
	"encoding/json"
	"fmt"
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"
	"slices"
	"testing"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// panicking is a stub on which every contract panics.
type panicking struct{ shim.ChaincodeStubInterface }

func (panicking) GetArgs() [][]byte { return [][]byte{[]byte("note:Write"), []byte("{}")} }
func (panicking) GetTxTimestamp() (*timestamppb.Timestamp, error) {
	return timestamppb.New(ledgertest.Start), nil
}
func (panicking) GetCreator() ([]byte, error) { panic("text of the request") }

var command = ledgertest.Command

// outcome writes an outcome in short: the status, "again:" the status, or the fault's reason.
func outcome(o kernel.Outcome) string {
	switch {
	case o.Fault != nil && o.Receipt == nil:
		return o.Fault.Reason
	case o.Receipt.Replayed:
		return "again:" + o.Receipt.Status
	}
	return o.Receipt.Status
}

// TestBatch: each command has an outcome of its own, and sees what those before it did.
func TestBatch(t *testing.T) {
	first := kernel.ID(tax, "note:Write", "k1")
	for _, c := range []struct {
		name     string
		commands []kernel.BatchCommand
		want     []string
		events   string
		keys     int // on the ledger afterwards
	}{
		{"two creates", []kernel.BatchCommand{command("note:Write", "k1", write{"a"}), command("note:Write", "k2", write{"b"})},
			[]string{"open", "open"}, "note.written.v1 note.written.v1", 2},
		{"a failing one between two", []kernel.BatchCommand{command("note:Write", "k1", write{"a"}), command("note:Write", "k2", write{""}), command("note:Write", "k3", write{"c"})},
			[]string{"open", "request.invalid", "open"}, "note.written.v1 note.written.v1", 2},
		{"one that fails late leaves no writes and no announcement", []kernel.BatchCommand{command("shelf:Open", "k1", open{"refused", "x"}), command("shelf:Open", "k2", open{"fine", ""})},
			[]string{"shelf.full", "empty"}, "shelf.opened.v1", 1},
		{"a later command sees an earlier one", []kernel.BatchCommand{command("note:Write", "k1", write{"a"}), command("note:Amend", "k1", amend{first, "b"}), command("note:Amend", "k2", amend{first, "c"})},
			[]string{"open", "amended", "amended"}, "note.written.v1 note.amended.v1 note.amended.v1", 3},
		{"the same command twice", []kernel.BatchCommand{command("note:Write", "k1", write{"a"}), command("note:Write", "k1", write{"a"})},
			[]string{"open", "again:open"}, "note.written.v1", 1},
		{"the same key with other content", []kernel.BatchCommand{command("note:Write", "k1", write{"a"}), command("note:Write", "k1", write{"b"})},
			[]string{"open", "note.conflict"}, "note.written.v1", 1},
		{"the same transition twice", []kernel.BatchCommand{command("note:Write", "k1", write{"a"}), command("note:Amend", "k", amend{first, "b"}), command("note:Amend", "k", amend{first, "b"}), command("note:Amend", "k", amend{first, "c"})},
			[]string{"open", "amended", "again:amended", "idempotency.conflict"}, "note.written.v1 note.amended.v1", 2},
		{"a command that failed may be right later in the batch", []kernel.BatchCommand{command("note:Amend", "k", amend{first, "b"}), command("note:Write", "k1", write{"a"}), command("note:Amend", "k", amend{first, "b"})},
			[]string{"note.missing", "open", "amended"}, "note.written.v1 note.amended.v1", 2},
		{"an unknown function", []kernel.BatchCommand{command("note:Burn", "k1", write{"a"}), command("note:Write", "k1", write{"a"})},
			[]string{"contract.no_such_function", "open"}, "note.written.v1", 1},
		{"a read", []kernel.BatchCommand{command("note:Get", "k1", one{first}), command("note:Write", "k1", write{"a"})},
			[]string{"contract.no_such_function", "open"}, "note.written.v1", 1},
		{"a batch in a batch", []kernel.BatchCommand{command(kernel.BatchFunction, "k1", write{"a"})},
			[]string{"contract.no_such_function"}, "", 0},
		{"a role that may not", []kernel.BatchCommand{command("shelf:Found", "k1", open{Code: "a"}), command("note:Write", "k1", write{"a"})},
			[]string{"access.organisation", "open"}, "note.written.v1", 1},
		{"a bad idempotency key", []kernel.BatchCommand{command("note:Write", "", write{"a"}), command("note:Write", "k1", write{"a"})},
			[]string{"request.invalid", "open"}, "note.written.v1", 1},
		{"nothing succeeds", []kernel.BatchCommand{command("note:Write", "k1", write{""})},
			[]string{"request.invalid"}, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger()
			got, err := l.As(tax, access.Admin).On("library").Batch(c.commands)
			require.NoError(t, err)
			var said []string
			for _, o := range got.Outcomes {
				said = append(said, outcome(o))
			}
			require.Equal(t, c.want, said)
			require.Equal(t, c.events, events(t, l))
			require.Len(t, l.Keys("library"), c.keys)
		})
	}
}

// together notes which keys a contract asks a peer for in one exchange.
type together struct {
	shim.ChaincodeStubInterface
	keys [][]string
}

func (s *together) GetMultipleStates(keys ...string) ([][]byte, error) {
	s.keys = append(s.keys, slices.Clone(keys))
	return s.ChaincodeStubInterface.GetMultipleStates(keys...)
}

// watched is a contract whose stub is a together.
type watched struct {
	shim.Chaincode
	seen *together
}

func (w watched) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	w.seen.ChaincodeStubInterface = stub
	return w.Chaincode.Invoke(w.seen)
}

// TestBatchLooksForWhatWasDoneAtOnce: where each command of a batch would first look is read in one exchange, but for
// commands that are refused by their form.
func TestBatchLooksForWhatWasDoneAtOnce(t *testing.T) {
	seen := &together{}
	contract := library()
	l := ledgertest.New(contract)
	l.Install("watched", watched{contract, seen})
	submit := func(commands ...kernel.BatchCommand) {
		raw, err := canonical.Marshal(kernel.Batch{Commands: commands})
		require.NoError(t, err)
		tx, err := l.As(tax, access.Agency).EndorseRaw("watched", []byte(kernel.BatchFunction), raw)
		require.NoError(t, err)
		require.NoError(t, tx.Commit())
	}
	submit(command("note:Write", "k2", write{"a"}), command("note:Write", "k1", write{"b"}), command("note:Write", "k1", write{"b"}),
		command("note:Amend", "k3", amend{kernel.ID(tax, "note:Write", "k1"), "c"}), command("note:Write", "", write{"d"}), command("note:Burn", "k4", write{"e"}))
	want := []string{state.Key("note", kernel.ID(tax, "note:Write", "k1")), state.Key("note", kernel.ID(tax, "note:Write", "k2")), state.Key(kernel.ReceiptNoun, kernel.ID(tax, "note:Amend", "k3"))}
	slices.Sort(want)
	require.NotEmpty(t, seen.keys)
	for _, keys := range seen.keys { // each endorser's
		require.Equal(t, want, keys)
	}
	exchanges := len(seen.keys)
	submit(command("note:Write", "k9", write{"a"}))
	require.Len(t, seen.keys, exchanges, "one key is read when it is wanted")
}

func TestBatchIsRefusedWhole(t *testing.T) {
	l := newLedger()
	agency := l.As(tax, access.Agency)
	id := do(t, agency, "note:Write", "before", write{"hello"}).ID
	many := make([]kernel.BatchCommand, kernel.MaxCommands+1)
	for i := range many {
		many[i] = command("note:Write", fmt.Sprint("k", i), write{"a"})
	}
	keys := l.Keys("library")
	for _, c := range []struct {
		name     string
		commands []kernel.BatchCommand
		kind     fault.Kind
		reason   string
		field    string
	}{
		{"empty", []kernel.BatchCommand{}, fault.Invalid, "request.invalid", "commands"},
		{"too many", many, fault.Invalid, "request.invalid", "commands"},
		{"the ledger fails one of them", []kernel.BatchCommand{command("note:Write", "k1", write{"a"}), command("note:Break", "k2", one{id})}, fault.Internal, "ledger.failed", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := agency.On("library").Batch(c.commands)
			requireFault(t, err, c.kind, c.reason, c.field)
			require.Equal(t, keys, l.Keys("library"))
		})
	}
	t.Run("as many as allowed", func(t *testing.T) {
		got, err := agency.Batch(many[:kernel.MaxCommands])
		require.NoError(t, err)
		require.Len(t, got.Outcomes, kernel.MaxCommands)
		require.Len(t, l.Keys("library"), len(keys)+kernel.MaxCommands)
	})
	t.Run("unknown member", func(t *testing.T) {
		_, err := agency.Invoke("library", []byte(kernel.BatchFunction), []byte(`{"commands":[{"function":"note:Write","idempotency_key":"k","request":{"text":"a"},"as":"admin"}]}`))
		requireFault(t, err, fault.Invalid, "request.invalid", "commands[0].as")
	})
}

// TestADeepRequestFailsAloneInABatch: what passes alone passes in a batch, what does not spoils nothing.
func TestADeepRequestFailsAloneInABatch(t *testing.T) {
	nested := func(depth int) json.RawMessage {
		text := `"x"`
		for range depth {
			text = `[` + text + `]`
		}
		return json.RawMessage(`{"text":` + text + `}`)
	}
	l := newLedger()
	agency := l.As(tax, access.Agency)
	got, err := agency.Batch([]kernel.BatchCommand{command("note:Write", "k1", write{"a"}), command("note:Write", "k2", nested(32))})
	require.NoError(t, err)
	require.Equal(t, "open", outcome(got.Outcomes[0]))
	require.Equal(t, "max_depth:32", got.Outcomes[1].Fault.Rule)
	_, err = agency.Submit("note:Write", "k2", nested(32))
	require.Equal(t, "max_depth:32", fault.From(err).Rule)
}

func TestFinally(t *testing.T) {
	l := newLedger()
	agency, admin := l.As(tax, access.Agency), l.As(tax, access.Admin)
	a := do(t, agency, "note:Write", "a", write{"a"}).ID
	b := do(t, agency, "note:Write", "b", write{"b"}).ID
	sealOf := func(id string) string { return kernel.ID(tax, "seal:Make", id) }

	t.Run("both or neither", func(t *testing.T) {
		_, err := admin.Submit("note:Seal", "k", one{a}) // the library lets an administrator, the vault does not
		requireFault(t, err, fault.Denied, "access.role", "creator.role")
		require.Empty(t, l.Keys("vault"))
		var n note
		require.NoError(t, agency.Query("note:Get", kernel.ByID{ID: a}, &n))
		require.Equal(t, "open", n.Status)
		require.Equal(t, "sealed", do(t, agency, "note:Seal", "k", one{a}).Status)
		require.Equal(t, []string{state.Key("seal", sealOf(a))}, l.Keys("vault"))
		require.Equal(t, "seal.made.v1", events(t, l), "the outermost contract announces it")
	})
	t.Run("a refusal of the other contract drops only its command", func(t *testing.T) {
		contract := ledgertest.New(library(), vault())
		agency, admin := contract.As(tax, access.Agency), contract.As(tax, access.Admin)
		id := do(t, agency, "note:Write", "a", write{"a"}).ID
		got, err := admin.On("library").Batch([]kernel.BatchCommand{command("note:Seal", "k1", one{id}), command("shelf:Open", "k2", open{Code: "s"})})
		require.NoError(t, err)
		require.Equal(t, []string{"access.role", "empty"}, []string{outcome(got.Outcomes[0]), outcome(got.Outcomes[1])})
		require.Equal(t, "shelf.opened.v1", events(t, contract))
		require.Empty(t, contract.Keys("vault"))
	})
	t.Run("many in a batch", func(t *testing.T) {
		c := do(t, agency, "note:Write", "c", write{"c"}).ID
		got, err := agency.Batch([]kernel.BatchCommand{command("note:Seal", "k1", one{b}), command("note:Seal", "k2", one{c})})
		require.NoError(t, err)
		require.Equal(t, []string{"sealed", "sealed"}, []string{outcome(got.Outcomes[0]), outcome(got.Outcomes[1])})
		require.Equal(t, "seal.made.v1 seal.made.v1", events(t, l))
		require.Len(t, l.Keys("vault"), 3)
	})
	t.Run("a command ends with one", func(t *testing.T) {
		_, err := agency.Submit("note:SealTwice", "k3", one{b})
		requireFault(t, err, fault.Internal, "kernel.second_write", "")
	})
	t.Run("one key once in a transaction", func(t *testing.T) {
		got, err := agency.Batch([]kernel.BatchCommand{command("note:SealWith", "k4", one{a}), command("note:SealWith", "k5", one{b})})
		require.NoError(t, err)
		require.Equal(t, []string{"sealed", "idempotency.conflict"}, []string{outcome(got.Outcomes[0]), outcome(got.Outcomes[1])})
	})
	t.Run("done before is done", func(t *testing.T) {
		again := do(t, agency, "note:Seal", "k", one{a})
		require.True(t, again.Replayed)
		require.Empty(t, events(t, l))
	})
	t.Run("asking the other contract", func(t *testing.T) {
		var s seal
		require.NoError(t, agency.Query("note:Sealed", one{sealOf(a)}, &s))
		require.Equal(t, a, s.Note)
		requireFault(t, agency.Query("note:Sealed", one{"x"}, &s), fault.Missing, "seal.missing", "id")
	})
	t.Run("the other contract is not there", func(t *testing.T) {
		l := ledgertest.New(library())
		agency := l.As(tax, access.Agency)
		id := do(t, agency, "note:Write", "a", write{"a"}).ID
		_, err := agency.Submit("note:Seal", "k", one{id})
		requireFault(t, err, fault.Internal, "ledger.failed", "")
	})
}

// TestTwoOfficersOneRecord: the second of two changes prepared at once is found stale when it commits.
func TestTwoOfficersOneRecord(t *testing.T) {
	l := newLedger()
	agency := l.As(tax, access.Agency)
	id := do(t, agency, "note:Write", "k", write{"a"}).ID
	one, err := agency.Endorse("note:Amend", "k1", amend{id, "b"})
	require.NoError(t, err)
	two, err := agency.Endorse("note:Amend", "k2", amend{id, "c"})
	require.NoError(t, err)
	require.NoError(t, one.Commit())
	require.ErrorIs(t, two.Commit(), &ledgertest.CommitError{Code: ledgertest.MVCCConflict})
	three, err := agency.Endorse("note:Write", "k3", write{"x"})
	require.NoError(t, err)
	four, err := agency.Endorse("note:Write", "k4", write{"x"})
	require.NoError(t, err)
	require.NoError(t, three.Commit())
	require.NoError(t, four.Commit(), "creates never conflict")
	five, err := agency.Endorse("note:Write", "k5", write{"x"})
	require.NoError(t, err)
	again, err := agency.Endorse("note:Write", "k5", write{"x"})
	require.NoError(t, err)
	require.NoError(t, five.Commit())
	require.ErrorIs(t, again.Commit(), &ledgertest.CommitError{Code: ledgertest.MVCCConflict}, "the same create twice is committed once")
}
