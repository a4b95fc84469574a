package devidp

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/hutong-gov/hutong/gateway/credential/mtls"
)

// Timeouts of the listener.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	shutdownPatience  = 5 * time.Second
)

// New makes the provider's handler. Endpoints are those the discovery document at /.well-known/openid-configuration names;
// besides them there are /login and /healthz.
func New(c Config) (http.Handler, error) {
	c.fill()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	users, clients, err := c.people()
	if err != nil {
		return nil, err
	}
	key, err := loadKey(c.DataDir)
	if err != nil {
		return nil, err
	}
	s := &storage{
		key: key, audience: c.Audience, tokenLife: c.TokenLife,
		users: map[string]User{}, clients: map[string]Client{},
		signIns: signIns{byID: map[string]*signIn{}, now: time.Now},
	}
	for _, u := range users {
		s.users[u.ID] = u
	}
	for _, client := range clients {
		s.clients[client.ID] = client
	}
	config := &op.Config{
		CodeMethodS256: true, AuthMethodPost: true, AuthMethodPrivateKeyJWT: true, DefaultLogoutRedirectURI: signedOutPath,
		SupportedScopes: []string{"openid", "profile"},
		SupportedClaims: []string{"sub", "aud", "exp", "iat", "iss", "name", "role", "agency", "staff"},
	}
	if _, err := rand.Read(config.CryptoKey[:]); err != nil { // seals codes; a code does not outlive the process
		return nil, err
	}
	provider, err := op.NewProvider(config, s, op.StaticIssuer(c.PublicURL), options(c)...)
	if err != nil {
		return nil, fmt.Errorf("public_url: %w", err)
	}
	callback := op.AuthCallbackURL(provider)
	mux := http.NewServeMux()
	mux.Handle("/", mtls.Handler(&assertions{next: provider, issuer: c.PublicURL, clients: s.clients, used: map[string]time.Time{}}))
	mux.Handle(loginPath, login{s, groupsOf(users), func(r *http.Request, id string) string {
		return callback(op.ContextWithIssuer(r.Context(), c.PublicURL), id)
	}})
	mux.HandleFunc("GET "+signedOutPath, func(w http.ResponseWriter, _ *http.Request) {
		show(w, http.StatusOK, "message", msgSignedOut)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { show(w, http.StatusOK, "home", nil) })
	return mux, nil
}

const signedOutPath = "/signed-out"

func options(c Config) []op.Option {
	if c.TLS == nil { // Validate has made sure that public_url is http on loopback
		return []op.Option{op.WithAllowInsecure()}
	}
	return nil
}

// listenerTLS asks clients for a certificate if any of them has bound tokens, and takes any: a token that is bound to one is
// good for whoever has its key, and whose certificates count is for those to say who accept the token (RFC 8705 §2.2).
func listenerTLS(clients []Client) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if slices.ContainsFunc(clients, func(c Client) bool { return c.Bound }) {
		config.ClientAuth = tls.RequestClientCert
	}
	return config
}

// Run serves until ctx ends. It warns on every start that this is not for production.
func Run(ctx context.Context, c Config) error {
	handler, err := New(c)
	if err != nil {
		return err
	}
	_, clients, err := c.people()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: 16 << 10,
		TLSConfig: listenerTLS(clients),
		ErrorLog:  slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	slog.Warn("development identity provider: anybody who reaches it can sign in as anybody; never use it in production",
		"issuer", c.PublicURL, "listen", listener.Addr().String())
	failed := make(chan error, 1)
	go func() {
		if c.TLS != nil {
			failed <- server.ServeTLS(listener, c.TLS.Cert, c.TLS.Key)
		} else {
			failed <- server.Serve(listener)
		}
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownPatience)
	defer cancel()
	if err := server.Shutdown(patience); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
