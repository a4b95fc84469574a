package ledgertest_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

// program is a chaincode made of one function, for trying the ledger without a kernel.
type program func(stub shim.ChaincodeStubInterface) (string, error)

func (program) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

func (p program) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	answer, err := p(stub)
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success([]byte(answer))
}

// script is a chaincode that carries out "put k v", "get k", "delete k", "range a b", "page a b", "call name args…",
// "event name" and so on, one an argument, and answers what it read, joined by spaces.
var script = program(func(stub shim.ChaincodeStubInterface) (string, error) {
	var said []string
	for _, line := range stub.GetStringArgs() {
		words := strings.Fields(line)
		answer, err := step(stub, words[0], append(words[1:], "", "", ""))
		if err != nil {
			return "", err
		}
		if answer != "" {
			said = append(said, answer)
		}
	}
	return strings.Join(said, " "), nil
})

func step(stub shim.ChaincodeStubInterface, verb string, w []string) (string, error) {
	switch verb {
	case "put":
		return "", stub.PutState(w[0], []byte(w[1]))
	case "delete":
		return "", stub.DelState(w[0])
	case "get":
		value, err := stub.GetState(w[0])
		return w[0] + "=" + string(value), err
	case "range":
		it, err := stub.GetStateByRange(w[0], w[1])
		return list(it, err)
	case "page":
		it, metadata, err := stub.GetStateByRangeWithPagination(w[0], w[1], 2, w[2])
		said, err := list(it, err)
		return said + ">" + metadata.GetBookmark(), err
	case "event":
		return "", stub.SetEvent(w[0], []byte(w[1]))
	case "call":
		response := stub.InvokeChaincode(w[0], [][]byte{[]byte(strings.ReplaceAll(w[1], "_", " "))}, "")
		return fmt.Sprintf("%d:%s%s", response.GetStatus(), response.GetPayload(), response.GetMessage()), nil
	case "guard":
		return "", stub.SetStateValidationParameter(w[0], []byte(w[1]))
	case "guarded":
		policy, err := stub.GetStateValidationParameter(w[0])
		return string(policy), err
	case "refuse":
		return "", errors.New("refused")
	case "hide":
		return "", stub.PutPrivateData(w[0], w[1], []byte(w[2]))
	case "show":
		value, err := stub.GetPrivateData(w[0], w[1])
		return w[1] + "=" + string(value), err
	case "hash":
		value, err := stub.GetPrivateDataHash(w[0], w[1])
		return fmt.Sprintf("%x", value), err
	case "purge":
		return "", stub.PurgePrivateData(w[0], w[1])
	case "shown":
		it, err := stub.GetPrivateDataByRange(w[0], w[1], w[2])
		return list(it, err)
	case "history":
		it, err := stub.GetHistoryForKey(w[0])
		if err != nil {
			return "", err
		}
		var said []string
		for it.HasNext() {
			m, err := it.Next()
			if err != nil {
				return "", err
			}
			said = append(said, fmt.Sprintf("%s@%s/%t", m.GetValue(), m.GetTimestamp().AsTime().Format("15:04"), m.GetIsDelete()))
		}
		return strings.Join(said, ","), it.Close()
	}
	return "", errors.New("unknown step " + verb)
}

func list(it shim.StateQueryIteratorInterface, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer it.Close()
	var said []string
	for it.HasNext() {
		kv, err := it.Next()
		if err != nil {
			return "", err
		}
		said = append(said, kv.GetKey()+"="+string(kv.GetValue()))
	}
	return strings.Join(said, ","), nil
}

func start(t *testing.T) (*ledgertest.Ledger, func(lines ...string) (*ledgertest.Tx, error)) {
	t.Helper()
	l := ledgertest.New()
	l.Install("script", script)
	l.Install("other", script)
	client := l.As("market.tax", access.Agency)
	return l, func(lines ...string) (*ledgertest.Tx, error) { return client.EndorseRaw("script", raw(lines)...) }
}

func raw(lines []string) [][]byte {
	args := make([][]byte, len(lines))
	for i, line := range lines {
		args[i] = []byte(line)
	}
	return args
}

