package bench

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/inclusion"
	"github.com/hutong-gov/hutong/gateway/anchor"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/catalogue"
	doors "github.com/hutong-gov/hutong/network/door"
	"github.com/hutong-gov/hutong/test/logistics"
	"github.com/hutong-gov/hutong/test/story"
)

// What anchoring 3,000,000 records is held to.
const (
	AnchorRecords     = 3_000_000
	AnchorLongest     = 5 * time.Minute
	AnchorMostMemory  = 1 << 30 // bytes that the process has resident at most
	AnchorMostGrowth  = 1.0     // bytes of the ledger a record
	AnchorKills       = 2
	AnchorProofs      = 10_000
	AnchorKillsWithin = 8 * time.Second // of a job's start, at random
)

// AnchorSettings say what is anchored.
type AnchorSettings struct {
	Dir         string // for everything that is made
	Records     int
	BatchSize   int
	Proofs      int
	Kills       int
	KillsWithin time.Duration
	Out         io.Writer
}

// Anchored is what came of it.
type Anchored struct {
	Records  int           // in anchors on the ledger
	Expected int           // that were generated
	Batches  int           // anchors
	Elapsed  time.Duration // from the first start to the last end, kills and resumptions in it
	Memory   int64         // the most that a process had resident, in bytes
	Growth   int64         // of a peer's block files, in bytes
	Archive  int64         // bytes on disk
	Kills    int
	Proofs   int           // that another implementation verified with the root on the ledger
	P50, P95 time.Duration // to get a proof by its key
}

// Anchor generates logistics records, lets `hutong exchange anchor` anchor them, kills it on the way, and verifies proofs
// taken at random with roots from another organisation's gateway.
func Anchor(ctx context.Context, n *network.Network, s AnchorSettings) (a Anchored, err error) {
	city := story.NewLive(n)
	c, err := catalogue.Default()
	if err != nil {
		return a, err
	}
	if _, err := c.Active().Load(ctx, city.Admin, catalogue.Options{}); err != nil {
		return a, err
	}
	run := &anchorRun{AnchorSettings: s, network: n, archive: filepath.Join(s.Dir, "archive"), program: filepath.Join(s.Dir, "hutong")}
	build := exec.CommandContext(ctx, "go", "build", "-o", run.program, "github.com/hutong-gov/hutong/network/cmd/hutong")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return a, fmt.Errorf("build: %w\n%s", err, text)
	}
	begin := time.Now()
	files := map[string]string{}
	for _, k := range logistics.Kinds {
		if files[k.Dataset], err = k.Write(filepath.Join(s.Dir, "files"), logistics.DefaultSeed, k.Of(s.Records)); err != nil {
			return a, err
		}
		a.Expected += k.Of(s.Records)
	}
	fmt.Fprintf(s.Out, "%d records written in %.1f s; now they are anchored\n", a.Expected, time.Since(begin).Seconds())

	before, err := run.blockBytes()
	if err != nil {
		return a, err
	}
	begin = time.Now()
	for _, k := range logistics.Kinds {
		if err := run.anchor(ctx, k, files[k.Dataset]); err != nil {
			return a, fmt.Errorf("%s: %w", k.Dataset, err)
		}
	}
	a.Elapsed, a.Memory, a.Kills = time.Since(begin), run.memory, run.killed
	after, err := run.blockBytes()
	if err != nil {
		return a, err
	}
	a.Growth = after - before
	if a.Archive, err = sizeOf(run.archive, ""); err != nil {
		return a, err
	}
	anchors, err := run.anchors(ctx, city)
	if err != nil {
		return a, err
	}
	for _, anchor := range anchors {
		a.Records, a.Batches = a.Records+anchor.Size, a.Batches+1
	}
	return a, run.verify(ctx, &a, anchors)
}

type anchorRun struct {
	AnchorSettings
	network          *network.Network
	archive, program string
	killed           int
	memory           int64
}

