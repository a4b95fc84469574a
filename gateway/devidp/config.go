package devidp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"
)

// DefaultTokenLife is how long an access token is good for where the configuration does not say.
const DefaultTokenLife = time.Hour

// Config is the provider's configuration file.
//
//	listen: 127.0.0.1:17004
//	public_url: https://127.0.0.1:17004      # the issuer
//	tls: {cert: …, key: …}                   # absent: plain HTTP (tests only)
//	data_dir: …                              # the signing key is made and kept here
//	users: …                                 # YAML file; absent: DefaultUsers
//	clients: …                               # YAML file; absent: DefaultClients
//	audience: hutong                         # what gateways expect; this is the default
//	token_life: 1h
//
// Relative paths are taken from the folder of the configuration file.
type Config struct {
	Listen    string        `yaml:"listen"`
	PublicURL string        `yaml:"public_url"`
	TLS       *TLS          `yaml:"tls,omitempty"`
	DataDir   string        `yaml:"data_dir"`
	Users     string        `yaml:"users,omitempty"`
	Clients   string        `yaml:"clients,omitempty"`
	Audience  string        `yaml:"audience,omitempty"`
	TokenLife time.Duration `yaml:"token_life,omitempty"`
}

// TLS names the certificate chain and key files, both PEM.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// User is one development user. The names live here only; gateways turn Subject into a pseudonym.
type User struct {
	ID     string `yaml:"id"`               // the claim sub, and what one signs in as
	Name   string `yaml:"name"`             // shown on the sign-in page
	Role   string `yaml:"role"`             // citizen officer agency_admin auditor
	Agency string `yaml:"agency,omitempty"` // full id: market.tax
	Staff  string `yaml:"staff,omitempty"`  // staff number
}

// Client is one program that may ask for tokens.
type Client struct {
	ID string `yaml:"id"`
	// Secret makes the client confidential; without one it is public and must use PKCE.
	Secret string `yaml:"secret,omitempty"`
	// Key is a public key (PKIX, PEM). The client signs with the private one instead of having a secret (private_key_jwt).
	Key string `yaml:"key,omitempty"`
	// Bound makes its tokens good only over connections with the client certificate with which it obtained them (RFC 8705).
	Bound bool `yaml:"certificate_bound,omitempty"`
	// RedirectURIs it may be sent back to. A loopback address matches with any port (RFC 8252 §7.3).
	RedirectURIs []string `yaml:"redirect_uris,omitempty"`
	// PostLogoutRedirectURIs it may be sent to after signing out.
	PostLogoutRedirectURIs []string `yaml:"post_logout_redirect_uris,omitempty"`
	// Role, Agency and Staff are the claims of tokens it obtains for itself (client credentials). Without Role it may not.
	Role   string `yaml:"role,omitempty"`
	Agency string `yaml:"agency,omitempty"`
	Staff  string `yaml:"staff,omitempty"`
}

// LoadConfig reads a configuration file and checks it.
func LoadConfig(path string) (Config, error) {
	var c Config
	if err := decodeFile(path, &c); err != nil {
		return c, err
	}
	dir := filepath.Dir(path)
	for _, p := range []*string{&c.DataDir, &c.Users, &c.Clients} {
		*p = under(dir, *p)
	}
	if c.TLS != nil {
		c.TLS.Cert, c.TLS.Key = under(dir, c.TLS.Cert), under(dir, c.TLS.Key)
	}
	c.fill()
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (c *Config) fill() {
	if c.Audience == "" {
		c.Audience = "hutong"
	}
	if c.TokenLife == 0 {
		c.TokenLife = DefaultTokenLife
	}
}

// Validate says what is wrong with a configuration, naming the field.
func (c Config) Validate() error {
	if err := loopback(c.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	issuer, err := url.Parse(c.PublicURL)
	switch {
	case err != nil || issuer.Host == "":
		return errors.New("public_url: give the address users reach the provider at, such as https://127.0.0.1:17004")
	case issuer.Scheme == "https" && c.TLS == nil:
		return errors.New("tls: required where public_url is https")
	case issuer.Scheme == "http" && c.TLS != nil:
		return errors.New("public_url: must be https where tls is set")
	case issuer.Scheme != "http" && issuer.Scheme != "https":
		return errors.New("public_url: must be http or https")
	case c.TLS != nil && (c.TLS.Cert == "" || c.TLS.Key == ""):
		return errors.New("tls: cert and key are both required")
	case c.DataDir == "":
		return errors.New("data_dir: required; the signing key is kept there")
	case c.TokenLife < time.Second || c.TokenLife > 24*time.Hour:
		return errors.New("token_life: between 1s and 24h")
	}
	return nil
}

// loopback refuses an address that others could reach: this provider lets anybody sign in as anybody.
func loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return errors.New("give an address and a port, such as 127.0.0.1:17004")
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("only a loopback address: this provider asks for no password and must not be reachable by others")
	}
	return nil
}

func under(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// decodeFile reads one strict YAML document.
func decodeFile(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
