package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/database"
)

const sound = `
organisation: services
msp_id: ServicesMSP
listen: 127.0.0.1:17000
public_url: https://127.0.0.1:17000
tls: {cert: tls/cert.pem, key: /elsewhere/key.pem}
channel: government
peers:
  - {endpoint: 127.0.0.1:17005, tls_root: ca.pem, server_name: peer0.services.hutong.test}
  - {endpoint: 127.0.0.1:17008, tls_root: ca.pem, server_name: peer1.services.hutong.test}
endorsing_msps: [ServicesMSP, MarketMSP]
all_msps: [ServicesMSP, MarketMSP, AuditMSP]
directory:
  - {msp_id: MarketMSP, url: "https://127.0.0.1:17100", tls_root: market.pem}
identities:
  - {agency: services.hall, role: portal, msp_dir: hall/portal}
  - {agency: services.police, role: agency, msp_dir: police/agency}
  - {agency: services.police, role: admin, msp_dir: police/admin, key: {pkcs11: {module: /usr/lib/hsm.so, token: police, id: 0a, pin_file: pin}}}
exchange_keys:
  - {agency: services.police, private: police/private.pem}
data_dir: data
oidc: {issuer: "https://127.0.0.1:17004", audience: hutong, tls_root: ca.pem}
further_oidc:
  - {issuer: "https://staff.example/realms/city", audience: gateway, tls_root: staff.pem, claims: {role: /realm_access/roles}, roles: {clerk: officer}}
pseudonym_key: pseudonym.key
limits: {commit_timeout: 45s, peer_connections: 4}
rates: {client: {per_second: 50}, address: {per_second: 0.2, burst: 5}, proxies: [10.0.0.0/8]}
telemetry: {otlp_endpoint: "https://collector:4318/v1/traces", tls_root: collector.pem, sample_ratio: 0.5}
`