// run endorses and commits, and answers what was said.
func run(t *testing.T, endorse func(...string) (*ledgertest.Tx, error), lines ...string) string {
	t.Helper()
	tx, err := endorse(lines...)
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	return string(tx.Payload)
}

func TestStateIsSimulatedOnWhatIsCommitted(t *testing.T) {
	l, endorse := start(t)
	require.Equal(t, "a=", run(t, endorse, "put a 1", "get a"), "a transaction does not read its own writes")
	require.Equal(t, "a=1", run(t, endorse, "get a", "delete a", "put b 2"))
	require.Equal(t, "a= b=2", run(t, endorse, "get a", "get b"))
	require.Equal(t, "2", string(l.Value("script", "b")))
	require.Equal(t, []string{"b"}, l.Keys("script"))
	_, err := endorse("put  ")
	require.ErrorContains(t, err, "key must not be an empty string")
}

func TestConflicts(t *testing.T) {
	many := func(n int) (lines []string) {
		for i := range n {
			lines = append(lines, fmt.Sprintf("put k%03d v", i))
		}
		return lines
	}
	for _, c := range []struct {
		name          string
		before        []string
		first, second string // both endorsed, then committed in this order
		want          string // of the second
	}{
		{"reads what the first wrote", []string{"put a 1"}, "put a 2", "get a", ledgertest.MVCCConflict},
		{"reads that it is absent, and it no longer is", nil, "put a 1", "get a", ledgertest.MVCCConflict},
		{"reads what the first deleted", []string{"put a 1"}, "delete a", "get a", ledgertest.MVCCConflict},
		{"same value, other version", []string{"put a 1"}, "put a 1", "get a", ledgertest.MVCCConflict},
		{"writes blindly", []string{"put a 1"}, "put a 2", "put a 3", ledgertest.Valid},
		{"reads another key", []string{"put a 1"}, "put b 2", "get a", ledgertest.Valid},
		{"a new key in the range", []string{"put a 1"}, "put b 2", "range a c", ledgertest.PhantomRead},
		{"a changed key in the range", []string{"put a 1"}, "put a 2", "range a c", ledgertest.PhantomRead},
		{"a key gone from the range", []string{"put a 1"}, "delete a", "range a c", ledgertest.PhantomRead},
		{"a new key behind the range", []string{"put a 1"}, "put c 2", "range a c", ledgertest.Valid},
		{"a new key in another namespace", []string{"put a 1"}, "call other put_b_2", "range a c", ledgertest.Valid},
		{"an endorsement policy set", []string{"put a 1"}, "guard a p", "get a", ledgertest.MVCCConflict},
		{"the policy of an absent key", nil, "guard a p", "get a", ledgertest.Valid},
		{"a policy read, a value written", []string{"put a 1"}, "put a 2", "guarded a", ledgertest.MVCCConflict},
		{"private data", []string{"hide _implicit_org_MarketMSP a 1"}, "hide _implicit_org_MarketMSP a 2", "show _implicit_org_MarketMSP a", ledgertest.MVCCConflict},
		{"the hash of private data", []string{"hide _implicit_org_MarketMSP a 1"}, "purge _implicit_org_MarketMSP a", "hash _implicit_org_MarketMSP a", ledgertest.MVCCConflict},
		{"a long range, at its end", many(250), "put k249 w", "range k l", ledgertest.PhantomRead},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, endorse := start(t)
			if c.before != nil {
				run(t, endorse, c.before...)
			}
			first, err := endorse(c.first)
			require.NoError(t, err)
			second, err := endorse(c.second, "put z 1")
			require.NoError(t, err)
			height := l.Height()
			results := l.CommitBlock(first, second)
			require.NoError(t, results[0])
			require.Equal(t, height+1, l.Height())
			block := l.Blocks()[len(l.Blocks())-1]
			require.Equal(t, c.want, block.Transactions[1].Code)
			if c.want == ledgertest.Valid {
				require.NoError(t, results[1])
				require.NotEmpty(t, l.Value("script", "z"))
			} else {
				require.ErrorIs(t, results[1], &ledgertest.CommitError{Code: c.want})
				require.Empty(t, l.Value("script", "z"), "an invalid transaction changes nothing")
			}
		})
	}
}

