package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/process"
	"github.com/hutong-gov/hutong/network/topology"
	"github.com/hutong-gov/hutong/test/story"
)

// Targets.
const (
	Bare       = "direct"
	BareBatch  = "direct-batch"
	Create     = "create"
	RESTCreate = "rest-create"
	Issue      = "issue"
	RESTIssue  = "rest-issue"

	Evaluate     = "evaluate"
	RESTRead     = "rest-read"
	EvaluateList = "evaluate-list"
	RESTList     = "rest-list"
)

// AllTargets in the order they are measured and listed.
var AllTargets = []string{Bare, BareBatch, Create, RESTCreate, Issue, RESTIssue, Evaluate, RESTRead, EvaluateList, RESTList}

// HeadlineClients is the number of clients whose ratios carry no suffix.
const HeadlineClients = 256

// Who measures: everything enters through the peer of this agency's organisation.
const (
	organisation  = "market"
	agency        = "regulation"
	issuer        = organisation + "." + agency
	officer       = "officer." + agency
	administrator = "admin." + agency
	typeCode      = "bench-licence"
)

// World is the network a measurement is made on: the default one with the bare chaincode beside ours.
type World struct {
	network *network.Network
	service *Direct // signs as the agency
	admin   *Direct // signs as its administrator
	run     string  // makes ids of this run its own
}

// Start brings the network up and accredits the issuer.
func Start(ctx context.Context, options network.Options) (*World, error) {
	t := network.DefaultTopology()
	ours := t.Chaincodes[0]
	t.Chaincodes = append(t.Chaincodes, topology.Chaincode{Name: "baseline", Version: ours.Version, Policy: ours.Policy, Binary: "baseline"})
	if options.BasePort != 0 {
		t.BasePort = options.BasePort
	}
	options.Topology = t
	n, err := network.Up(ctx, options)
	if err != nil {
		return &World{network: n}, err
	}
	return On(ctx, n)
}

// On accredits the issuer on a network that is up. Without the bare chaincode there, Bare cannot be measured.
func On(ctx context.Context, n *network.Network) (w *World, err error) {
	w = &World{network: n, run: "b" + strings.ToLower(rand.Text()[:9])}
	if w.service, err = dialAs(n, issuer, "agency"); err != nil {
		return w, err
	}
	if w.admin, err = dialAs(n, issuer, "admin"); err != nil {
		return w, err
	}
	return w, w.accredit(ctx)
}

// Stop ends the network.
func (w *World) Stop(ctx context.Context, purge bool) error {
	for _, d := range []*Direct{w.service, w.admin} {
		if d != nil {
			d.Close()
		}
	}
	if w.network == nil {
		return nil
	}
	return w.network.Down(ctx, purge)
}

// accredit publishes a certificate type and lets the agency issue it.
func (w *World) accredit(ctx context.Context) error {
	if _, err := w.admin.Write(ctx, certificate.Name, certificate.TypePublish, "bench-type", licence(typeCode)); err != nil {
		return fmt.Errorf("publish the type: %w", err)
	}
	_, err := w.admin.Write(ctx, certificate.Name, certificate.AccreditationGrant, "bench-accreditation", certificate.GrantAccreditation{
		Type: typeCode, Agency: issuer, From: day(-1), Until: day(365),
	})
	if err != nil {
		return fmt.Errorf("accredit the agency: %w", err)
	}
	return nil
}

// licence is a type of certificate, as small as one can be.
func licence(code string) certificate.PublishType {
	return certificate.PublishType{
		Code: code, Name: exchange.Text{Zh: "测试证", En: "Benchmark licence"},
		Fields: []exchange.FieldSpec{{Name: "number", Title: exchange.Text{Zh: "编号", En: "Number"}, Type: "string"}},
	}
}

// day is midnight some days from today, UTC.
func day(offset int) time.Time {
	return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, offset)
}

// request is the certificate that operation n issues: as small as one can be.
func (w *World) request(n uint64) certificate.Issue {
	return certificate.Issue{
		Type: typeCode, Subject: "s" + strings.Repeat("0", 25), From: day(0),
		Commitment: fmt.Sprintf("%064x", n),
	}
}

