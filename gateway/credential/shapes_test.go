package credential

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/config"
)

// foreign is a provider that calls things as it likes, and signs with what a test gives it.
type foreign struct {
	*testing.T
	server  *httptest.Server
	keys    []jose.JSONWebKey // public
	private map[string]crypto.Signer
}

func newForeign(t *testing.T, path string) *foreign {
	t.Helper()
	f := &foreign{T: t, private: map[string]crypto.Signer{}}
	f.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		issuer := f.server.URL + path
		switch r.URL.Path {
		case path + "/.well-known/openid-configuration":
			_ = json.NewEncoder(w).Encode(map[string]any{"issuer": issuer, "jwks_uri": issuer + "/certs", "authorization_endpoint": "x", "token_endpoint": "x"})
		case path + "/certs":
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": append([]jose.JSONWebKey{}, f.keys...)})
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(f.server.Close)
	return f
}

func (f *foreign) add(algorithm jose.SignatureAlgorithm, key crypto.Signer) {
	f.keys = append(f.keys, jose.JSONWebKey{Key: key.Public(), KeyID: string(algorithm), Use: "sig"}) // names no algorithm, as many do
	f.private[string(algorithm)] = key
}

func (f *foreign) sign(algorithm jose.SignatureAlgorithm, claims map[string]any) string {
	f.Helper()
	options := (&jose.SignerOptions{}).WithType("at+jwt")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: f.private[string(algorithm)], KeyID: string(algorithm)}}, options)
	require.NoError(f, err)
	payload, err := json.Marshal(claims)
	require.NoError(f, err)
	signed, err := signer.Sign(payload)
	require.NoError(f, err)
	compact, err := signed.CompactSerialize()
	require.NoError(f, err)
	return compact
}

func (f *foreign) started(o config.OIDC) *Verifier {
	f.Helper()
	v := NewVerifier(o, nil)
	v.transport.next.Store(f.server.Client().Transport.(*http.Transport).Clone())
	require.NoError(f, v.load(f.Context()))
	return v
}

// realms is a provider of the kind that has realms, roles in lists inside lists and departments under names of its own.
func realms(issuer string) config.OIDC {
	return config.OIDC{Issuer: issuer, Audience: "government-gateway",
		Claims:  config.ClaimNames{Role: "/realm_access/roles", Agency: "https://city.example/claims/department", Staff: "/employee/number", Client: "azp"},
		Roles:   map[string]string{"case-worker": "officer", "head": "agency_admin", "inspector": "auditor"},
		Accepts: []string{"officer", "agency_admin"}}
}

func TestAProviderOfAnotherShape(t *testing.T) {
	f := newForeign(t, "/realms/city")
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	f.add(jose.RS256, rsaKey)
	f.add(jose.PS256, rsaKey)
	f.add(jose.EdDSA, edKey)
	issuer := f.server.URL + "/realms/city"
	v := f.started(realms(issuer))
	token := func(algorithm jose.SignatureAlgorithm, change func(map[string]any)) string {
		claims := map[string]any{"iss": issuer, "aud": []string{"account", "government-gateway"}, "sub": "f:1:9", "azp": "city-portal", "typ": "Bearer",
			"iat": time.Now().Unix(), "exp": time.Now().Add(5 * time.Minute).Unix(), "realm_access": map[string]any{"roles": []string{"offline_access", "case-worker", "uma_authorization"}},
			"https://city.example/claims/department": []string{"market.tax"}, "employee": map[string]any{"number": "T-17"}, "role": "auditor", "agency": "services.police"}
		if change != nil {
			change(claims)
		}
		return f.sign(algorithm, claims)
	}
	roles := func(words ...any) func(map[string]any) {
		return func(c map[string]any) { c["realm_access"] = map[string]any{"roles": words} }
	}
	for _, algorithm := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.EdDSA} {
		got, err := v.Verify(t.Context(), token(algorithm, nil))
		require.NoError(t, err, algorithm)
		require.Equal(t, Claims{Issuer: issuer, Subject: "f:1:9", Role: "officer", Agency: "market.tax", Staff: "T-17", Client: "city-portal", Expires: got.Expires}, got)
	}
	for _, c := range []struct {
		name  string
		token string
		want  error
	}{
		{"another role", token(jose.RS256, roles("head")), nil},
		{"the same role in two words is one", token(jose.RS256, roles("head", "head")), nil},
		{"two roles at once", token(jose.RS256, roles("head", "case-worker")), ErrClaims},
		{"a role the provider may not give", token(jose.RS256, roles("inspector")), ErrClaims},
		{"our word where theirs counts", token(jose.RS256, roles("officer")), ErrClaims},
		{"no role among the words", token(jose.RS256, roles("offline_access")), ErrClaims},
		{"words that are none", token(jose.RS256, roles("head", 7)), ErrClaims},
		{"no list at the pointer", token(jose.RS256, func(c map[string]any) { c["realm_access"] = "head" }), ErrClaims},
		{"two departments", token(jose.RS256, func(c map[string]any) {
			c["https://city.example/claims/department"] = []string{"market.tax", "market.x"}
		}), ErrClaims},
		{"a department that is no text", token(jose.RS256, func(c map[string]any) { c["https://city.example/claims/department"] = 7 }), ErrClaims},
		{"the audience of the sign-in only", token(jose.RS256, func(c map[string]any) { c["aud"] = "account" }), ErrInvalid},
		{"another realm", token(jose.RS256, func(c map[string]any) { c["iss"] = f.server.URL + "/realms/other" }), ErrInvalid},
		{"bound to a key of another kind", token(jose.RS256, func(c map[string]any) { c["cnf"] = map[string]any{"jkt": "x"} }), ErrBinding},
		{"RS512", func() string { f.private["RS512"] = rsaKey; return token("RS512", nil) }(), ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), c.token)
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, c.want)
		})
	}
}