// anchor runs the command for one file until it has succeeded, killing it while kills are left.
func (r *anchorRun) anchor(ctx context.Context, k logistics.Kind, file string) error {
	organisation, rest, _ := strings.Cut(k.Dataset, ".")
	agency, _, _ := strings.Cut(rest, "/")
	address, err := r.network.GatewayURL(organisation)
	if err != nil {
		return err
	}
	root, err := r.network.TLSRoot(organisation)
	if err != nil {
		return err
	}
	tokens, err := doors.To(r.network).Token(ctx, "officer."+agency)
	if err != nil {
		return err
	}
	tokenFile := filepath.Join(r.Dir, "token")
	for {
		if err := saveToken(ctx, tokens, tokenFile); err != nil {
			return err
		}
		process := exec.CommandContext(ctx, r.program, "exchange", "anchor", file, "--dataset", k.Dataset, "--archive", r.archive, "--gateway", address,
			"--root", root, "--token-file", tokenFile, "--batch-size", fmt.Sprint(r.BatchSize))
		process.Stdout, process.Stderr = r.Out, r.Out
		if err := process.Start(); err != nil {
			return err
		}
		var timer *time.Timer
		if r.killed < r.Kills {
			timer = time.AfterFunc(time.Duration(rand.Int64N(int64(r.KillsWithin))), func() { _ = process.Process.Kill() })
		}
		renew, stop := context.WithCancel(ctx)
		go keepToken(renew, tokens, tokenFile)
		err := process.Wait()
		stop()
		if timer != nil {
			timer.Stop()
		}
		if usage, ok := process.ProcessState.SysUsage().(*syscall.Rusage); ok {
			r.memory = max(r.memory, resident(usage))
		}
		if err == nil {
			return nil
		}
		status, ok := process.ProcessState.Sys().(syscall.WaitStatus)
		if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL || ctx.Err() != nil {
			return err
		}
		r.killed++
		fmt.Fprintf(r.Out, "killed with SIGKILL, number %d; the same command again\n", r.killed)
	}
}

// resident is the most that a process had resident, in bytes: Linux counts KiB.
func resident(usage *syscall.Rusage) int64 {
	if runtime.GOOS == "darwin" {
		return usage.Maxrss
	}
	return usage.Maxrss << 10
}

// renewal is how often the token in the file is looked after: a provider's are short-lived.
const renewal = 20 * time.Second

func keepToken(ctx context.Context, tokens client.TokenSource, file string) {
	ticker := time.NewTicker(renewal)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = saveToken(ctx, tokens, file) // the command says what it lacks
		}
	}
}

func saveToken(ctx context.Context, tokens client.TokenSource, file string) error {
	token, err := tokens.Token(ctx)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", []byte(token), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// blockBytes are those of the block files of one peer.
func (r *anchorRun) blockBytes() (int64, error) {
	return sizeOf(filepath.Join(r.network.Options.State, "data", "market-peer0"), "blockfile_")
}

// sizeOf sums up files whose name has a beginning.
func sizeOf(folder, beginning string) (total int64, err error) {
	found := false
	err = filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), beginning) {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total, found = total+info.Size(), true
		}
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("no %s files below %s", beginning, folder)
	}
	return total, err
}

