// Package e2e tests the whole product on a real network: the story, every refusal at the gateway's door and past it, and
// what becomes of acknowledged writes when processes are killed. One network serves all tests of the package; `-short`
// leaves them out.
package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/rest"
	"github.com/hutong-gov/hutong/gateway/rest/resttest"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/catalogue"
	"github.com/hutong-gov/hutong/test/departments"
	"github.com/hutong-gov/hutong/test/story"
)

// city is the network of the package's tests; nil with -short.
var city *testCity

type testCity struct {
	*story.Live
	network *network.Network
	world   departments.World
	keys    string // the citizens' devices
}

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		os.Exit(m.Run())
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "hutong-e2e-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	n, err := up(ctx, dir)
	if n != nil {
		defer func() { err = errors.Join(err, n.Down(ctx, network.Purge)) }()
	}
	if err != nil {
		return 1, err
	}
	city = &testCity{Live: story.NewLive(n), network: n, world: departments.Generate(), keys: filepath.Join(dir, "devices")}
	broken, err := held(city.Live)
	if err != nil {
		return 1, err
	}
	c, err := catalogue.Default()
	if err != nil {
		return 1, err
	}
	if _, err := c.Load(ctx, city.Admin, catalogue.Options{}); err != nil {
		return 1, err
	}
	code = m.Run()
	for _, err := range broken() {
		fmt.Fprintln(os.Stderr, "e2e: against the OpenAPI document:", err)
		code = 1
	}
	return code, nil
}

// held holds every request and answer of the city's clients against the OpenAPI document; broken lists what broke it.
func held(live *story.Live) (broken func() []string, err error) {
	raw, err := rest.Document(rest.Routes(nil), rest.About{})
	if err != nil {
		return nil, err
	}
	document, err := resttest.Load(raw)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	said := map[string]bool{}
	live.Through = func(next http.RoundTripper) http.RoundTripper {
		return document.Transport(next, func(err error) {
			mu.Lock()
			defer mu.Unlock()
			said[err.Error()] = true
		})
	}
	return func() []string { return slices.Sorted(maps.Keys(said)) }, nil
}

// up builds the product as it is and brings a network of its own up.
func up(ctx context.Context, dir string) (*network.Network, error) {
	n, err := story.Own(ctx, dir, nil)
	if err != nil {
		return nil, err
	}
	if err := story.Prepare(ctx, n, departments.Generate()); err != nil {
		return n, err
	}
	return n, n.Up(ctx)
}

// real gives the city, and skips the test where there is none.
func real(t *testing.T) (context.Context, *testCity) {
	t.Helper()
	if city == nil {
		t.Skip("needs a real network, which -short leaves out")
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the network's logs are under " + filepath.Dir(city.network.Log("any")) + " while the tests run")
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx, city
}

// options are the story's, for one citizen.
func (c *testCity) options(citizen string) story.Options {
	return story.Options{World: c.world, Keys: c.keys, Citizens: []string{citizen}}
}

// signIn signs a user in at an organisation's gateway.
func (c *testCity) signIn(ctx context.Context, t *testing.T, organisation, user string) *client.Client {
	t.Helper()
	signedIn, err := c.SignIn(ctx, organisation, user)
	require.NoError(t, err)
	return signedIn
}
