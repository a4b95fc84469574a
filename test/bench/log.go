package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client/api"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/catalogue"
	"github.com/hutong-gov/hutong/test/story"
)

// MaxLogPageP95 is what a page of a log, over HTTP, is held to.
const MaxLogPageP95 = 50 * time.Millisecond

// How a log is made and read.
const (
	logCitizen  = "citizen1"
	logProvider = "services.police"
	logDataset  = "bench-log"
	logPage     = 50  // entries of a page
	usesOfBatch = 250 // in one transaction; the uses of one subject cannot run side by side
)

// logConsumers use the citizen's data in turn; each has a part in the citizen's case.
var logConsumers = []string{"market.regulation", "market.tax"}

// LogOptions say how much is measured.
type LogOptions struct {
	Uses    int    // of one subject
	Pages   int    // read of each kind
	Folder  string // for keys, certificates and exported files
	Command string // hutong
}

// Logged is what was measured.
type Logged struct {
	Uses         int
	Load         time.Duration
	Kinds        []string
	Pages        map[string][]time.Duration // by kind
	Stated       time.Duration
	Exported     time.Duration
	Parts        int
	Bytes        int64
	Verified     time.Duration // by a process of its own
	VerifierSays string
	Complete     bool
	ForgedFound  bool // one entry left out was found
}

// Log makes a log of one subject, used by several agencies, on a network that is up, and reads and proves it.
func Log(ctx context.Context, n *network.Network, o LogOptions) (l Logged, err error) {
	city := story.NewLive(n)
	c, err := catalogue.Default()
	if err != nil {
		return l, err
	}
	if _, err := c.Active().Load(ctx, city.Admin, catalogue.Options{}); err != nil {
		return l, err
	}
	citizen, err := settle(ctx, city, logCitizen, filepath.Join(o.Folder, "devices"))
	if err != nil {
		return l, err
	}
	users, err := logUsers(ctx, n)
	defer func() {
		for _, u := range users {
			u.Close()
		}
	}()
	if err != nil {
		return l, err
	}
	started := time.Now()
	if err := useMuch(ctx, users, citizen, o.Uses); err != nil {
		return l, err
	}
	l.Uses, l.Load = o.Uses, time.Since(started)
	if err := l.read(ctx, citizen, o); err != nil {
		return l, err
	}
	return l, l.prove(ctx, n, citizen, o)
}

// logUser is an agency that uses the data, straight at its organisation's peer.
type logUser struct {
	*Direct
	agency, grant string
}

// logUsers publishes a dataset that needs no consent, and has it granted to each consumer.
func logUsers(ctx context.Context, n *network.Network) (users []logUser, err error) {
	provider, err := dialAs(n, logProvider, "admin")
	if err != nil {
		return nil, err
	}
	defer func() { provider.Close() }()
	title := exchange.Text{Zh: "基准", En: "Benchmark"}
	_, err = provider.Write(ctx, exchange.Name, exchange.DatasetPublish, logDataset, exchange.PublishDataset{Code: logDataset, Content: exchange.Content{
		Name: title, Classification: exchange.Shared, Fields: []exchange.FieldSpec{{Name: "number", Title: title, Type: "string"}}, Selector: []string{"number"},
	}})
	if err != nil {
		return nil, fmt.Errorf("publish the dataset: %w", err)
	}
	terms := exchange.Terms{Purposes: []string{story.Service}, Fields: []string{"number"}, ValidFrom: day(-1), ValidUntil: day(300)}
	for _, agency := range logConsumers {
		admin, err := dialAs(n, agency, "admin")
		if err != nil {
			return users, err
		}
		asked, err := admin.Write(ctx, exchange.Name, exchange.GrantRequest, logDataset, exchange.RequestGrant{Dataset: logProvider + "/" + logDataset, Terms: terms, Basis: "Benchmark Law, art. 1"})
		admin.Close()
		if err != nil {
			return users, fmt.Errorf("%s asks for a grant: %w", agency, err)
		}
		if _, err := provider.Write(ctx, exchange.Name, exchange.GrantGrant, logDataset+agency, exchange.GrantAccess{Grant: asked.ID, Terms: terms}); err != nil {
			return users, fmt.Errorf("grant to %s: %w", agency, err)
		}
		service, err := dialAs(n, agency, "agency")
		if err != nil {
			return users, err
		}
		users = append(users, logUser{service, agency, asked.ID})
	}
	return users, nil
}

