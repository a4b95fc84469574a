package authority_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/attrmgr"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/authority"
	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/process"
	"github.com/hutong-gov/hutong/network/topology"
)

// services is an organisation with its Fabric CA, which ends with the test.
type services struct {
	*authority.Authority
	topology *topology.Topology
	org      topology.Organisation
	layout   material.Layout
	root     string
	table    *process.Table
}

// start runs the Fabric CA of a network of one organisation.
func start(t *testing.T) services {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a Fabric CA")
	}
	top := network.DefaultTopology()
	top.Identities, top.Organisations = topology.IdentitiesFabricCA, top.Organisations[:1]
	for i := range top.Chaincodes {
		top.Chaincodes[i].Policy = "OR('ServicesMSP.peer')"
	}
	var err error
	top.BasePort, err = network.FreeBasePort(top)
	require.NoError(t, err)
	n, err := network.Open(network.Options{State: filepath.Join(t.TempDir(), "state"), Topology: top})
	require.NoError(t, err)
	require.NoError(t, n.Run(t.Context(), network.StageBuild))

	s := services{topology: top, org: top.Organisations[0], root: t.TempDir()}
	s.layout, s.table = material.At(s.root), process.NewTable(s.root)
	s.Authority = authority.New(top, s.layout, s.org, filepath.Join(n.Options.FabricBin, authority.Binary))
	s.up(t)
	t.Cleanup(func() { s.down(t) })
	return s
}

func (s services) up(t *testing.T) {
	t.Helper()
	require.NoError(t, s.Prepare())
	spec, err := s.Spec()
	require.NoError(t, err)
	_, err = s.table.Begin(t.Context(), []process.Spec{spec})
	require.NoError(t, err)
	require.NoError(t, s.table.Await(t.Context(), []process.Spec{spec}))
}

func (s services) down(t *testing.T) {
	t.Helper()
	records, err := s.table.Records()
	require.NoError(t, err)
	require.NoError(t, s.table.Stop(context.Background(), records))
}

func (s services) material(t *testing.T) error {
	t.Helper()
	return material.Make(t.Context(), s.topology, s.layout, func(topology.Organisation) (material.Issuer, error) { return s.Issuer() })
}

func (s services) file(name string) string {
	return filepath.Join(s.layout.Organisation(s.org).Dir(), "fabric-ca", name)
}

// form is what everything else of a network sees of a certificate.
type form struct {
	Subject, Issuer string
	Usage           x509.KeyUsage
	Extended        []x509.ExtKeyUsage
	Hosts, Algorithms,
	Attributes string
	Authority bool
}

func formOf(t *testing.T, file string) form {
	t.Helper()
	c, err := material.ReadCertificate(file)
	require.NoError(t, err)
	f := form{
		Subject: c.Subject.String(), Issuer: c.Issuer.String(), Authority: c.IsCA,
		Usage: c.KeyUsage, Extended: c.ExtKeyUsage, Hosts: strings.Join(c.DNSNames, " "),
		Algorithms: c.PublicKeyAlgorithm.String() + " " + c.SignatureAlgorithm.String(),
	}
	for _, ip := range c.IPAddresses {
		f.Hosts += " " + ip.String()
	}
	for _, extension := range c.Extensions {
		if extension.Id.String() == attrmgr.AttrOIDString && strings.Contains(string(extension.Value), `"agency"`) {
			f.Attributes = string(extension.Value)
		}
	}
	return f
}

// TestNetworkAuthority makes an organisation's whole material twice, once by
// each issuer: the certificates say the same, to the byte where attributes are
// concerned.
func TestNetworkAuthority(t *testing.T) {
	s := start(t)
	require.NoError(t, s.material(t))
	local := material.At(t.TempDir())
	require.NoError(t, material.Make(t.Context(), s.topology, local,
		func(org topology.Organisation) (material.Issuer, error) { return material.NewLocal(local, org) }))

	compared := 0
	ours, theirs := s.layout.Organisation(s.org).Dir(), local.Organisation(s.org).Dir()
	require.NoError(t, filepath.WalkDir(theirs, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() != "cert.pem" || strings.HasPrefix(path, filepath.Join(theirs, "ca")) || strings.HasPrefix(path, filepath.Join(theirs, "tlsca")) {
			return err
		}
		name, err := filepath.Rel(theirs, path)
		require.NoError(t, err)
		require.Equal(t, formOf(t, path), formOf(t, filepath.Join(ours, name)), name)
		compared++
		return nil
	}))
	require.Equal(t, 36, compared)

	for _, root := range []string{s.layout.Public(s.org).Root(), s.layout.Public(s.org).TLSRoot()} {
		c, err := material.ReadCertificate(root)
		require.NoError(t, err)
		require.True(t, c.IsCA)
		require.NoError(t, c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature))
	}
	version, err := s.Version(t.Context())
	require.NoError(t, err)
	require.Equal(t, "1.5.13", version)

	t.Run("low signatures", func(t *testing.T) { lowSignatures(t, ours) })
	t.Run("closed", func(t *testing.T) { closed(t, s) })
	t.Run("enrolled again", func(t *testing.T) { enrolledAgain(t, s) })
	t.Run("refused", func(t *testing.T) { refused(t, s) })
	t.Run("restarted", func(t *testing.T) {
		s.down(t)
		s.up(t)
		require.NoError(t, s.material(t))
	})
	t.Run("lost root", func(t *testing.T) { lostRoot(t, s) })
}