func TestPages(t *testing.T) {
	_, endorse := start(t)
	run(t, endorse, "put a 1", "put b 2", "put c 3", "put d 4", "put e 5")
	require.Equal(t, "a=1,b=2>c", run(t, endorse, "page a e"))
	require.Equal(t, "c=3,d=4>", run(t, endorse, "page a e c"))
	_, err := endorse("page a e", "put f 6")
	require.ErrorContains(t, err, "already performed a paginated query")
	_, err = endorse("put f 6", "page a e")
	require.ErrorContains(t, err, "supported only in a read-only transaction")
	_, err = endorse("range \x00a")
	require.ErrorContains(t, err, "null character")
}

func TestCalledChaincode(t *testing.T) {
	l, endorse := start(t)
	require.Equal(t, "200: 200:", run(t, endorse, "event mine", "call other put_a_1", "call other event_theirs", "put a 2"))
	require.Equal(t, "1", string(l.Value("other", "a")))
	require.Equal(t, "2", string(l.Value("script", "a")))
	tx := l.Blocks()[0].Transactions[0]
	require.Equal(t, &ledgertest.Event{Chaincode: "script", Name: "mine", Payload: []byte{}}, tx.Event)
	require.Len(t, tx.Writes, 2)
	require.Equal(t, "other", tx.Writes[0].Namespace)
	require.Contains(t, run(t, endorse, "call other refuse"), "500:refused")
	require.Contains(t, run(t, endorse, "call script get_a"), "exists", "a chaincode cannot call itself")
	require.Contains(t, run(t, endorse, "call nobody get_a"), "has been successfully defined")
	run(t, endorse, "call other event_theirs")
	require.Nil(t, l.Blocks()[len(l.Blocks())-1].Transactions[0].Event, "the event of a called chaincode is dropped")
}

func TestOnlyTheLastEventStays(t *testing.T) {
	l, endorse := start(t)
	run(t, endorse, "event first", "event second x")
	require.Equal(t, &ledgertest.Event{Chaincode: "script", Name: "second", Payload: []byte("x")}, l.Blocks()[0].Transactions[0].Event)
}

func TestHistoryIsNewestFirst(t *testing.T) {
	l, endorse := start(t)
	run(t, endorse, "put a 1")
	l.Advance(time.Minute)
	run(t, endorse, "delete a")
	l.Advance(time.Minute)
	run(t, endorse, "put a 3")
	stale, err := endorse("get a", "put a 4")
	require.NoError(t, err)
	run(t, endorse, "put a 5")
	require.Error(t, stale.Commit())
	require.Equal(t, "5@09:02/false,3@09:02/false,@09:01/true,1@09:00/false", run(t, endorse, "history a"))
}

func TestPrivateData(t *testing.T) {
	l, endorse := start(t)
	l.DefineCollection("script", "shared", "MarketMSP", "PlanningMSP")
	run(t, endorse, "hide shared k secret")
	require.Equal(t, "k=secret", run(t, endorse, "show shared k"))
	const sum = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b" // sha256("secret")
	outsider := l.As("audit.office", access.Auditor)
	tx, err := outsider.EndorseRaw("script", []byte("hash shared k"))
	require.NoError(t, err)
	require.Equal(t, sum, string(tx.Payload))
	_, err = outsider.EndorseRaw("script", []byte("show shared k"))
	require.ErrorContains(t, err, "not available")
	require.Equal(t, "k=secret", run(t, endorse, "shown shared"))
	_, err = endorse("shown shared", "put a 1")
	require.ErrorContains(t, err, "queries on pvt data")
	_, err = endorse("show unknown k")
	require.ErrorContains(t, err, "not defined")
	run(t, endorse, "purge shared k")
	require.Equal(t, "k=", run(t, endorse, "show shared k"))
	for _, block := range l.Blocks() {
		for _, tx := range block.Transactions {
			for _, w := range tx.Writes {
				require.NotContains(t, string(w.Value), "secret", "only hashes are on the ledger")
			}
		}
	}
}

