package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/gateway/database"
)

var agencyID = regexp.MustCompile(`^[a-z][a-z0-9]{0,30}\.[a-z][a-z0-9-]{0,30}$`)

// Validate checks every rule; the text of the error begins with the field (see locate).
func (c *Config) Validate() error {
	for _, check := range []func() error{c.required, c.providers, c.addresses, c.peers, c.members, c.keys, c.database, c.Limits.validate, c.Webhooks.validate, c.operations} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) required() error {
	for _, f := range []struct{ name, value string }{
		{"organisation", c.Organisation},
		{"msp_id", c.MSP},
		{"listen", c.Listen},
		{"public_url", c.PublicURL},
		{"tls.cert", c.TLS.Cert},
		{"tls.key", c.TLS.Key},
		{"channel", c.Channel},
		{"data_dir", c.DataDir},
	} {
		if f.value == "" {
			return fmt.Errorf("config: %s is required", f.name)
		}
	}
	if access.Organisation(c.MSP) != c.Organisation {
		return fmt.Errorf("config: msp_id must be the organisation's: its name before \"MSP\" is %q, organisation is %q", access.Organisation(c.MSP), c.Organisation)
	}
	return nil
}

func (c *Config) addresses() error {
	for _, f := range []struct{ name, value string }{
		{"listen", c.Listen},
		{"operations_listen", c.OperationsListen},
	} {
		if f.value == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(f.value); err != nil {
			return fmt.Errorf("config: %s must be host:port: %w", f.name, err)
		}
	}
	urls := []struct{ name, value string }{{"public_url", c.PublicURL}, {"oidc.issuer", c.OIDC.Issuer}}
	for i, o := range c.FurtherOIDC {
		urls = append(urls, struct{ name, value string }{fmt.Sprintf("further_oidc[%d].issuer", i), o.Issuer})
	}
	for i, n := range c.Directory {
		urls = append(urls, struct{ name, value string }{fmt.Sprintf("directory[%d].url", i), n.URL})
	}
	for _, f := range urls {
		u, err := url.Parse(f.value)
		if err != nil || u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("config: %s must be an https address", f.name)
		}
	}
	return nil
}

// peers checks the list of the organisation's own peers.
func (c *Config) peers() error {
	if n := len(c.Peers); n < 1 || n > MaxPeers {
		return fmt.Errorf("config: peers must list between 1 and %d of the organisation's own, not %d", MaxPeers, n)
	}
	seen := map[string]bool{}
	for i, p := range c.Peers {
		field := fmt.Sprintf("peers[%d]", i)
		if _, _, err := net.SplitHostPort(p.Endpoint); err != nil {
			return fmt.Errorf("config: %s.endpoint must be host:port: %w", field, err)
		}
		if p.TLSRoot == "" {
			return fmt.Errorf("config: %s.tls_root is required", field)
		}
		if seen[p.Endpoint] {
			return fmt.Errorf("config: %s.endpoint repeats %s", field, p.Endpoint)
		}
		seen[p.Endpoint] = true
	}
	return nil
}

func (c *Config) members() error {
	if len(c.EndorsingMSPs) == 0 {
		return fmt.Errorf("config: endorsing_msps needs at least one organisation")
	}
	if !slices.Contains(c.AllMSPs, c.MSP) {
		return fmt.Errorf("config: all_msps must contain the gateway's own organisation, %s", c.MSP)
	}
	for _, msp := range c.EndorsingMSPs {
		if !slices.Contains(c.AllMSPs, msp) {
			return fmt.Errorf("config: endorsing_msps: %s is not in all_msps", msp)
		}
	}
	for i, n := range c.Directory {
		if !slices.Contains(c.AllMSPs, n.MSP) {
			return fmt.Errorf("config: directory[%d].msp_id: %s is not in all_msps", i, n.MSP)
		}
		if n.MSP == c.MSP {
			return fmt.Errorf("config: directory[%d] lists this organisation itself", i)
		}
	}
	return nil
}

func (c *Config) keys() error {
	if len(c.Identities) == 0 {
		return fmt.Errorf("config: identities needs at least one; without an identity nothing can be read from the peer")
	}
	seen := map[string]bool{}
	for i, id := range c.Identities {
		field := fmt.Sprintf("identities[%d]", i)
		if err := c.own(field, id.Agency); err != nil {
			return err
		}
		if !slices.Contains(access.AllRoles, id.Role) {
			return fmt.Errorf("config: %s.role must be one of %s", field, joinRoles())
		}
		if id.MSPDir == "" {
			return fmt.Errorf("config: %s.msp_dir is required", field)
		}
		if err := id.Key.validate(field + ".key"); err != nil {
			return err
		}
		if key := id.Agency + " " + string(id.Role); seen[key] {
			return fmt.Errorf("config: %s repeats the identity of %s", field, key)
		} else {
			seen[key] = true
		}
	}
	sealed := map[string]bool{}
	for i, k := range c.ExchangeKeys {
		field := fmt.Sprintf("exchange_keys[%d]", i)
		if err := c.own(field, k.Agency); err != nil {
			return err
		}
		if k.Private == "" {
			return fmt.Errorf("config: %s.private is required", field)
		}
		if sealed[k.Agency] {
			return fmt.Errorf("config: %s repeats the key of %s", field, k.Agency)
		}
		sealed[k.Agency] = true
	}
	return nil
}

func (c *Config) database() error {
	if c.Database == "" {
		if c.DatabasePassword != "" {
			return fmt.Errorf("database_password is for a database; name it in database, or leave both out for SQLite")
		}
		return nil
	}
	if err := database.CheckURL(c.Database); err != nil {
		return fmt.Errorf("database %w", err)
	}
	return nil
}

var hexadecimal = regexp.MustCompile(`^([0-9a-fA-F]{2})*$`)

func (k *Key) validate(field string) error {
	if k == nil {
		return nil
	}
	p := k.PKCS11
	switch {
	case p == nil:
		return fmt.Errorf("%s.pkcs11 is required; leave key out where the key is in msp_dir/keystore", field)
	case p.Module == "" || p.Token == "" || p.PINFile == "":
		return fmt.Errorf("%s.pkcs11 needs module, token and pin_file", field)
	case p.Label == "" && p.ID == "":
		return fmt.Errorf("%s.pkcs11 needs the key's label or id", field)
	case !hexadecimal.MatchString(p.ID):
		return fmt.Errorf("%s.pkcs11.id must be hexadecimal", field)
	}
	return nil
}

// own refuses an agency of another organisation: a gateway holds no key it should not have.
func (c *Config) own(field, agency string) error {
	if !agencyID.MatchString(agency) {
		return fmt.Errorf("config: %s.agency must be {organisation}.{agency}", field)
	}
	if !c.Serves(agency) {
		return fmt.Errorf("config: %s.agency is not of the organisation %s; its keys belong to its own gateway", field, c.Organisation)
	}
	return nil
}

func joinRoles() string {
	names := make([]string, len(access.AllRoles))
	for i, r := range access.AllRoles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}
