package fault

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/devidp"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/catalogue"
	"github.com/hutong-gov/hutong/test/story"
)

// Sizes of the test; `make test-conflicts` has it run at full size.
var (
	officers = flag.Int("officers", 16, "officers on the steps of one case, and writers on records of their own")
	rounds   = flag.Int("rounds", 5, "acts of each")
)

// TestNetworkConflicts: many officers on the steps of one case, as many writers on a record each, and a crowd on one. No
// answer is an error; the answers agree with an order of what was done; all of it is on the ledger, once.
func TestNetworkConflicts(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	c := Contention{Officers: *officers, Steps: min(*officers, collaboration.MaxSteps), Writers: *officers, Crowd: max(*officers/8, 2), Rounds: *rounds}
	dir := t.TempDir()
	n, err := story.Own(ctx, dir, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Down(context.Background(), network.Purge)) })
	users, err := yaml.Marshal(map[string]any{"users": c.Users()})
	require.NoError(t, err)
	file := n.Layout.Organisation(n.Topology.Organisations[0]).IdentityProvider().File("users.yaml")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, users, 0o600))
	require.NoError(t, n.Up(ctx))

	live := story.NewLive(n)
	city, err := catalogue.Default()
	require.NoError(t, err)
	city.Services = append(city.Services, c.Service())
	_, err = city.Active().Load(ctx, live.Admin, catalogue.Options{})
	require.NoError(t, err)
	l, err := NewLoad(ctx, live)
	require.NoError(t, err)
	person, block, err := story.SignIn(ctx, live, "citizen1", filepath.Join(dir, "devices"))
	require.NoError(t, err)
	_, err = client.Do[[]byte](ctx, person.Client, http.MethodGet, fmt.Sprintf("/v1/certificate-types?min_block=%d", block), nil)
	require.NoError(t, err)
	draft, err := person.Draft(ctx, c.Service().Code)
	require.NoError(t, err)
	request, err := person.Application(draft, map[string]any{"subject": "test"})
	require.NoError(t, err)
	_, err = person.Apply(ctx, draft, request)
	require.NoError(t, err)

	began := time.Now()
	done, err := l.Contend(ctx, c, draft.Case)
	require.NoError(t, err, "a conflict is not the client's business")
	took := time.Since(began)
	written := WrittenBy(done)
	require.Greater(t, len(written), len(done)/3)
	require.NoError(t, Linearizable(done))
	ledger, err := Read(ctx, n)
	require.NoError(t, err)
	require.Empty(t, ledger.Hold(append(l.acknowledged, written...)))
	t.Logf("%d officers on %d steps, %d writers on as many records, %d on one: %d acts, %d carried out and %d refused by the rules, in %.1f s",
		c.Officers, c.Steps, c.Writers, c.Crowd, len(done), len(written), len(done)-len(written), took.Seconds())
}

// TestUsersOfAContention can be used by the provider.
func TestUsersOfAContention(t *testing.T) {
	seen := map[string]devidp.User{}
	for _, u := range (Contention{Officers: 64, Writers: 64, Crowd: 8}).Users() {
		require.NotContains(t, seen, u.ID)
		seen[u.ID] = u
	}
	require.NoError(t, Contention{Steps: collaboration.MaxSteps}.Service().Validate())
}

// TestAnswersThatNoOrderExplains: a lost update, a stale refusal and a stale success are found.
func TestAnswersThatNoOrderExplains(t *testing.T) {
	act := func(what, staff string, version int, refusal string, call, end time.Duration) Act {
		status := map[string]string{"claim": collaboration.Claimed, "release": collaboration.Pending, "suspension": certificate.Suspended}[what]
		a := Act{What: what, Staff: staff, Refusal: refusal, Call: call, End: end, Operation: Operation{Noun: "task", Record: "c/s"}}
		if refusal == "" {
			a.Receipt = app.Receipt{Version: version, Status: status}
		}
		return a
	}
	for _, c := range []struct {
		name  string
		done  []Act
		holds bool
	}{
		{"one after the other", []Act{act("claim", "A", 2, "", 0, 1), act("release", "B", 3, "", 2, 3)}, true},
		{"at the same time, in the order of the versions", []Act{act("claim", "A", 4, "", 0, 9), act("release", "B", 3, "", 0, 9), act("claim", "B", 2, "", 0, 9)}, true},
		{"a refusal while another has it", []Act{act("claim", "A", 2, "", 0, 9), act("claim", "B", 0, "collaboration.claimed_by_other", 0, 9)}, true},
		{"both have it", []Act{act("claim", "A", 2, "", 0, 9), act("claim", "B", 3, "", 0, 9)}, false},
		{"two versions that are the same", []Act{act("claim", "A", 2, "", 0, 9), act("claim", "B", 2, "", 0, 9)}, false},
		{"a refusal before there was a reason", []Act{act("claim", "B", 0, "collaboration.claimed_by_other", 0, 1), act("claim", "A", 2, "", 2, 3)}, false},
		{"a refusal from a state that was over", []Act{act("claim", "A", 2, "", 0, 1), act("release", "A", 3, "", 2, 3), act("claim", "B", 0, "collaboration.claimed_by_other", 4, 5)}, false},
	} {
		err := Linearizable(c.done)
		require.Equal(t, c.holds, err == nil, "%s: %v", c.name, err)
	}
}