// useMuch requests uses of the citizen's data, batch after batch, the agencies in turn.
func useMuch(ctx context.Context, users []logUser, citizen holder, uses int) error {
	for done, turn := 0, 0; done < uses; turn++ {
		user := users[turn%len(users)]
		var batch kernel.Batch
		for ; done < uses && len(batch.Commands) < usesOfBatch; done++ {
			request, err := canonical.Marshal(exchange.RequestUse{
				Subject: citizen.Me.Pseudonym, Dataset: logProvider + "/" + logDataset, Fields: []string{"number"}, Purpose: story.Service,
				LegalBasis: "Benchmark Law, art. 1", Case: citizen.caseID, Grant: user.grant, Selector: fmt.Sprintf("%064x", done),
			})
			if err != nil {
				return err
			}
			batch.Commands = append(batch.Commands, kernel.BatchCommand{Function: exchange.UseRequest, Command: kernel.Command{IdempotencyKey: fmt.Sprintf("log-%d", done), Request: request}})
		}
		if err := useTogether(ctx, user, batch); err != nil {
			return fmt.Errorf("use %d, by %s: %w", done, user.agency, err)
		}
	}
	return nil
}

// useTogether writes a batch. A peer that has not the block before yet disagrees with the others: asked again.
func useTogether(ctx context.Context, user logUser, batch kernel.Batch) error {
	for try := 0; ; try++ {
		outcomes, err := user.WriteBatch(ctx, exchange.Name, batch)
		if err == nil {
			for _, outcome := range outcomes.Outcomes {
				if outcome.Fault != nil {
					return outcome.Fault
				}
			}
			return nil
		}
		if try == maxDisagreements || ctx.Err() != nil {
			return err
		}
		time.Sleep(blockPause)
	}
}

const (
	maxDisagreements = 20
	blockPause       = 50 * time.Millisecond // about what a block takes to reach every peer
)

// read reads pages of each kind: the first, those far inside, those that a filter leaves, those with proof.
func (l *Logged) read(ctx context.Context, citizen holder, o LogOptions) error {
	me := api.Of(citizen.Client)
	var head api.AccessLog
	for head.Count < o.Uses { // the projection is behind the peer by a block at most
		page, err := me.MyUses(ctx, api.MyUses{PageSize: 1})
		if err != nil {
			return err
		}
		if head = page.Log; head.Count < o.Uses {
			time.Sleep(blockPause)
		}
	}
	l.Kinds, l.Pages = []string{"newest", "deep", "by agency", "with proof"}, map[string][]time.Duration{}
	for _, kind := range l.Kinds {
		request := api.MyUses{PageSize: logPage}
		switch kind {
		case "deep": // pages begin all over the log
			request.Count = head.Count
		case "by agency":
			request.Consumer = logConsumers[1]
		case "with proof":
			request.Count = head.Count
		}
		for i := range o.Pages {
			if kind == "deep" {
				request.Count, request.PageToken = max(1, head.Count*(i+1)/o.Pages), ""
			}
			began := time.Now()
			page, err := me.MyUses(ctx, request)
			if err != nil {
				return fmt.Errorf("a page, %s: %w", kind, err)
			}
			l.Pages[kind] = append(l.Pages[kind], time.Since(began))
			if len(page.Items) == 0 {
				return fmt.Errorf("a page, %s, is empty", kind)
			}
			if request.PageToken = page.Next; kind == "newest" {
				request.PageToken = ""
			}
		}
	}
	return nil
}