// lowSignatures: Fabric rewrites certificates with the larger of the two values
// of s that verify, after which they are no longer the bytes of the file.
func lowSignatures(t *testing.T, root string) {
	half := new(big.Int).Rsh(elliptic.P256().Params().N, 1)
	checked := 0
	require.NoError(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".pem") || strings.Contains(path, "key") || strings.Contains(path, "exchange") {
			return err
		}
		c, err := material.ReadCertificate(path)
		require.NoError(t, err, path)
		var signature struct{ R, S *big.Int }
		_, err = asn1.Unmarshal(c.Signature, &signature)
		require.NoError(t, err)
		require.LessOrEqual(t, signature.S.Cmp(half), 0, path)
		checked++
		return nil
	}))
	require.Greater(t, checked, 30)
}

// closed: nobody else on the machine reads a key, a password or the register.
func closed(t *testing.T, s services) {
	seen := map[string]bool{}
	require.NoError(t, filepath.WalkDir(s.file(""), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, path)
		seen[e.Name()] = true
		return nil
	}))
	for _, name := range []string{"registrar.secret", "server.yaml", "ca.yaml", "identities.db", "ca-cert.pem"} {
		require.True(t, seen[name], name)
	}
	text, err := os.ReadFile(s.table.Log(s.org.AuthorityProcess()))
	require.NoError(t, err)
	secret, err := os.ReadFile(s.file("registrar.secret"))
	require.NoError(t, err)
	require.NotContains(t, string(text), strings.TrimSpace(string(secret)))
}

// enrolledAgain is a crash between a key and its certificate, as often as it
// may happen: the key stays, and a certificate that says the same is issued.
func enrolledAgain(t *testing.T, s services) {
	msp, tls := s.layout.Organisation(s.org).Agency(s.org.Agencies[1], "agency"), s.layout.Organisation(s.org).Gateway().TLS()
	for range 3 {
		for _, file := range []string{msp.Certificate(), tls.Certificate()} {
			before, err := material.ReadCertificate(file)
			require.NoError(t, err)
			said := formOf(t, file)
			require.NoError(t, os.Remove(file))
			require.NoError(t, s.material(t))
			after, err := material.ReadCertificate(file)
			require.NoError(t, err)
			require.NotEqual(t, before.SerialNumber, after.SerialNumber)
			require.Equal(t, before.PublicKey, after.PublicKey)
			require.Equal(t, said, formOf(t, file))
		}
	}
}

// refused is what a registrar may not do, and a name that is not registered.
func refused(t *testing.T, s services) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	issuer, err := s.Issuer()
	require.NoError(t, err)
	_, err = issuer.Enrol(t.Context(), material.Enrolment{Name: "stranger", Unit: material.UnitClient, Attributes: map[string]string{"hf.Registrar.Roles": "client"}}, key)
	require.ErrorContains(t, err, "the Fabric CA refuses POST register")
	_, err = issuer.Enrol(t.Context(), material.Enrolment{Name: "stranger", Unit: "king"}, key)
	require.ErrorContains(t, err, "the Fabric CA refuses POST register")

	// Another server at the port is not believed.
	anchor, err := os.ReadFile(s.file("ca-cert.pem"))
	require.NoError(t, err)
	other, err := os.ReadFile(s.file(filepath.Join("ca", "ca-cert.pem")))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.file("ca-cert.pem"), other, 0o600))
	issuer, err = s.Issuer()
	require.NoError(t, err)
	_, err = issuer.Roots(t.Context())
	require.ErrorContains(t, err, "certificate signed by unknown authority")
	require.NoError(t, os.WriteFile(s.file("ca-cert.pem"), anchor, 0o600))
}

// lostRoot: an authority that would make itself a new key is not started.
func lostRoot(t *testing.T, s services) {
	s.down(t)
	for _, name := range []string{"ca-cert.pem", filepath.Join("ca", "ca-cert.pem")} {
		text, err := os.ReadFile(s.file(name))
		require.NoError(t, err)
		require.NoError(t, os.Remove(s.file(name)))
		require.ErrorContains(t, s.Prepare(), "restore the folder from a backup")
		require.NoError(t, os.WriteFile(s.file(name), text, 0o600))
	}
	require.NoError(t, s.Prepare())
}
