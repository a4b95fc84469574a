package anchor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"math/rand/v2"
	"os/exec"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

func TestAnchorCSV(t *testing.T) {
	folder := t.TempDir()
	path, good := csvFile(t, folder, 1000)
	a, ledger := opened(t, filepath.Join(folder, "archive")), &journal{path: filepath.Join(folder, "ledger")}
	request := Request{Dataset: dataset, Files: []string{path}, BatchSize: 128, Patience: shortPatience}
	result, err := a.Run(t.Context(), ledger, request)
	require.NoError(t, err)
	require.Equal(t, [4]int{good, 100, 20, 8}, [4]int{result.Records, result.Rejected, result.Duplicates, result.Anchored})
	require.Equal(t, Done, result.Phase)
	require.Equal(t, result.TotalBytes, result.Bytes)

	list, err := os.ReadFile(filepath.Join(folder, "archive", filepath.FromSlash(dataset), result.Job, rejectedFile))
	require.NoError(t, err)
	rejections := strings.Split(strings.TrimSpace(string(list)), "\n")
	require.Len(t, rejections, 100)
	require.Equal(t, []string{ // a record of two lines each, after the header
		`{"file":0,"line":20,"rule":"unique_key"}`,
		`{"file":0,"line":39,"field":"item","rule":"type:integer"}`,
		`{"file":0,"line":58,"rule":"columns"}`,
		`{"file":0,"line":77,"field":"declaration","rule":"required"}`,
		`{"file":0,"line":96,"field":"goods","rule":"utf8"}`,
	}, rejections[:5])

	anchors := map[string]exchange.Anchor{}
	for _, anchor := range ledger.all() {
		anchors[anchor.ID] = anchor
	}
	require.Len(t, anchors, 8)
	for i := range 1000 {
		proof, err := a.Proof(t.Context(), dataset, keyed(i))
		if i%10 == 9 {
			require.ErrorIs(t, err, ErrNoRecord)
			continue
		}
		require.NoError(t, err)
		in, err := proof.In(anchors[proof.Anchor])
		require.NoError(t, err)
		require.True(t, in)
		require.JSONEq(t, fmt.Sprintf(`{"declaration":"D%07d","declared_on":"2026-0%d-%02d","goods":"茶叶, green\n\"spring\" %d","item":%d,"released":true}`, i, 1+i%9, 1+i%28, i, i%5), string(proof.Record))
	}

	calls := ledger.calls
	again, err := a.Run(t.Context(), ledger, request)
	require.NoError(t, err)
	require.True(t, again.Before)
	require.Equal(t, calls, ledger.calls, "the same source twice is one job")

	// The same records in another form are another source; each is refused, and the new one is taken.
	var lines strings.Builder
	for i := range 11 {
		fmt.Fprintf(&lines, "{\"declaration\": \"D%07d\", \"item\": %d, \"goods\": null}\n\n", i, i%5)
	}
	other := filepath.Join(folder, "more.ndjson")
	require.NoError(t, os.WriteFile(other, []byte(lines.String()), 0o600))
	more, err := a.Run(t.Context(), ledger, Request{Dataset: dataset, Files: []string{other}, Patience: shortPatience})
	require.NoError(t, err)
	require.Equal(t, [3]int{1, 10, 10}, [3]int{more.Records, more.Rejected, more.Duplicates})
	proof, err := a.Proof(t.Context(), dataset, keyed(9))
	require.NoError(t, err)
	require.JSONEq(t, `{"declaration":"D0000009","item":4}`, string(proof.Record))
}

// A withdrawn anchor's records may be anchored again, and their proof is that of the anchor that stands.
func TestAnewAfterWithdrawal(t *testing.T) {
	folder := t.TempDir()
	path, _ := csvFile(t, folder, 100)
	a, ledger := opened(t, filepath.Join(folder, "archive")), &journal{path: filepath.Join(folder, "ledger")}
	request := Request{Dataset: dataset, Files: []string{path}, BatchSize: 64, Patience: shortPatience}
	_, err := a.Run(t.Context(), ledger, request)
	require.NoError(t, err)
	first, err := a.Proof(t.Context(), dataset, keyed(0))
	require.NoError(t, err)
	ledger.withdrawn = []string{first.Anchor, "00000000000000000000000000"}

	request.Replaces = first.Anchor
	anew, err := a.Run(t.Context(), ledger, request)
	require.NoError(t, err)
	require.Equal(t, [2]int{64, 26 + 2}, [2]int{anew.Records, anew.Duplicates}, "the second batch stands")
	second, err := a.Proof(t.Context(), dataset, keyed(0))
	require.NoError(t, err)
	require.NotEqual(t, first.Anchor, second.Anchor)
	require.NotEqual(t, first.Salt, second.Salt)
	require.Equal(t, first.Record, second.Record)
}