func TestNondeterminismIsCaught(t *testing.T) {
	calls := 0
	for name, p := range map[string]program{
		"answer": func(shim.ChaincodeStubInterface) (string, error) { calls++; return fmt.Sprint(calls), nil },
		"write set": func(stub shim.ChaincodeStubInterface) (string, error) {
			calls++
			return "", stub.PutState("k", fmt.Append(nil, calls))
		},
		"read set": func(stub shim.ChaincodeStubInterface) (string, error) {
			calls++
			_, err := stub.GetState(fmt.Sprint(calls))
			return "", err
		},
		"event": func(stub shim.ChaincodeStubInterface) (string, error) {
			calls++
			return "", stub.SetEvent("e", fmt.Append(nil, calls))
		},
		"response message": func(shim.ChaincodeStubInterface) (string, error) { calls++; return "", fmt.Errorf("%d", calls) },
	} {
		t.Run(name, func(t *testing.T) {
			l := ledgertest.New()
			l.Install("p", p)
			defer func() { require.Contains(t, fmt.Sprint(recover()), "differ in the "+name) }()
			_, _ = l.As("market.tax", access.Agency).EndorseRaw("p")
		})
	}
}

func TestBlindSecondCallsAreCaught(t *testing.T) {
	for _, second := range []string{"get_a", "put_a_2", "delete_a"} {
		_, endorse := start(t)
		require.PanicsWithValue(t, `ledgertest: call other put_a_1: a second call of other in one transaction touches "other/a", which the first wrote and it cannot see`,
			func() { _, _ = endorse("call other put_a_1", "call other "+second) }, second)
	}
	_, endorse := start(t)
	run(t, endorse, "call other put_a_1", "call other put_b_1", "put a 1", "get a")
}

func TestUndeclaredChangesAreCaught(t *testing.T) {
	_, endorse := start(t)
	require.PanicsWithValue(t, "ledgertest: event hutong.v1 {\"version\":1,\"changes\":[{\"type\":\"a.b.v1\",\"id\":\"1\"}]} announces a.b.v1, which no contract declares in Events",
		func() { _, _ = endorse(`event hutong.v1 {"version":1,"changes":[{"type":"a.b.v1","id":"1"}]}`) })
}

// TestManyAtOnce: one ledger serves many goroutines, and of two that read and write one key at once one is found stale.
func TestManyAtOnce(t *testing.T) {
	l, _ := start(t)
	var group sync.WaitGroup
	var committed atomic.Int64
	for i := range 8 {
		group.Go(func() {
			client := l.As(fmt.Sprintf("market.a%d", i%3), access.Agency)
			for range 20 {
				tx, err := client.EndorseRaw("script", []byte("get k"), []byte("put k v"), fmt.Appendf(nil, "put own%d v", i))
				if err == nil {
					err = tx.Commit()
				}
				switch {
				case err == nil:
					committed.Add(1)
				case !errors.Is(err, &ledgertest.CommitError{Code: ledgertest.MVCCConflict}):
					t.Error(err)
				}
				l.Advance(time.Second)
				l.Keys("script")
			}
		})
	}
	group.Wait()
	valid, ids := 0, map[string]bool{}
	for i, block := range l.Blocks() {
		require.Equal(t, uint64(i+1), block.Number)
		for _, tx := range block.Transactions {
			ids[tx.ID] = true
			if tx.Code == ledgertest.Valid {
				valid++
			}
		}
	}
	require.Len(t, ids, 160)
	require.Equal(t, int(committed.Load()), valid)
	require.Positive(t, valid)
}

func TestIdentities(t *testing.T) {
	l := ledgertest.New()
	var by access.Caller
	l.Install("who", program(func(stub shim.ChaincodeStubInterface) (_ string, err error) {
		by, err = access.FromStub(stub)
		return "", err
	}))
	_, err := l.As("market.tax", access.Admin).EndorseRaw("who")
	require.NoError(t, err)
	require.Equal(t, access.Caller{MSP: "MarketMSP", Organisation: "market", Agency: "market.tax", Role: access.Admin}, by)
	_, err = l.Identity("MarketMSP", nil).EndorseRaw("who")
	require.ErrorContains(t, err, "access.no_agency")
}
