package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain lets the test's own binary be the program, so that its exit codes can be seen.
func TestMain(m *testing.M) {
	if os.Getenv("HUTONG_TEST_AS_GATEWAY") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const sound = `
organisation: services
msp_id: ServicesMSP
listen: 127.0.0.1:17000
public_url: https://127.0.0.1:17000
tls: {cert: cert.pem, key: key.pem}
channel: government
peers: [{endpoint: 127.0.0.1:17005, tls_root: ca.pem, server_name: peer0}]
endorsing_msps: [ServicesMSP]
all_msps: [ServicesMSP]
identities: [{agency: services.hall, role: portal, msp_dir: portal}]
data_dir: data
oidc: {issuer: "https://127.0.0.1:17004", audience: hutong}
`

func TestConfigurationFlags(t *testing.T) {
	folder := t.TempDir()
	good, bad := filepath.Join(folder, "good.yaml"), filepath.Join(folder, "bad.yaml")
	require.NoError(t, os.WriteFile(good, []byte(sound), 0o600))
	require.NoError(t, os.WriteFile(bad, []byte(sound+"limits:\n  max_retries: -1\n"), 0o600))
	for _, c := range []struct {
		name, says string
		args       []string
		code       int
	}{
		{"sound", "", []string{"--check-config", "--config", good}, 0},
		{"not sound", bad + ": config: line 15: limits.max_retries must be positive", []string{"--check-config", "--config", bad}, 2},
		{"no file", "no such file", []string{"--check-config", "--config", "/nonexistent"}, 2},
		{"no name", "--config: name the configuration file", nil, 2},
		{"shown", "commit_timeout: 30s", []string{"--print-config", "--config", good}, 0},
		{"started", "tls", []string{"--config", good}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), os.Args[0], c.args...)
			command.Env = append(os.Environ(), "HUTONG_TEST_AS_GATEWAY=1")
			said, err := command.CombinedOutput()
			require.Equal(t, c.code, command.ProcessState.ExitCode(), "%v: %s", err, said)
			require.Contains(t, string(said), c.says)
			if c.says == "" {
				require.Empty(t, said)
			}
		})
	}
}