// prove exports the log and has it verified by a process that is given files and certificates, and nothing else.
func (l *Logged) prove(ctx context.Context, n *network.Network, citizen holder, o LogOptions) error {
	me := api.Of(citizen.Client)
	began := time.Now()
	if _, err := me.MyLogStatement(ctx, api.MyLogStatement{}); err != nil {
		return err
	}
	l.Stated = time.Since(began)
	began = time.Now()
	var files []string
	for from := 1; from <= o.Uses; from += app.MaxExported {
		part, err := me.MyLog(ctx, api.MyLog{From: from})
		if err != nil {
			return err
		}
		raw, err := json.Marshal(part)
		if err != nil {
			return err
		}
		file := filepath.Join(o.Folder, fmt.Sprintf("log-%d.json", from))
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			return err
		}
		files, l.Bytes = append(files, file), l.Bytes+int64(len(raw))
	}
	l.Exported, l.Parts = time.Since(began), len(files)
	certificates, err := certificatesAlone(n, filepath.Join(o.Folder, "certificates"))
	if err != nil {
		return err
	}
	verify := func(files []string) (string, error) {
		command := exec.CommandContext(ctx, o.Command, append([]string{"audit", "log", "--certificates", certificates, "--channel", n.Topology.Channel}, files...)...)
		command.Dir, command.Env = o.Folder, []string{} // it has no network to ask, and no checkout
		var out bytes.Buffer
		command.Stdout, command.Stderr = &out, &out
		err := command.Run()
		return out.String(), err
	}
	began = time.Now()
	if l.VerifierSays, err = verify(files); err != nil {
		return fmt.Errorf("the verifier: %w: %s", err, l.VerifierSays)
	}
	l.Verified, l.Complete = time.Since(began), strings.Contains(l.VerifierSays, fmt.Sprintf("all %d entries", o.Uses))
	return l.forge(files, verify)
}

// forge leaves one entry out of the last file and lets the verifier look again.
func (l *Logged) forge(files []string, verify func([]string) (string, error)) error {
	last := files[len(files)-1]
	raw, err := os.ReadFile(last)
	if err != nil {
		return err
	}
	var part map[string]json.RawMessage
	var entries []json.RawMessage
	if err := json.Unmarshal(raw, &part); err != nil {
		return err
	}
	if err := json.Unmarshal(part["entries"], &entries); err != nil {
		return err
	}
	if part["entries"], err = json.Marshal(slices.Delete(entries, len(entries)/2, len(entries)/2+1)); err != nil {
		return err
	}
	if raw, err = json.Marshal(part); err != nil {
		return err
	}
	if err := os.WriteFile(last, raw, 0o600); err != nil {
		return err
	}
	said, err := verify(files)
	l.ForgedFound = err != nil && strings.Contains(said, exchange.ErrNotInLog.Error())
	return nil
}

// certificatesAlone copies the organisations' root certificates, and nothing else, into a folder.
func certificatesAlone(n *network.Network, folder string) (string, error) {
	for _, org := range n.Topology.Organisations {
		raw, err := os.ReadFile(n.Layout.Public(org).Root())
		if err != nil {
			return "", err
		}
		if err := os.MkdirAll(filepath.Join(folder, org.MSP), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(folder, org.MSP, "ca.pem"), raw, 0o600); err != nil {
			return "", err
		}
	}
	return folder, nil
}

// Print writes what was measured; the error says what does not hold.
func (l *Logged) Print(out io.Writer) error {
	fmt.Fprintf(out, "%d uses of one subject by %d agencies, written in %s (%.0f a second); pages of %d over HTTP; exported in %d parts, %.1f MB\n",
		l.Uses, len(logConsumers), l.Load.Round(time.Second), float64(l.Uses)/l.Load.Seconds(), logPage, l.Parts, float64(l.Bytes)/1e6)
	fmt.Fprint(out, l.VerifierSays)
	fmt.Fprintf(out, "measure log_uses_per_second %.0f uses/s\n", float64(l.Uses)/l.Load.Seconds())
	var findings []Finding
	for _, kind := range l.Kinds {
		slices.Sort(l.Pages[kind])
		p50, p95 := percentile(l.Pages[kind], 50), percentile(l.Pages[kind], 95)
		name := "log_page_" + strings.ReplaceAll(kind, " ", "_")
		fmt.Fprintf(out, "measure %s_p50 %.1f ms\nmeasure %s_p95 %.1f ms\n", name, milliseconds(p50), name, milliseconds(p95))
		findings = append(findings, Finding{name, fmt.Sprintf("p95 %s of %d pages, less than %s", p95.Round(100*time.Microsecond), len(l.Pages[kind]), MaxLogPageP95), p95 < MaxLogPageP95})
	}
	fmt.Fprintf(out, "measure log_statement %.0f ms\nmeasure log_export %.0f ms\nmeasure log_verification %.0f ms\n", milliseconds(l.Stated), milliseconds(l.Exported), milliseconds(l.Verified))
	return PrintFindings(out, append(findings,
		Finding{"log_proved", fmt.Sprintf("all %d entries, by a process that has the certificates alone", l.Uses), l.Complete},
		Finding{"log_forgery", "an entry left out is found", l.ForgedFound},
	))
}
