package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/catalogue"
	"github.com/hutong-gov/hutong/test/story"
)

// What uses are held to.
const (
	MaxUseP50  = 1500 * time.Millisecond // of a whole use, one client
	MinUseRate = 100.0                   // uses a second
)

// What is used: a file of a department in PostgreSQL, for a case of each subject's own, with the subject's consent.
const (
	fileBytes   = 10_000
	files       = 100 // rows of the department's table
	provider    = "planning.housing"
	fileDataset = provider + "/bench-files"
	filePurpose = story.Service
	portal      = "services.hall"
	registrar   = "services.police"
	fileAccount = "bench_reader"
	together    = 50 // commands of a transaction that prepares
)

// Department is a PostgreSQL that is there for the measurement: its address, with a superuser, and the file with the password.
type Department struct{ URL, PasswordFile string }

// Uses is a network on which an agency uses a department's data.
type Uses struct {
	*World
	officer *client.Client
	grant   string
	idle    chan user
}

// user is a subject whose data is used, with the case and the consent for it.
type user struct{ matter, consent string }

// NewUses prepares as many subjects as there will be clients at once, each with a key, a case and a consent of its own.
func NewUses(ctx context.Context, n *network.Network, d Department, clients int) (u *Uses, err error) {
	u = &Uses{World: &World{network: n, run: "u" + strings.ToLower(rand.Text()[:9])}, idle: make(chan user, clients)}
	if u.service, err = dialAs(n, issuer, "agency"); err != nil {
		return u, err
	}
	if u.admin, err = dialAs(n, issuer, "admin"); err != nil {
		return u, err
	}
	if err := d.fill(ctx); err != nil {
		return u, fmt.Errorf("department: %w", err)
	}
	if err := u.connect(d); err != nil {
		return u, fmt.Errorf("connector: %w", err)
	}
	if err := n.Up(ctx); err != nil { // the provider's gateway has a new configuration
		return u, err
	}
	loaded, err := catalogue.Default()
	if err != nil {
		return u, err
	}
	if _, err := loaded.Active().Load(ctx, story.NewLive(n).Admin, catalogue.Options{}); err != nil {
		return u, fmt.Errorf("load the catalogue: %w", err)
	}
	if err := u.agree(ctx); err != nil {
		return u, err
	}
	if err := u.people(ctx, clients); err != nil {
		return u, err
	}
	u.officer, err = story.NewLive(n).SignIn(ctx, organisation, officer)
	return u, err
}

