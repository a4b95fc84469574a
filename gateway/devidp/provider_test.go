package devidp_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/devidp"
)

// start serves a provider with plain HTTP on a free loopback port.
func start(t *testing.T, dir string) (issuer string) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	issuer = "http://" + server.Listener.Addr().String()
	handler, err := devidp.New(devidp.Config{Listen: "127.0.0.1:0", PublicURL: issuer, DataDir: dir})
	require.NoError(t, err)
	server.Config.Handler = handler
	server.Start()
	t.Cleanup(server.Close)
	return issuer
}

// claims decodes a token without verifying it.
func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	pieces := strings.Split(token, ".")
	require.Len(t, pieces, 3)
	raw, err := base64.RawURLEncoding.DecodeString(pieces[1])
	require.NoError(t, err)
	var c map[string]any
	require.NoError(t, json.Unmarshal(raw, &c))
	return c
}

func TestEveryDefaultUserSignsInThroughTheCodeFlow(t *testing.T) {
	issuer := start(t, t.TempDir())
	provider := client.NewProvider(issuer, nil)
	for _, u := range devidp.DefaultUsers() {
		source, err := provider.SignIn(t.Context(), u.ID)
		require.NoError(t, err, u.ID)
		token, err := source.Token(t.Context())
		require.NoError(t, err)
		c := claims(t, token)
		require.Equal(t, u.ID, c["sub"])
		require.Equal(t, u.Role, c["role"])
		require.Equal(t, issuer, c["iss"])
		require.Contains(t, c["aud"], "hutong")
		require.Equal(t, devidp.ConsoleClient, c["client_id"])
		require.NotContains(t, c, "name", "an access token carries no name")
		if u.Agency == "" {
			require.NotContains(t, c, "agency")
		} else {
			require.Equal(t, u.Agency, c["agency"])
			require.Equal(t, u.Staff, c["staff"])
		}
	}
}

func TestClientCredentials(t *testing.T) {
	provider := client.NewProvider(start(t, t.TempDir()), nil)
	source, err := provider.Credentials(t.Context(), devidp.PortalClient, devidp.PortalSecret)
	require.NoError(t, err)
	token, err := source.Token(t.Context())
	require.NoError(t, err)
	c := claims(t, token)
	require.Equal(t, "portal", c["role"])
	require.Equal(t, "services.hall", c["agency"])

	_, err = provider.Credentials(t.Context(), devidp.PortalClient, "wrong")
	require.ErrorContains(t, err, "invalid_client")
	_, err = provider.Credentials(t.Context(), devidp.ConsoleClient, "")
	require.Error(t, err, "a public client has no token of its own")
}

func TestRefusedSignIns(t *testing.T) {
	issuer := start(t, t.TempDir())
	_, err := client.SignIn(t.Context(), issuer, nil, "nobody")
	require.ErrorContains(t, err, "400")

	const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	base := url.Values{"client_id": {devidp.ConsoleClient}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"},
		"redirect_uri": {"http://127.0.0.1/callback"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}}
	for _, c := range []struct {
		name   string
		change func(url.Values)
		want   string // in the redirect; empty: an error page without redirect
	}{
		{"no PKCE", func(v url.Values) { v.Del("code_challenge") }, "error=invalid_request"},
		{"plain PKCE", func(v url.Values) { v.Set("code_challenge_method", "plain") }, "error=invalid_request"},
		{"no session for prompt=none", func(v url.Values) { v.Set("prompt", "none") }, "error=login_required"},
		{"implicit flow", func(v url.Values) { v.Set("response_type", "id_token") }, "error=unauthorized_client"},
		{"foreign redirect", func(v url.Values) { v.Set("redirect_uri", "https://evil.example/callback") }, ""},
		{"other path", func(v url.Values) { v.Set("redirect_uri", "http://127.0.0.1/elsewhere") }, ""},
		{"unknown client", func(v url.Values) { v.Set("client_id", "stranger") }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := url.Values{}
			for k := range base {
				v.Set(k, base.Get(k))
			}
			c.change(v)
			response := get(t, issuer+"/authorize?"+v.Encode())
			location := response.Header.Get("Location")
			if c.want == "" {
				require.Empty(t, location)
				require.GreaterOrEqual(t, response.StatusCode, 400)
				return
			}
			require.Contains(t, location, c.want)
			require.NotContains(t, location, "/login")
		})
	}
	good := get(t, issuer+"/authorize?"+base.Encode())
	require.Contains(t, good.Header.Get("Location"), "/login?request=", "the request the others vary is a good one")
}