// key names operation n of this run: an id, a code and an idempotency key in one.
func (w *World) key(n uint64) string { return fmt.Sprintf("%s-%d", w.run, n) }

// batchOf is how many creates travel in one transaction where the direct client batches by hand.
const batchOf = 128

// valueBytes is the size of the small record that the bare chaincode stores.
const valueBytes = 200

// Targets are the ways asked for, in the order of AllTargets.
func (w *World) Targets(ctx context.Context, names []string) ([]Target, error) {
	var doors [2]*client.Client
	for i, user := range []string{administrator, officer} {
		if !slices.ContainsFunc(names, OverREST) {
			continue
		}
		var err error
		if doors[i], err = story.NewLive(w.network).SignIn(ctx, organisation, user); err != nil {
			return nil, err
		}
	}
	value := []byte(strings.Repeat("v", valueBytes))
	all := []Target{
		{Name: Bare, Do: func(ctx context.Context, n uint64) error {
			_, err := w.service.Transact(ctx, "baseline", "Create", []byte(w.key(n)), value)
			return err
		}},
		{Name: BareBatch, Of: batchOf, Do: func(ctx context.Context, n uint64) error {
			var pairs [][]byte
			for i := range batchOf {
				pairs = append(pairs, fmt.Appendf(nil, "%s-%d", w.key(n), i), value)
			}
			_, err := w.service.Transact(ctx, "baseline", "Create", pairs...)
			return err
		}},
		{Name: Create, Do: func(ctx context.Context, n uint64) error {
			_, err := w.admin.Write(ctx, certificate.Name, certificate.TypePublish, w.key(n), licence(w.key(n)))
			return err
		}},
		{Name: RESTCreate, Do: func(ctx context.Context, n uint64) error {
			_, err := client.Do[map[string]any](ctx, doors[0], "POST", "/v1/certificate-types", licence(w.key(n)), client.Key(w.key(n)))
			return err
		}},
		{Name: Issue, Do: func(ctx context.Context, n uint64) error {
			_, err := w.service.Write(ctx, certificate.Name, certificate.CertificateIssue, w.key(n), w.request(n))
			return err
		}},
		{Name: RESTIssue, Do: func(ctx context.Context, n uint64) error {
			_, err := client.Do[map[string]any](ctx, doors[1], "POST", "/v1/certificates", w.request(n))
			return err
		}},
	}
	if slices.ContainsFunc(names, reads) {
		more, err := w.reads(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return slices.DeleteFunc(all, func(t Target) bool { return !slices.Contains(names, t.Name) }), nil
}

// gatewayMemory gives a function that tells the bytes that the organisation's gateway has resident.
func (w *World) gatewayMemory() (func() (int64, error), error) {
	org, _ := w.network.Topology.Organisation(organisation)
	records, err := w.network.Records()
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if r.Name == org.GatewayProcess() {
			return func() (int64, error) { return process.Memory(r.PID) }, nil
		}
	}
	return nil, errors.New("the gateway does not run")
}

// Measure runs a target and adds the CPU time that each component took.
func (w *World) Measure(ctx context.Context, target Target, clients int, duration time.Duration) (Sample, error) {
	before, err := w.cpu()
	if err != nil {
		return Sample{}, err
	}
	sample := Run(ctx, target, clients, duration)
	after, err := w.cpu()
	if err != nil {
		return Sample{}, err
	}
	sample.CPU = map[string]float64{}
	for component, spent := range after {
		sample.CPU[component] = (spent - before[component]).Seconds()
	}
	return sample, nil
}

// cpu is the processor time so far, by kind of process, this one as "client".
func (w *World) cpu() (map[string]time.Duration, error) {
	records, err := w.network.Records()
	if err != nil {
		return nil, err
	}
	mine, err := process.CPU(os.Getpid())
	if err != nil {
		return nil, err
	}
	spent := map[string]time.Duration{"client": mine}
	for _, r := range records {
		used, err := process.CPU(r.PID)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
		spent[r.Kind] += used
	}
	return spent, nil
}

// FabricVersion is what the peer says it is.
func (w *World) FabricVersion() string {
	records, err := w.network.Records()
	if err != nil {
		return ""
	}
	for _, r := range records {
		if r.Kind == "peer" {
			return r.Version
		}
	}
	return ""
}