// TestTwoProviders: one for citizens, who have no role in their tokens, and one for staff. Neither can speak for the other.
func TestTwoProviders(t *testing.T) {
	citizens, staff := newForeign(t, ""), newForeign(t, "/realms/city")
	for _, f := range []*foreign{citizens, staff} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		require.NoError(t, err)
		f.add(jose.RS256, key)
	}
	staffIssuer := staff.server.URL + "/realms/city"
	all := Providers{
		citizens.server.URL: citizens.started(config.OIDC{Issuer: citizens.server.URL, Audience: "gateway", Accepts: []string{"citizen"}, DefaultRole: "citizen"}),
		staffIssuer:         staff.started(realms(staffIssuer)),
	}
	require.NoError(t, all.Ready())
	base := func(issuer, audience string) map[string]any {
		return map[string]any{"iss": issuer, "aud": audience, "sub": "u1", "exp": time.Now().Add(time.Hour).Unix()}
	}
	got, err := all.Verify(t.Context(), citizens.sign(jose.RS256, base(citizens.server.URL, "gateway")))
	require.NoError(t, err)
	require.Equal(t, "citizen", got.Role)

	officer := base(citizens.server.URL, "gateway")
	officer["role"], officer["agency"] = "officer", "market.tax"
	_, err = all.Verify(t.Context(), citizens.sign(jose.RS256, officer))
	require.ErrorIs(t, err, ErrClaims, "the citizens' provider makes nobody an officer")
	_, err = all.Verify(t.Context(), staff.sign(jose.RS256, base(citizens.server.URL, "gateway")))
	require.ErrorIs(t, err, ErrInvalid, "signed by the other provider")
	_, err = all.Verify(t.Context(), staff.sign(jose.RS256, base(staffIssuer, "government-gateway")))
	require.ErrorIs(t, err, ErrClaims, "nobody is staff for lack of a claim")
	for _, token := range []string{"", "a.b.c", "hello", citizens.sign(jose.RS256, base("https://elsewhere.example", "gateway")), strings.Repeat("x", MaxTokenBytes+1)} {
		_, err = all.Verify(t.Context(), token)
		require.ErrorIs(t, err, ErrInvalid)
	}
}

// TestWithdrawnKeys: a key that the provider no longer publishes is obeyed, though no token with a new one ever came.
func TestWithdrawnKeys(t *testing.T) {
	i := newIssuer(t)
	v := i.started()
	first := i.token("k1", nil)
	_, err := v.Verify(t.Context(), first)
	require.NoError(t, err)
	stolen := i.token("k1", func(c map[string]any) { c["jti"] = "stolen" })
	i.rotate("k2")
	require.NoError(t, v.load(t.Context()), "as Start does every keyLife")
	_, err = v.Verify(t.Context(), stolen)
	require.ErrorIs(t, err, ErrInvalid)

	i.down.Store(true)
	require.Error(t, v.load(t.Context()))
	require.NoError(t, v.Ready(), "while the provider is away, the keys last seen are good")
	_, err = v.Verify(t.Context(), i.token("k2", nil))
	require.NoError(t, err)
}

func TestBoundTokens(t *testing.T) {
	i := newIssuer(t)
	o := config.OIDC{Issuer: i.server.URL, Audience: "hutong", BoundClients: []string{"portal"}}
	v := i.verifier()
	o.Fill()
	v.reading = reading{o}
	require.NoError(t, v.load(t.Context()))
	bound, err := v.Verify(t.Context(), i.token("k1", func(c map[string]any) { c["client_id"], c["cnf"] = "portal", map[string]any{"x5t#S256": "thumb"} }))
	require.NoError(t, err)
	require.NoError(t, bound.Held("thumb"))
	require.ErrorIs(t, bound.Held(""), ErrBound, "stolen, and used without a certificate")
	require.ErrorIs(t, bound.Held("other"), ErrBound, "stolen, and used with another")
	free, err := v.Verify(t.Context(), i.token("k1", nil))
	require.NoError(t, err)
	require.NoError(t, free.Held(""))
	require.NoError(t, free.Held("any"))
	_, err = v.Verify(t.Context(), i.token("k1", func(c map[string]any) { c["client_id"] = "portal" }))
	require.ErrorIs(t, err, ErrUnbound)
	_, err = v.Verify(t.Context(), i.token("k1", func(c map[string]any) { c["cnf"] = map[string]any{"x5t#S256": ""} }))
	require.ErrorIs(t, err, ErrBinding)
}

// TestKeysInTheClear: a provider that keeps its keys where anybody in between can change them is not listened to.
func TestKeysInTheClear(t *testing.T) {
	var server *httptest.Server
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": server.URL, "jwks_uri": "http://127.0.0.1/keys", "authorization_endpoint": "x", "token_endpoint": "x"})
	}))
	t.Cleanup(server.Close)
	v := NewVerifier(config.OIDC{Issuer: server.URL, Audience: "hutong"}, nil)
	v.transport.next.Store(server.Client().Transport.(*http.Transport).Clone())
	require.ErrorContains(t, v.load(t.Context()), "jwks_uri is not an https address")
}

// TestAnswersWithoutEnd: a provider that sends and sends is cut off.
func TestAnswersWithoutEnd(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for piece := bytes.Repeat([]byte(" "), 1<<16); ; {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	v := NewVerifier(config.OIDC{Issuer: server.URL, Audience: "hutong"}, nil)
	v.transport.next.Store(server.Client().Transport.(*http.Transport).Clone())
	require.Error(t, v.load(t.Context()))
}