func TestLoad(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "gateway.yaml")
	require.NoError(t, os.WriteFile(file, []byte(sound), 0o600))
	c, err := config.Load(file)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(folder, "tls/cert.pem"), c.TLS.Cert, "relative to the file")
	require.Equal(t, "/elsewhere/key.pem", c.TLS.Key)
	require.Equal(t, filepath.Join(folder, "hall/portal"), c.Identities[0].MSPDir)
	require.Equal(t, config.PKCS11{Module: "/usr/lib/hsm.so", Token: "police", ID: "0a", PINFile: filepath.Join(folder, "pin")}, *c.Identities[2].Key.PKCS11)
	require.Equal(t, 45*time.Second, c.Limits.CommitTimeout.Std())
	require.Equal(t, 4, c.Limits.PeerConnections)
	require.EqualValues(t, config.DefaultMaxBodyBytes, c.Limits.MaxBodyBytes)
	require.Empty(t, c.Connectors)
	require.Equal(t, config.TokenRoles, c.OIDC.Accepts)
	require.Equal(t, config.ClaimNames{Role: "role", Agency: "agency", Staff: "staff", Client: "client_id"}, c.OIDC.Claims)
	staff := c.Providers()[1]
	require.Equal(t, filepath.Join(folder, "staff.pem"), staff.TLSRoot)
	require.NotContains(t, staff.Accepts, "citizen")
	require.Equal(t, config.ClaimNames{Role: "/realm_access/roles", Agency: "agency", Staff: "staff", Client: "client_id"}, staff.Claims)

	require.Equal(t, database.Settings{Folder: filepath.Join(folder, "data"), Organisation: "services"}, c.Kept())
	require.NoError(t, os.WriteFile(file, []byte(sound+"database: postgres://hutong@127.0.0.1/kept\ndatabase_password: password"), 0o600))
	shared, err := config.Load(file)
	require.NoError(t, err)
	require.True(t, shared.Kept().Shared())
	require.Equal(t, filepath.Join(folder, "password"), shared.Kept().PasswordFile)

	id, ok := c.Identity("services.police", access.Agency)
	require.True(t, ok)
	require.Equal(t, filepath.Join(folder, "police/agency"), id.MSPDir)
	_, ok = c.Identity("services.police", access.Portal)
	require.False(t, ok)
	n, ok := c.Neighbour("MarketMSP")
	require.True(t, ok)
	require.Equal(t, "https://127.0.0.1:17100", n.URL)
	_, ok = c.Neighbour("AuditMSP")
	require.False(t, ok)
	require.True(t, c.Serves("services.anything"))
	require.False(t, c.Serves("market.tax"))

	text, err := c.Marshal()
	require.NoError(t, err)
	back, err := config.Parse(text, "/nowhere")
	require.NoError(t, err)
	require.Equal(t, c, back, "what is written is read back")
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ name, from, to, says string }{
		{"unknown field", "channel: government", "channel: government\nchanel: x", "chanel"},
		{"wrong type", "all_msps: [ServicesMSP, MarketMSP, AuditMSP]", "all_msps: {a: b}", "all_msps"},
		{"no organisation", "organisation: services", "organisation: \"\"", "organisation is required"},
		{"another organisation's MSP", "msp_id: ServicesMSP", "msp_id: MarketMSP", "msp_id"},
		{"no listener", "listen: 127.0.0.1:17000\n", "\n", "listen is required"},
		{"no port", "listen: 127.0.0.1:17000", "listen: 127.0.0.1", "listen must be host:port"},
		{"plain http", "public_url: https://127.0.0.1:17000", "public_url: http://127.0.0.1:17000", "public_url must be an https address"},
		{"plain http to a neighbour", "\"https://127.0.0.1:17100\"", "\"http://127.0.0.1:17100\"", "directory[0].url"},
		{"no address of a peer", "endpoint: 127.0.0.1:17005, ", "", "peers[0].endpoint must be host:port"},
		{"no root of a peer", "127.0.0.1:17008, tls_root: ca.pem", "127.0.0.1:17008", "peers[1].tls_root is required"},
		{"a peer twice", "127.0.0.1:17008", "127.0.0.1:17005", "peers[1].endpoint repeats"},
		{"one peer where a list belongs", "peers:\n", "peer:\n", "peer"},
		{"nobody endorses", "endorsing_msps: [ServicesMSP, MarketMSP]", "endorsing_msps: []", "endorsing_msps"},
		{"a stranger endorses", "endorsing_msps: [ServicesMSP, MarketMSP]", "endorsing_msps: [OtherMSP]", "OtherMSP is not in all_msps"},
		{"not a member", "all_msps: [ServicesMSP, MarketMSP, AuditMSP]", "all_msps: [MarketMSP]", "all_msps must contain"},
		{"itself as a neighbour", "{msp_id: MarketMSP,", "{msp_id: ServicesMSP,", "lists this organisation itself"},
		{"a stranger as a neighbour", "{msp_id: MarketMSP,", "{msp_id: OtherMSP,", "directory[0].msp_id"},
		{"another organisation's identity", "agency: services.hall, role", "agency: market.tax, role", "identities[0].agency is not of the organisation"},
		{"an agency without organisation", "agency: services.hall, role", "agency: hall, role", "identities[0].agency must be"},
		{"an unknown role", "role: portal", "role: emperor", "identities[0].role must be one of agency, admin, portal, auditor"},
		{"an identity without folder", "role: portal, msp_dir: hall/portal", "role: portal", "identities[0].msp_dir is required"},
		{"an identity twice", "{agency: services.hall, role: portal,", "{agency: services.police, role: agency,", "identities[1] repeats"},
		{"a key that is nowhere", "key: {pkcs11: {module: /usr/lib/hsm.so, token: police, id: 0a, pin_file: pin}}", "key: {}", "identities[2].key.pkcs11 is required"},
		{"a token without PIN", ", pin_file: pin", "", "identities[2].key.pkcs11 needs module, token and pin_file"},
		{"a key without label or id", "id: 0a, ", "", "identities[2].key.pkcs11 needs the key's label or id"},
		{"an id that is no id", "id: 0a", "id: key", "identities[2].key.pkcs11.id must be hexadecimal"},
		{"a provider without audience", ", audience: hutong", "", "oidc.audience is required"},
		{"a further provider without issuer", "issuer: \"https://staff.example/realms/city\", ", "", "further_oidc[0].issuer is required"},
		{"a further provider in the clear", "https://staff.example", "http://staff.example", "further_oidc[0].issuer must be an https address"},
		{"a provider twice", "https://staff.example/realms/city", "https://127.0.0.1:17004", "further_oidc[0].issuer repeats"},
		{"citizens at a further provider", "audience: gateway", "audience: gateway, accepts: [citizen]", "further_oidc[0].accepts must not have citizen"},
		{"a role nobody has", "clerk: officer", "clerk: mayor", "further_oidc[0].roles must name roles"},
		{"officers for lack of a claim", "audience: hutong", "audience: hutong, default_role: officer", "oidc.default_role must be citizen"},
		{"bound tokens that nobody asks for", "audience: hutong", "audience: hutong, bound_clients: [portal]", "oidc.bound_clients needs tls.client_ca"},
		{"another organisation's key", "{agency: services.police, private:", "{agency: market.tax, private:", "exchange_keys[0].agency is not of the organisation"},
		{"a key without file", ", private: police/private.pem", "", "exchange_keys[0].private is required"},
		{"a password in the address", "data_dir: data", "data_dir: data\ndatabase: postgres://hutong:Secret-1@127.0.0.1/kept", "database must not have the password in it"},
		{"a database in the clear", "data_dir: data", "data_dir: data\ndatabase: postgres://hutong@db.city/kept", "database must have sslmode=verify-full"},
		{"a password for nothing", "data_dir: data", "data_dir: data\ndatabase_password: file", "database_password is for a database"},
		{"a negative limit", "peer_connections: 4", "peer_connections: -4", "limits.peer_connections must be positive"},
		{"a duration without unit", "commit_timeout: 45s", "commit_timeout: 45", "not a duration"},
		{"a rate without end", "per_second: 50", "per_second: 5e9", "rates.client.per_second must be between"},
		{"a burst without a rate", "per_second: 0.2, ", "", "rates.address.per_second is required"},
		{"a balancer that is no network", "10.0.0.0/8", "10.0.0.1", "rates.proxies[0] must be a network"},
		{"no level", "channel: government", "channel: government\nlog: {level: loud}", "log.level must be one of debug, info, warn, error"},
		{"no lines", "channel: government", "channel: government\nlog: {requests_per_second: -1}", "log.requests_per_second must be positive"},
		{"too many samples", "sample_ratio: 0.5", "sample_ratio: 2", "telemetry.sample_ratio must be between"},
		{"a collector without its path", "4318/v1/traces", "4318", "telemetry.otlp_endpoint must be"},
		{"a stop before it began", "peer_connections: 4", "shutdown_delay: -4s", "limits.shutdown_delay must not be negative"},
		{"a second document", "channel: government", "channel: government\n---\nx: y", "more than one document"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Contains(t, sound, c.from)
			_, err := config.Parse([]byte(strings.Replace(sound, c.from, c.to, 1)), "/etc/hutong")
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "Secret-1")
			var broken *config.Error
			if errors.As(err, &broken) {
				require.NotEmpty(t, broken.Field)
				require.True(t, broken.Line > 0 || strings.HasSuffix(broken.Text, "is required"), "no line for %s", broken.Field)
				require.True(t, strings.HasPrefix(broken.Text, broken.Field), broken.Text)
			}
		})
	}
	_, err := config.Parse([]byte(strings.Replace(sound, "role: portal", "role: emperor", 1)), "")
	require.ErrorContains(t, err, "config: line 16: identities[0].role must be one of")
	_, err = config.Parse([]byte(strings.Replace(sound, "channel: government\n", "chanel: government\n", 1)), "")
	require.ErrorContains(t, err, "[7:1] unknown field")
	_, err = config.Parse(nil, "")
	require.ErrorContains(t, err, "empty")
	_, err = config.Load(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestShownHasDefaultsAndNoSecrets(t *testing.T) {
	c, err := config.Parse([]byte(sound), "/etc/hutong")
	require.NoError(t, err)
	require.Equal(t, 100, c.Rates.Client.Burst, "two seconds' worth")
	require.Equal(t, 5, c.Rates.Address.Burst)
	require.Equal(t, "/etc/hutong/collector.pem", c.Telemetry.TLSRoot)
	c.Connectors = "postgres://hutong:s3cret@db/hutong?sslmode=verify-full"
	c.Channel = "host=db user=hutong password='s3 cret' dbname=hutong"
	text, err := c.Shown()
	require.NoError(t, err)
	require.NotContains(t, string(text), "cret")
	require.Contains(t, string(text), "postgres://hutong:hidden@db/hutong")
	require.Contains(t, string(text), "password=(hidden) dbname=hutong")
	require.Contains(t, string(text), "endorse_timeout: 15s", "a default")
	require.Contains(t, c.Connectors, "s3cret", "the configuration itself is as it was")
}
