package projection_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/projection"
	"github.com/hutong-gov/hutong/network/block/blocktest"
)

// Where the process that is to be killed finds the chain and the store.
const (
	killChain = "HUTONG_TEST_CHAIN"
	killStore = "HUTONG_TEST_STORE"
)

// TestMain lets the test's own program be the one that is killed.
func TestMain(m *testing.M) {
	if file := os.Getenv(killStore); file != "" {
		if err := foldAll(os.Getenv(killChain), file); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// foldAll folds what is left of a chain, three blocks at a time, and says so after each time.
func foldAll(chainFile, storeFile string) error {
	chain, err := blocktest.Load(chainFile)
	if err != nil {
		return err
	}
	p, err := projection.Open(ctx, storeFile, 1, house)
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

// TestKilledWhileFolding kills the folding process again and again: in the end there is no gap and no double.
func TestKilledWhileFolding(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for some seconds")
	}
	const blocks, kills = 600, 5
	chain := new(blocktest.Chain)
	chain.Add(blocktest.Tx{Config: true})
	for i := range blocks {
		id := string(rune('a' + i%7))
		chain.Add(blocktest.Tx{Chaincode: "exchange", Event: event("exchange", kernel.Change{Type: "t.v1", ID: id}), Namespaces: []blocktest.Namespace{
			{Name: "exchange", Writes: writes(blocktest.Put(state.Key("use", id), record("x", i, "s")))},
			{Name: "certificate", Writes: writes(blocktest.Put(state.Key("certificate", id), record("y", i, "s")))},
		}})
	}
	folder := t.TempDir()
	file, clean := filepath.Join(folder, "chain.gz"), filepath.Join(folder, "clean.db")
	require.NoError(t, chain.Save(file))
	require.NoError(t, foldAll(file, clean))
	want := dump(t, clean)
	require.Len(t, want["blocks"], blocks+1)

	store := filepath.Join(folder, "killed.db")
	program, err := os.Executable()
	require.NoError(t, err)
	fold := func(killAfter int) error {
		c := exec.Command(program)
		c.Env = append(os.Environ(), killChain+"="+file, killStore+"="+store)
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
	for range kills {
		require.Error(t, fold(rand.IntN(blocks/3/kills-10)), "it was killed on the way")
	}
	require.NoError(t, fold(-1))
	require.Equal(t, want, dump(t, store))
}
