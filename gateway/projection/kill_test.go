package projection_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/database/databasetest"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/projection"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/network/block/blocktest"
)

// Where the process that is to be killed finds the chain and the store.
const (
	killChain = "HUTONG_TEST_CHAIN"
	killStore = "HUTONG_TEST_STORE"
)

// TestMain lets the test's own program be the one that is killed.
func TestMain(m *testing.M) {
	if settings := os.Getenv(killStore); settings != "" {
		if err := foldAll(os.Getenv(killChain), settings); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// foldAll folds what is left of a chain, three blocks at a time, and says so after each time.
func foldAll(chainFile, encoded string) error {
	chain, err := blocktest.Load(chainFile)
	if err != nil {
		return err
	}
	var settings database.Settings
	if err := json.Unmarshal([]byte(encoded), &settings); err != nil {
		return err
	}
	p, err := projection.Open(ctx, settings, 1, house)
	if err != nil {
		return err
	}
	defer p.Close()
	at, started, err := p.Checkpoint(ctx)
	if err != nil {
		return err
	}
	next := 0
	if started {
		next = int(at.Number) + 1
	}
	blocks, err := decodeAll(chain)
	if err != nil {
		return err
	}
	for ; next < len(blocks); next = min(next+3, len(blocks)) {
		if err := p.Apply(ctx, blocks[next:min(next+3, len(blocks))]); err != nil {
			return err
		}
		fmt.Println(next)
	}
	return nil
}

const killBlocks = 600

// killable is a chain in a file, and what its tables are.
func killable(t *testing.T) (chain *blocktest.Chain, file string, want map[string]store.Digest) {
	if testing.Short() {
		t.Skip("kills processes for some seconds")
	}
	chain = new(blocktest.Chain)
	chain.Add(blocktest.Tx{Config: true})
	for i := range killBlocks {
		id := string(rune('a' + i%7))
		chain.Add(blocktest.Tx{Chaincode: "exchange", Event: event("exchange", kernel.Change{Type: "t.v1", ID: id}), Namespaces: []blocktest.Namespace{
			{Name: "exchange", Writes: writes(blocktest.Put(state.Key("use", id), record("x", i, "s")))},
			{Name: "certificate", Writes: writes(blocktest.Put(state.Key("certificate", id), record("y", i, "s")))},
		}})
	}
	file = filepath.Join(t.TempDir(), "chain.gz")
	require.NoError(t, chain.Save(file))
	p := openOn(t, databasetest.SQLite(t))
	defer p.Close()
	require.NoError(t, p.Apply(ctx, decoded(t, chain)))
	want = digests(t, p)
	require.Equal(t, killBlocks+1, want["blocks"].Rows)
	return chain, file, want
}

// folding runs the process that folds. It is killed while it applies the blocks after the given number of times; -1 lets it end.
func folding(t *testing.T, file string, settings database.Settings, killAfter int) error {
	program, err := os.Executable()
	require.NoError(t, err)
	encoded, err := json.Marshal(settings)
	require.NoError(t, err)
	c := exec.Command(program)
	c.Env = append(os.Environ(), killChain+"="+file, killStore+"="+string(encoded))
	c.Stderr = os.Stderr
	said, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	lines := bufio.NewScanner(said)
	for n := 0; lines.Scan(); n++ {
		if n == killAfter { // the next blocks are being applied
			time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
			require.NoError(t, c.Process.Kill())
		}
	}
	return c.Wait()
}

// TestKilledWhileFolding kills the folding process again and again: in the end there is no gap and no double.
func TestKilledWhileFolding(t *testing.T) {
	_, file, want := killable(t)
	databasetest.Each(t, func(t *testing.T, settings database.Settings) {
		const kills = 5
		for range kills {
			require.Error(t, folding(t, file, settings, rand.IntN(killBlocks/3/kills-10)), "it was killed on the way")
		}
		require.NoError(t, folding(t, file, settings, -1))
		p := openOn(t, settings)
		defer p.Close()
		require.Equal(t, want, digests(t, p))
	})
}

// TestTwoGatewaysFoldAsOne lets two gateways apply the same blocks to one database, while a third process that does so too
// is killed again and again. Every block is there once, and both know how far the tables are.
func TestTwoGatewaysFoldAsOne(t *testing.T) {
	chain, file, want := killable(t)
	settings := databasetest.PostgreSQL(t)
	blocks := decoded(t, chain)
	var group sync.WaitGroup
	var gateways [2]*projection.Projection
	for i := range gateways {
		p := openOn(t, settings)
		defer p.Close()
		gateways[i] = p
		group.Go(func() {
			for rest := blocks; len(rest) > 0; {
				n := min(len(rest), 1+rand.IntN(3))
				if err := p.Apply(ctx, rest[:n]); err != nil {
					t.Error(err)
					return
				}
				rest = rest[n:]
				at, _, err := p.Checkpoint(ctx)
				height, _ := p.Store().Height(ctx)
				if err != nil || at.Number < uint64(len(blocks)-len(rest)-1) || height < at.Number {
					t.Errorf("applied %d, checkpoint %d, height %d: %v", len(blocks)-len(rest)-1, at.Number, height, err)
				}
			}
		})
	}
	killed := 0
	for range 4 {
		if folding(t, file, settings, rand.IntN(20)) != nil {
			killed++
		}
	}
	group.Wait()
	require.Positive(t, killed, "killed on the way")
	for _, p := range gateways {
		require.NoError(t, p.Store().WaitBlock(ctx, killBlocks))
		require.Equal(t, want, digests(t, p))
	}
}

// TestAGatewaySeesWhatAnotherApplied: height and WaitBlock of one whose own block stream is down.
func TestAGatewaySeesWhatAnotherApplied(t *testing.T) {
	var chain blocktest.Chain
	chain.Add(blocktest.Tx{Config: true})
	chain.Add(blocktest.Tx{Config: true})
	settings := databasetest.PostgreSQL(t)
	one, other := openOn(t, settings), openOn(t, settings)
	defer one.Close()
	defer other.Close()
	waited := make(chan error, 1)
	go func() { waited <- other.Store().WaitBlock(ctx, 1) }()
	require.NoError(t, one.Apply(ctx, decoded(t, &chain)))
	select {
	case err := <-waited:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("the other does not know")
	}
	height, err := other.Store().Height(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, height)

	// The same blocks of another ledger are refused, as is a gateway that folds differently.
	var another blocktest.Chain
	another.Add(blocktest.Tx{Chaincode: "exchange"})
	require.ErrorIs(t, other.Apply(ctx, decoded(t, &another)), follow.ErrOtherLedger)
	less, err := projection.Open(ctx, settings, 1, house[:1])
	require.NoError(t, err)
	defer less.Close()
	require.ErrorIs(t, one.Apply(ctx, decoded(t, &chain)), store.ErrOtherFold)
	require.NoError(t, less.Apply(ctx, decoded(t, &chain)))
}