func TestRefused(t *testing.T) {
	folder := t.TempDir()
	a, ledger := opened(t, filepath.Join(folder, "archive")), &journal{path: filepath.Join(folder, "ledger")}
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	header := "declaration,item,goods\n"
	for _, c := range []struct {
		name   string
		change func(*Request)
		reason string
		field  string
	}{
		{"no dataset", func(r *Request) { r.Dataset = "../elsewhere" }, "request.invalid", "dataset"},
		{"nothing to read", func(r *Request) { r.Files = nil }, "request.invalid", "files"},
		{"a folder", func(r *Request) { r.Files = []string{folder} }, "request.invalid", "files"},
		{"unknown format", func(r *Request) { r.Files = []string{file("x.xlsx", "x")} }, "request.invalid", "format"},
		{"batches of three", func(r *Request) { r.BatchSize = 3 }, "request.invalid", "batch_size"},
		{"no such field", func(r *Request) { r.Files = []string{file("a.csv", "declaration,item,colour\n")} }, "anchor.header", "file"},
		{"a field twice", func(r *Request) { r.Files = []string{file("b.csv", "declaration,item,item\n")} }, "anchor.header", "file"},
		{"no record key", func(r *Request) { r.Files = []string{file("c.csv", "declaration,goods\n")} }, "anchor.header", "file"},
		{"empty file", func(r *Request) { r.Files = []string{file("d.csv", "")} }, "anchor.header", "file"},
		{"a quote that never ends", func(r *Request) {
			r.Files = []string{file("e.csv", header+"D1,1,\"x\n"+strings.Repeat("D1,1,x\n", 100_000))}
		}, "anchor.row_too_long", "file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Request{Dataset: dataset, Files: []string{file("good.csv", header+"D1,1,x\n")}, Patience: shortPatience}
			c.change(&r)
			_, err := a.Run(t.Context(), ledger, r)
			f := fault.From(err)
			require.NotNil(t, f)
			require.Equal(t, [2]string{c.reason, c.field}, [2]string{f.Reason, f.Field})
		})
	}
	require.Zero(t, ledger.calls)

	long := file("long.ndjson", `{"declaration":"D1","item":1,"goods":"`+strings.Repeat("x", MaxRowBytes)+"\"}\n{\"declaration\":\"D1\",\"item\":1}\n[]\n{\"declaration\":\"D2\",\"item\":1,\"x\":1}\n{\"declaration\":\"D2\",\"item\":\"1\"}\n{\"declaration\":\"D3\",\"declaration\":\"D3\",\"item\":1}")
	result, err := a.Run(t.Context(), ledger, Request{Dataset: dataset, Files: []string{long}, Patience: shortPatience})
	require.NoError(t, err)
	require.Equal(t, [2]int{1, 5}, [2]int{result.Records, result.Rejected})
	list, err := os.ReadFile(filepath.Join(folder, "archive", filepath.FromSlash(dataset), result.Job, rejectedFile))
	require.NoError(t, err)
	var rules []string
	for line := range strings.Lines(string(list)) {
		var r Rejection
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		rules = append(rules, fmt.Sprint(r.Line, r.Field, " ", r.Rule))
	}
	require.Equal(t, []string{"1 " + RuleRowLength, "3 " + RuleForm, "4 " + RuleUnknown, "5item type:integer", "6 " + RuleForm}, rules)
}

func TestOneJobOfADataset(t *testing.T) {
	folder := t.TempDir()
	path, _ := csvFile(t, folder, 10)
	a := opened(t, folder)
	release, err := a.lock(dataset)
	require.NoError(t, err)
	_, err = a.Run(t.Context(), &journal{path: filepath.Join(folder, "ledger")}, Request{Dataset: dataset, Files: []string{path}})
	require.ErrorIs(t, err, ErrBusy)
	require.NoError(t, release())
}

// silent is a ledger that is not reached.
type silent struct{ *journal }