// anchors are all anchors on the ledger by id, as the auditor's gateway has them.
func (r *anchorRun) anchors(ctx context.Context, city *story.Live) (map[string]exchange.Anchor, error) {
	anybody, err := city.SignIn(ctx, "audit", "")
	if err != nil {
		return nil, err
	}
	// The auditor's gateway may be some blocks behind the one that anchored.
	own, err := city.SignIn(ctx, "market", "")
	if err != nil {
		return nil, err
	}
	tip, err := api.Of(own).Anchors(ctx, api.Anchors{PageSize: 1})
	if err != nil {
		return nil, err
	}
	all := map[string]exchange.Anchor{}
	request := api.Anchors{PageSize: 200, MinBlock: tip.AsOf}
	for {
		page, err := api.Of(anybody).Anchors(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, a := range page.Items {
			all[a.ID] = a
		}
		if request.PageToken = page.Next; page.Next == "" {
			return all, nil
		}
	}
}

// verify takes records at random, gets their proofs by key and has another implementation verify each, with the root on the
// ledger.
func (r *anchorRun) verify(ctx context.Context, a *Anchored, anchors map[string]exchange.Anchor) (err error) {
	archive, err := anchor.Open(r.archive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	var took []time.Duration
	for range r.Proofs {
		k := logistics.Kinds[rand.IntN(len(logistics.Kinds))]
		i := rand.IntN(k.Of(r.Records))
		begin := time.Now()
		p, err := archive.ProofOf(ctx, k.Dataset, k.Key(i))
		took = append(took, time.Since(begin))
		if err != nil {
			return fmt.Errorf("record %d of %s: %w", i, k.Dataset, err)
		}
		on, found := anchors[p.Anchor]
		if !found || on.Status != exchange.Anchored || on.Dataset != k.Dataset || on.Size != p.Size {
			return fmt.Errorf("record %d of %s: its anchor is not on the ledger", i, k.Dataset)
		}
		if err := independently(p, on.Root); err != nil {
			return fmt.Errorf("record %d of %s: %w", i, k.Dataset, err)
		}
		a.Proofs++
	}
	slices.Sort(took)
	a.P50, a.P95 = percentile(took, 50), percentile(took, 95)
	return nil
}

// independently verifies a proof with transparency-dev/merkle, sharing nothing with what made it but the reference page.
func independently(p inclusion.Proof, root string) error {
	leaf, err := canonical.Marshal([]any{p.Dataset, p.Record, p.Salt})
	if err != nil {
		return err
	}
	path := make([][]byte, len(p.Path))
	for i, digits := range p.Path {
		if path[i], err = hex.DecodeString(digits); err != nil {
			return err
		}
	}
	top, err := hex.DecodeString(root)
	if err != nil {
		return err
	}
	hasher := rfc6962.DefaultHasher
	return proof.VerifyInclusion(hasher, uint64(p.Index), uint64(p.Size), hasher.HashLeaf(leaf), path, top)
}

// Print writes what was measured.
func (a Anchored) Print(out io.Writer) {
	perRecord := float64(a.Growth) / float64(max(a.Records, 1))
	fmt.Fprintf(out, "%d records in %d anchors after %.1f s (%.0f records a second), killed %d times on the way; at most %d MiB resident\n",
		a.Records, a.Batches, a.Elapsed.Seconds(), float64(a.Records)/a.Elapsed.Seconds(), a.Kills, a.Memory>>20)
	fmt.Fprintf(out, "the ledger grew by %d bytes, the archive has %d MiB; %d random proofs verified, each had after %.2f ms (p95 %.2f)\n",
		a.Growth, a.Archive>>20, a.Proofs, milliseconds(a.P50), milliseconds(a.P95))
	for _, m := range []struct {
		name  string
		value float64
		unit  string
	}{
		{"anchor_records", float64(a.Records), "records"}, {"anchor_seconds", a.Elapsed.Seconds(), "s"}, {"anchor_memory", float64(a.Memory) / (1 << 20), "MiB"},
		{"anchor_ledger_growth", perRecord, "bytes/record"}, {"anchor_kills", float64(a.Kills), "kills"}, {"anchor_proofs", float64(a.Proofs), "proofs"},
		{"anchor_proof_p95", milliseconds(a.P95), "ms"},
	} {
		fmt.Fprintf(out, "measure %s %.3f %s\n", m.name, m.value, m.unit)
	}
}

// Judge holds a full-sized run to what was promised.
func (a Anchored) Judge(s AnchorSettings) []Finding {
	perRecord := float64(a.Growth) / float64(max(a.Records, 1))
	return []Finding{
		{"anchor_records", fmt.Sprintf("%d of %d records are in anchors on the ledger", a.Records, a.Expected), a.Records == a.Expected && a.Expected > 0},
		{"anchor_time", fmt.Sprintf("%.1f s, at most %.0f", a.Elapsed.Seconds(), AnchorLongest.Seconds()), a.Elapsed < AnchorLongest},
		{"anchor_memory", fmt.Sprintf("%d MiB, at most %d", a.Memory>>20, AnchorMostMemory>>20), a.Memory > 0 && a.Memory < AnchorMostMemory},
		{"anchor_growth", fmt.Sprintf("%.3f bytes a record, at most %.0f", perRecord, AnchorMostGrowth), a.Growth > 0 && perRecord < AnchorMostGrowth},
		{"anchor_kills", fmt.Sprintf("killed %d times of %d", a.Kills, s.Kills), a.Kills == s.Kills},
		{"anchor_proofs", fmt.Sprintf("%d of %d random proofs verified", a.Proofs, s.Proofs), a.Proofs == s.Proofs && a.Proofs > 0},
	}
}
