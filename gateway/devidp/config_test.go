package devidp_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/devidp"
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestLoadConfig(t *testing.T) {
	dir := t.TempDir()
	c, err := devidp.LoadConfig(write(t, dir, "devidp.yaml", `
listen: 127.0.0.1:17004
public_url: https://127.0.0.1:17004
tls: {cert: tls/cert.pem, key: /abs/key.pem}
data_dir: data
users: users.yaml
`))
	require.NoError(t, err)
	require.Equal(t, devidp.Config{
		Listen: "127.0.0.1:17004", PublicURL: "https://127.0.0.1:17004", TLS: &devidp.TLS{Cert: filepath.Join(dir, "tls/cert.pem"), Key: "/abs/key.pem"},
		DataDir: filepath.Join(dir, "data"), Users: filepath.Join(dir, "users.yaml"), Audience: "hutong", TokenLife: time.Hour,
	}, c)
	for _, x := range []struct{ text, want string }{
		{"listen: 127.0.0.1:1\npassword: x\n", "password"},
		{"listen: 0.0.0.0:1\npublic_url: http://127.0.0.1:1\ndata_dir: d\n", "listen: only a loopback address"},
		{"listen: 127.0.0.1:1\npublic_url: http://127.0.0.1:1\ndata_dir: d\ntoken_life: soon\n", "devidp.yaml"},
	} {
		_, err := devidp.LoadConfig(write(t, dir, "devidp.yaml", x.text))
		require.ErrorContains(t, err, x.want)
	}
	_, err = devidp.LoadConfig(filepath.Join(dir, "absent.yaml"))
	require.Error(t, err)
}

func TestOwnUsersAndClients(t *testing.T) {
	for _, c := range []struct{ name, users, clients, want string }{
		{"good", "users:\n  - {id: anna, name: Anna, role: officer, agency: market.tax, staff: S1}\n", "clients:\n  - {id: console, redirect_uris: [http://127.0.0.1/callback]}\n", ""},
		{"no user", "users: []\n", "", "users: at least one"},
		{"unknown member", "users:\n  - {id: anna, name: Anna, role: citizen, password: x}\n", "", "password"},
		{"no name", "users:\n  - {id: anna, role: citizen}\n", "", "users[0].name"},
		{"odd id", "users:\n  - {id: 'an na', name: Anna, role: citizen}\n", "", "users[0].id"},
		{"twice", "users:\n  - {id: a, name: A, role: citizen}\n  - {id: a, name: A, role: citizen}\n", "", "users[1].id"},
		{"unknown role", "users:\n  - {id: a, name: A, role: king}\n", "", "users[0].role"},
		{"portal is no person", "users:\n  - {id: a, name: A, role: portal, agency: services.hall}\n", "", "users[0].role"},
		{"officer without agency", "users:\n  - {id: a, name: A, role: officer}\n", "", "users[0].agency"},
		{"citizen with agency", "users:\n  - {id: a, name: A, role: citizen, agency: market.tax}\n", "", "users[0].agency"},
		{"client without secret", "", "clients:\n  - {id: p, role: portal, agency: services.hall}\n", "clients[0].secret"},
		{"client's redirect", "", "clients:\n  - {id: p, redirect_uris: [callback]}\n", "clients[0].redirect_uris"},
		{"client twice", "", "clients:\n  - {id: p}\n  - {id: p}\n", "clients[1].id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			config := devidp.Config{Listen: "127.0.0.1:0", PublicURL: "http://127.0.0.1:1", DataDir: dir}
			if c.users != "" {
				config.Users = write(t, dir, "users.yaml", c.users)
			}
			if c.clients != "" {
				config.Clients = write(t, dir, "clients.yaml", c.clients)
			}
			_, err := devidp.New(config)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestDefaultsFit(t *testing.T) {
	agencies := map[string]map[string]bool{}
	citizens := 0
	for _, u := range devidp.DefaultUsers() {
		if u.Role == "citizen" {
			citizens++
			continue
		}
		if agencies[u.Agency] == nil {
			agencies[u.Agency] = map[string]bool{}
		}
		agencies[u.Agency][u.Role] = true
	}
	require.Equal(t, 3, citizens)
	for _, a := range devidp.DefaultAgencies {
		require.Equal(t, map[string]bool{"officer": true, "agency_admin": true}, agencies[a.ID], a.ID)
	}
	require.True(t, agencies["audit.office"]["auditor"])
}