// fill makes the department's table and an account that may read it.
func (d Department) fill(ctx context.Context) (err error) {
	password, err := os.ReadFile(d.PasswordFile)
	if err != nil {
		return err
	}
	c, err := pgx.ParseConfig(d.URL)
	if err != nil {
		return err
	}
	c.Password = strings.TrimSpace(string(password))
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	for _, statement := range []string{
		`CREATE TABLE file (number TEXT PRIMARY KEY, body TEXT NOT NULL)`,
		fmt.Sprintf(`INSERT INTO file SELECT 'F' || n, substr(repeat(md5(n::text), %d), 1, %d) FROM generate_series(1, %d) AS n`, fileBytes/32+1, fileBytes, files),
		`DROP ROLE IF EXISTS ` + fileAccount,
		`CREATE ROLE ` + fileAccount + ` LOGIN PASSWORD '` + c.Password + `'`,
		`GRANT SELECT ON file TO ` + fileAccount,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// connect tells the provider's gateway how the table is mapped.
func (u *Uses) connect(d Department) error {
	address, err := url.Parse(d.URL)
	if err != nil {
		return err
	}
	address.User = url.User(fileAccount)
	organisation, _, _ := strings.Cut(provider, ".")
	org, _ := u.network.Topology.Organisation(organisation)
	folder := u.network.Layout.Organisation(org).Gateway().File("connectors")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	text := fmt.Sprintf(`dataset: %s
source: {postgresql: {url: %q, password: {file: %q}}}
from: file
selector: {number: file.number}
fields: {number: {column: file.number}, body: {column: file.body}}
timeout: 10s
`, fileDataset, address.String(), d.PasswordFile)
	return os.WriteFile(filepath.Join(folder, "bench-files.yaml"), []byte(text), 0o600)
}

// agree publishes the dataset and grants its use.
func (u *Uses) agree(ctx context.Context) error {
	owner, err := dialAs(u.network, provider, "admin")
	if err != nil {
		return err
	}
	defer owner.Close()
	_, code, _ := strings.Cut(fileDataset, "/")
	text := exchange.Text{Zh: "档案", En: "Files"}
	if _, err := owner.Write(ctx, exchange.Name, exchange.DatasetPublish, u.key(0), exchange.PublishDataset{
		Code: code, Content: exchange.Content{
			Name: text, Classification: exchange.Shared, Selector: []string{"number"}, ConsentRequired: true,
			Fields: []exchange.FieldSpec{{Name: "body", Title: text, Type: "string", Sensitivity: exchange.Personal}, {Name: "number", Title: text, Type: "string"}},
		},
	}); err != nil {
		return fmt.Errorf("publish the dataset: %w", err)
	}
	terms := exchange.Terms{Purposes: []string{filePurpose}, Fields: []string{"body", "number"}, ValidFrom: day(-1), ValidUntil: day(365), ConsentRequired: true}
	asked, err := u.admin.Write(ctx, exchange.Name, exchange.GrantRequest, u.key(0), exchange.RequestGrant{Dataset: fileDataset, Terms: terms, Basis: "Benchmark Rule 1"})
	if err != nil {
		return fmt.Errorf("ask for a grant: %w", err)
	}
	u.grant = asked.ID
	if _, err := owner.Write(ctx, exchange.Name, exchange.GrantGrant, u.key(1), exchange.GrantAccess{Grant: u.grant, Terms: terms}); err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	return nil
}

// people registers subjects, opens a case for each and has each consent.
func (u *Uses) people(ctx context.Context, count int) error {
	police, err := dialAs(u.network, registrar, "agency")
	if err != nil {
		return err
	}
	defer police.Close()
	hall, err := dialAs(u.network, portal, "portal")
	if err != nil {
		return err
	}
	defer hall.Close()
	raw, err := hall.Evaluate(ctx, collaboration.Name, "definition:Get", kernel.ByID{ID: story.Service + "/1"})
	if err != nil {
		return fmt.Errorf("read the service: %w", err)
	}
	var definition collaboration.Definition
	if err := json.Unmarshal(raw, &definition); err != nil {
		return err
	}
	form, err := commitment.New(map[string]any{"id_number": "none"})
	if err != nil {
		return err
	}
	root, err := form.Root()
	if err != nil {
		return err
	}
	var registrations, cases, consents []kernel.BatchCommand
	channel := u.network.Topology.Channel
	for i := range count {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		public, err := signed.KeyOf(&key.PublicKey)
		if err != nil {
			return err
		}
		subject := fmt.Sprintf("%s-subject-%010d", u.run, i)
		matter := kernel.ID(portal, collaboration.CaseApply, u.key(uint64(i)))
		terms := exchange.ConsentTerms{
			Channel: channel, Subject: subject, Dataset: fileDataset, Fields: []string{"body", "number"}, Consumer: issuer, Purpose: filePurpose,
			Case: matter, MaxUses: exchange.MaxConsentUses, From: day(-1), Until: day(30), Nonce: subject,
		}
		consent, err := terms.ID()
		if err != nil {
			return err
		}
		for _, c := range []struct {
			to       *[]kernel.BatchCommand
			function string
			kind     string
			signed   any
			request  func(jws string) any
		}{
			{&registrations, exchange.SubjectRegister, exchange.RegistrationKind, exchange.Registration{Channel: channel, Subject: subject, Thumbprint: public.Thumbprint()},
				func(jws string) any {
					return exchange.RegisterSubject{Pseudonym: subject, SigningKey: public, Proof: jws}
				}},
			{&cases, collaboration.CaseApply, collaboration.ApplicationKind, collaboration.Application{
				Channel: channel, Subject: subject, Case: matter, Definition: definition.ID, Hash: definition.Hash, Form: root,
			}, func(jws string) any { return collaboration.Apply{JWS: jws} }},
			{&consents, exchange.ConsentGive, exchange.ConsentKind, terms, func(jws string) any { return exchange.GiveConsent{JWS: jws} }},
		} {
			jws, err := signed.Sign(key, c.kind, c.signed)
			if err != nil {
				return err
			}
			request, err := json.Marshal(c.request(jws))
			if err != nil {
				return err
			}
			*c.to = append(*c.to, kernel.BatchCommand{Function: c.function, Command: kernel.Command{IdempotencyKey: u.key(uint64(i)), Request: request}})
		}
		u.idle <- user{matter, consent}
	}
	if err := all(ctx, police, exchange.Name, registrations); err != nil {
		return fmt.Errorf("register subjects: %w", err)
	}
	if err := all(ctx, hall, collaboration.Name, cases); err != nil {
		return fmt.Errorf("open cases: %w", err)
	}
	if err := all(ctx, hall, exchange.Name, consents); err != nil {
		return fmt.Errorf("give consents: %w", err)
	}
	return nil
}

// all carries commands out, some in each transaction; each must succeed.
func all(ctx context.Context, as *Direct, chaincode string, commands []kernel.BatchCommand) error {
	for begin := 0; begin < len(commands); begin += together {
		outcomes, err := as.WriteBatch(ctx, chaincode, kernel.Batch{Commands: commands[begin:min(begin+together, len(commands))]})
		if err != nil {
			return err
		}
		for _, o := range outcomes.Outcomes {
			if o.Fault != nil {
				return o.Fault
			}
		}
	}
	return nil
}

// Target is a whole use over REST: requested, read from PostgreSQL, sealed, delivered, opened, acknowledged.
func (u *Uses) Target() Target {
	return Target{Name: "use", Do: func(ctx context.Context, n uint64) error {
		who := <-u.idle
		defer func() { u.idle <- who }()
		used, err := client.Do[api.Used](ctx, u.officer, http.MethodPost, "/v1/uses", api.RequestUse{
			Case: who.matter, Dataset: fileDataset, Fields: []string{"body", "number"}, Purpose: filePurpose, LegalBasis: "Benchmark Rule 1",
			Grant: u.grant, Consent: who.consent, Selector: map[string]json.RawMessage{"number": fmt.Appendf(nil, `"F%d"`, n%files+1)},
		}, client.Key(u.key(n+uint64(cap(u.idle)))))
		if err == nil && (used.Status != exchange.Acknowledged || used.Delivery == "") {
			err = fmt.Errorf("the use is %s", used.Status)
		}
		return err
	}}
}

// Ready waits until the gateways have everything that was prepared: the first use goes through.
func (u *Uses) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var last error
	for {
		err := u.Target().Do(ctx, sequence.Add(1))
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("no use goes through: %w", errors.Join(last, err))
		}
		last = err
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// UseFindings judges a sample of one client and one of many.
func UseFindings(one, many Sample) []Finding {
	return []Finding{
		{"use_p50", fmt.Sprintf("a use over REST, %d bytes from PostgreSQL, one client: p50 %s, p95 %s of %d; less than %s; %d errors %s",
			fileBytes, rounded(one.P50), rounded(one.P95), one.Count, MaxUseP50, one.Errors, one.FirstError), one.Count > 0 && one.Errors == 0 && one.P50 < MaxUseP50},
		{"uses_per_second", fmt.Sprintf("%.1f uses a second of %d clients during %s: p50 %s, p95 %s; at least %.0f; %d errors %s",
			many.Rate(), many.Clients, many.Elapsed.Round(time.Second), rounded(many.P50), rounded(many.P95), MinUseRate, many.Errors, many.FirstError), many.Errors == 0 && many.Rate() >= MinUseRate},
	}
}