func (silent) Anchor(context.Context, string, exchange.CreateAnchor) (Receipt, error) {
	return Receipt{}, Temporary{errors.New("connection refused")}
}

func TestAJobThatStoppedGoesOn(t *testing.T) {
	folder := t.TempDir()
	path, good := csvFile(t, folder, 1000)
	a, ledger := opened(t, filepath.Join(folder, "archive")), &journal{path: filepath.Join(folder, "ledger"), lose: .3}
	request := Request{Dataset: dataset, Files: []string{path}, BatchSize: 64, Patience: 50 * time.Millisecond}
	_, err := a.Run(t.Context(), silent{ledger}, request)
	require.ErrorContains(t, err, "connection refused")
	_, err = a.Proof(t.Context(), dataset, keyed(0))
	require.ErrorIs(t, err, ErrNotYet)
	request.Patience = time.Minute
	result, err := a.Run(t.Context(), ledger, request)
	require.NoError(t, err)
	require.Equal(t, [2]int{good, 100}, [2]int{result.Records, result.Rejected})
}

// TestASourceThatChanges while it is read is no source.
func TestASourceThatChanges(t *testing.T) {
	folder := t.TempDir()
	path, _ := csvFile(t, folder, 1000)
	about, err := look(t.Context(), path, CSV, func(int64) {})
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, bytes.Replace(text, []byte("green"), []byte("black"), 1), 0o600))
	in, err := openAt(t.Context(), 0, about, 0, shapeOf(clearance()), func(int64) {})
	require.NoError(t, err)
	for err == nil {
		_, err = in.rows()
	}
	require.ErrorIs(t, in.finish(), ErrChanged)
	require.NoError(t, in.Close())
}

// TestKilled kills a process that anchors again and again, at any instant, until it is done. What it did is what a process
// does that nobody disturbs: the same batches with the same roots, each on the ledger once.
func TestKilled(t *testing.T) {
	if folder := os.Getenv("ANCHOR_FOLDER"); folder != "" {
		anchorHere(t, folder)
		return
	}
	const rows = 20_000
	undisturbed, disturbed := t.TempDir(), t.TempDir()
	for _, folder := range []string{undisturbed, disturbed} {
		csvFile(t, folder, rows)
		require.NoError(t, os.Mkdir(filepath.Join(folder, "archive"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "archive", "secret"), []byte(strings.Repeat("5e", 32)), 0o600))
	}
	began := time.Now()
	require.NoError(t, child(t, undisturbed).Run())
	whole := time.Since(began)
	kills := 0
	for try := 0; ; try++ {
		require.Less(t, try, 200)
		process := child(t, disturbed)
		require.NoError(t, process.Start())
		timer := time.AfterFunc(time.Duration(rand.Int64N(int64(whole))), func() { _ = process.Process.Signal(syscall.SIGKILL) })
		err := process.Wait()
		timer.Stop()
		if err == nil {
			break
		}
		kills++
	}
	t.Logf("killed %d times; undisturbed it takes %s", kills, whole.Round(time.Millisecond))
	require.Equal(t, shown(t, undisturbed), shown(t, disturbed))
	left, right := (&journal{path: filepath.Join(undisturbed, "ledger")}).all(), (&journal{path: filepath.Join(disturbed, "ledger")}).all()
	require.Equal(t, left, right)
	require.Len(t, right, (rows*9/10+1023)/1024)
}

func child(t *testing.T, folder string) *exec.Cmd {
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestKilled$")
	c.Env = append(os.Environ(), "ANCHOR_FOLDER="+folder)
	return c
}

func anchorHere(t *testing.T, folder string) {
	a := opened(t, filepath.Join(folder, "archive"))
	ledger := &journal{path: filepath.Join(folder, "ledger"), lose: .1}
	_, err := a.Run(t.Context(), ledger, Request{Dataset: dataset, Files: []string{filepath.Join(folder, "clearance.csv")}, BatchSize: 1024})
	require.NoError(t, err)
}

// shown is what an archive's only job has, without times.
func shown(t *testing.T, folder string) map[string]string {
	content := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(folder, "archive", filepath.FromSlash(dataset), "*", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		if base := filepath.Base(path); base == descriptionFile || base == doneFile || strings.HasSuffix(base, ".new") {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		content[filepath.Base(path)] = strconv.Itoa(len(text)) + " " + fmt.Sprintf("%x", sum(text))
	}
	return content
}
