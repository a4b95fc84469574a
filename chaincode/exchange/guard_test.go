package exchange_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// guard is a line of a transition's table: one thing wrong with a world in which nothing was, and the reason to expect.
type guard[W any] struct {
	name   string
	breach func(*W)
	reason string
}

// checkGuards tries a transition's guards. Each breach alone gives its reason; each together with all that come after it
// gives its reason too, which is what the order means; and the reference page lists the same reasons in the same order.
func checkGuards[W any](t *testing.T, function string, fresh func() *W, run func(*W) error, guards []guard[W]) {
	t.Helper()
	require.NoError(t, run(fresh()), "nothing is wrong")
	var order []string
	for i, g := range guards {
		t.Run(g.name, func(t *testing.T) {
			alone := fresh()
			g.breach(alone)
			require.Equal(t, g.reason, reason(run(alone)))
			together := fresh()
			for _, later := range slices.Backward(guards[i:]) {
				later.breach(together)
			}
			require.Equal(t, g.reason, reason(run(together)), "with everything wrong that is judged later")
		})
		order = append(order, g.reason)
	}
	require.Equal(t, documented(t, function), slices.Compact(order), "docs/reference/exchange.md")
}

var (
	listed = regexp.MustCompile("^[0-9]+\\. `([a-z_.]+)`")
	page   = "../../docs/reference/exchange.md"
)

// documented reads the guards of a function from the reference page.
func documented(t *testing.T, function string) []string {
	raw, err := os.ReadFile(page)
	require.NoError(t, err)
	_, section, found := strings.Cut(string(raw), "### `"+function+"`\n")
	require.True(t, found, "the reference page has a section for %s", function)
	section, _, _ = strings.Cut(section, "\n#")
	var reasons []string
	for line := range strings.Lines(section) {
		if m := listed.FindStringSubmatch(line); m != nil {
			reasons = append(reasons, m[1])
		}
	}
	return reasons
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return fault.From(err).Reason
}

// The people and records of the tests.
const (
	police  = "services.police"
	housing = "planning.housing"
	tax     = "market.tax"
	channel = "government"
	alice   = "subject-of-the-tests-alice"
	bob     = "subject-of-the-tests-bobbb"
	grantID = "0123456789abcdefghjkmnpqrs"
	useID   = "tvwxyz0123456789abcdefghjk"
	caseID  = "zzzzzzzzzzzzzzzzzzzzzzzzzz"
	otherID = "yyyyyyyyyyyyyyyyyyyyyyyyyy"
)

var (
	now      = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)
	day      = 24 * time.Hour
	keys     = map[string]*ecdsa.PrivateKey{alice: newKey(), bob: newKey()}
	hashA    = strings.Repeat("a", 64)
	hashB    = strings.Repeat("b", 64)
	title    = exchange.Text{Zh: "名称", En: "Name"}
	asTax    = access.Caller{MSP: "MarketMSP", Organisation: "market", Agency: tax, Role: access.Agency}
	asHouse  = access.Caller{MSP: "PlanningMSP", Organisation: "planning", Agency: housing, Role: access.Agency}
	asPolice = access.Caller{MSP: "ServicesMSP", Organisation: "services", Agency: police, Role: access.Agency}
)

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func public(key *ecdsa.PrivateKey) signed.Key {
	jwk, err := signed.KeyOf(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	return jwk
}

func sign(key *ecdsa.PrivateKey, kind string, content any) string {
	jws, err := signed.Sign(key, kind, content)
	if err != nil {
		panic(err)
	}
	return jws
}

func subject(pseudonym string) exchange.Subject {
	return exchange.Subject{
		Head: state.Head{ID: pseudonym, Status: exchange.Registered}, Pseudonym: pseudonym, SigningKey: public(keys[pseudonym]),
		Since: now, Keys: 1,
	}
}

// premises is a dataset of housing with three fields.
func premises() exchange.Dataset {
	return exchange.Dataset{
		Head: state.Head{ID: housing + "/premises", Status: exchange.Published}, Agency: housing, Code: "premises", Edition: 1,
		Content: exchange.Content{
			Name: title, Classification: exchange.Conditional, Selector: []string{"address"},
			Fields: []exchange.FieldSpec{
				{Name: "address", Title: title, Type: "string"}, {Name: "area", Title: title, Type: "integer"},
				{Name: "owner", Title: title, Type: "string", Sensitivity: exchange.Personal},
			},
			Conditions: exchange.Conditions{LegalBases: []string{"Tax Law 12"}, Purposes: []string{"business.start", "tax.check"}},
			Freshness:  "P1D",
		},
	}
}

func terms() exchange.Terms {
	return exchange.Terms{
		Purposes: []string{"business.start", "tax.check"}, Fields: []string{"address", "area"},
		ValidFrom: now.Add(-day), ValidUntil: now.Add(30 * day), ConsentRequired: true,
		Quota: &exchange.Quota{Uses: 100, Per: exchange.PerMonth},
	}
}

// requested is tax's request for housing's premises; granted is the same, granted as it was asked for.
func requested() exchange.Grant {
	return exchange.Grant{
		Head: state.Head{ID: grantID, Status: exchange.Requested}, Dataset: housing + "/premises", Provider: housing, Consumer: tax,
		LegalBasis: "Tax Law 12", Wanted: terms(),
	}
}

func granted() exchange.Grant {
	g, t := requested(), terms()
	g.Status, g.Terms = exchange.Granted, &t
	return g
}

func consentTerms() exchange.ConsentTerms {
	return exchange.ConsentTerms{
		Channel: channel, Subject: alice, Dataset: housing + "/premises", Fields: []string{"address", "area"}, Consumer: tax,
		Purpose: "tax.check", Case: caseID, MaxUses: 2, From: now.Add(-day), Until: now.Add(day), Nonce: "0123456789abcdef",
	}
}

func given() exchange.Consent {
	return exchange.Consent{Head: state.Head{ID: otherID, Status: exchange.Given}, Terms: consentTerms(), Key: public(keys[alice]).Thumbprint()}
}