func get(t *testing.T, address string) *http.Response {
	t.Helper()
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := c.Get(address)
	require.NoError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func TestCodeIsGoodOnceAndOnlyWithItsVerifier(t *testing.T) {
	issuer := start(t, t.TempDir())
	for _, c := range []struct {
		name     string
		verifier string
		want     int
	}{
		{"right verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", http.StatusOK},
		{"wrong verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXx", http.StatusBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			code := codeFor(t, issuer, "citizen1")
			status, _ := exchange(t, issuer, code, c.verifier)
			require.Equal(t, c.want, status)
			status, _ = exchange(t, issuer, code, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
			require.Equal(t, http.StatusBadRequest, status, "a code is good for one attempt")
		})
	}
}

// codeFor walks through the sign-in by hand with the challenge of RFC 7636 appendix B.
func codeFor(t *testing.T, issuer, user string) string {
	t.Helper()
	v := url.Values{"client_id": {devidp.ConsoleClient}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"},
		"redirect_uri": {"http://127.0.0.1/callback"}, "code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}}
	page, err := url.Parse(get(t, issuer+"/authorize?"+v.Encode()).Header.Get("Location"))
	require.NoError(t, err)
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	posted, err := c.PostForm(issuer+"/login", url.Values{"request": {page.Query().Get("request")}, "user": {user}})
	require.NoError(t, err)
	posted.Body.Close()
	back, err := url.Parse(get(t, posted.Header.Get("Location")).Header.Get("Location"))
	require.NoError(t, err)
	return back.Query().Get("code")
}

func exchange(t *testing.T, issuer, code, verifier string) (int, map[string]any) {
	t.Helper()
	response, err := http.PostForm(issuer+"/oauth/token", url.Values{"grant_type": {"authorization_code"}, "code": {code},
		"redirect_uri": {"http://127.0.0.1/callback"}, "client_id": {devidp.ConsoleClient}, "code_verifier": {verifier}})
	require.NoError(t, err)
	defer response.Body.Close()
	var answer map[string]any
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	return response.StatusCode, answer
}

func TestIDTokenHasNoRole(t *testing.T) {
	issuer := start(t, t.TempDir())
	status, answer := exchange(t, issuer, codeFor(t, issuer, "officer.tax"), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
	require.Equal(t, http.StatusOK, status)
	id := claims(t, answer["id_token"].(string))
	require.NotContains(t, id, "role", "an ID token must not pass for an access token")
	require.NotEmpty(t, id["at_hash"])
	require.Equal(t, "officer", claims(t, answer["access_token"].(string))["role"])
}

func TestLoginPageListsUsersWithoutScripts(t *testing.T) {
	issuer := start(t, t.TempDir())
	v := url.Values{"client_id": {devidp.ConsoleClient}, "response_type": {"code"}, "scope": {"openid"},
		"redirect_uri": {"https://127.0.0.1:9999/docs"}, "code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}}
	response := get(t, issuer+get(t, issuer+"/authorize?"+v.Encode()).Header.Get("Location"))
	require.Equal(t, http.StatusOK, response.StatusCode)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	for _, u := range devidp.DefaultUsers() {
		require.Contains(t, string(body), `value="`+u.ID+`"`)
	}
	require.NotContains(t, string(body), "<script")
	require.Equal(t, http.StatusBadRequest, get(t, issuer+"/login?request=unknown").StatusCode)
}

func TestKeySurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	first := jwks(t, start(t, dir))
	require.Equal(t, first, jwks(t, start(t, dir)))
	require.NotEqual(t, first, jwks(t, start(t, t.TempDir())))
}

func jwks(t *testing.T, issuer string) string {
	t.Helper()
	body, err := io.ReadAll(get(t, issuer+"/keys").Body)
	require.NoError(t, err)
	require.Contains(t, string(body), `"ES256"`)
	require.NotContains(t, string(body), `"d"`, "no private key")
	return string(body)
}

func TestRunRefusesOtherAddresses(t *testing.T) {
	for _, c := range []struct {
		change func(*devidp.Config)
		want   string
	}{
		{func(c *devidp.Config) { c.Listen = "0.0.0.0:17004" }, "listen: only a loopback address"},
		{func(c *devidp.Config) { c.Listen = ":17004" }, "listen: only a loopback address"},
		{func(c *devidp.Config) { c.Listen = "192.0.2.1:17004" }, "listen: only a loopback address"},
		{func(c *devidp.Config) { c.Listen = "127.0.0.1" }, "listen: give an address and a port"},
		{func(c *devidp.Config) { c.PublicURL = "" }, "public_url:"},
		{func(c *devidp.Config) { c.PublicURL = "https://127.0.0.1:1" }, "tls: required"},
		{func(c *devidp.Config) { c.TLS = &devidp.TLS{Cert: "c", Key: "k"} }, "public_url: must be https"},
		{func(c *devidp.Config) { c.DataDir = "" }, "data_dir: required"},
		{func(c *devidp.Config) { c.TokenLife = 48 * time.Hour }, "token_life:"},
		{func(c *devidp.Config) { c.Users = "/nonexistent/users.yaml" }, "no such file"},
	} {
		config := devidp.Config{Listen: "127.0.0.1:0", PublicURL: "http://127.0.0.1:1", DataDir: t.TempDir()}
		c.change(&config)
		require.ErrorContains(t, devidp.Run(context.Background(), config), c.want)
	}
}

func TestEndOfSession(t *testing.T) {
	issuer := start(t, t.TempDir())
	for _, c := range []struct {
		query url.Values
		want  string // where the browser is sent; empty: refused
	}{
		{url.Values{}, "/signed-out"},
		{url.Values{"client_id": {devidp.ConsoleClient}, "post_logout_redirect_uri": {"https://127.0.0.1:9999/docs"}, "state": {"s"}}, "https://127.0.0.1:9999/docs?state=s"},
		{url.Values{"client_id": {devidp.ConsoleClient}, "post_logout_redirect_uri": {"https://evil.example/docs"}}, ""},
		{url.Values{"id_token_hint": {"forged"}}, ""},
	} {
		response := get(t, issuer+"/end_session?"+c.query.Encode())
		require.Equal(t, c.want, response.Header.Get("Location"))
		if c.want == "" {
			require.Equal(t, http.StatusBadRequest, response.StatusCode)
		}
	}
	require.Equal(t, http.StatusOK, get(t, issuer+"/signed-out").StatusCode)
}
