package material_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/attrmgr"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/topology"
)

func made(t *testing.T, top *topology.Topology, root string) material.Layout {
	t.Helper()
	l := material.At(root)
	issuer := func(org topology.Organisation) (material.Issuer, error) { return material.NewLocal(l, org) }
	require.NoError(t, material.Make(t.Context(), top, l, issuer))
	return l
}

func verify(t *testing.T, certFile, rootFile string, usage x509.ExtKeyUsage) *x509.Certificate {
	t.Helper()
	cert, err := material.ReadCertificate(certFile)
	require.NoError(t, err)
	root, err := material.ReadCertificate(rootFile)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(root)
	_, err = cert.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{usage}})
	require.NoError(t, err, certFile)
	return cert
}

func key(t *testing.T, file string) any {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	require.NotNil(t, block, file)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	return parsed
}

func TestAgencyIdentities(t *testing.T) {
	top := network.DefaultTopology()
	l := made(t, top, t.TempDir())
	count := 0
	for _, org := range top.Organisations {
		for _, agency := range org.Agencies {
			for _, role := range agency.Roles {
				count++
				msp := l.Organisation(org).Agency(agency, role)
				cert := verify(t, msp.Certificate(), l.Public(org).Root(), x509.ExtKeyUsageAny)
				require.Equal(t, []string{"client"}, cert.Subject.OrganizationalUnit)
				attrs, err := attrmgr.New().GetAttributesFromCert(cert)
				require.NoError(t, err)
				require.Equal(t, map[string]string{
					"agency": agency.Code, "role": role,
					"hf.EnrollmentID": agency.Code + "-" + role, "hf.Type": "client", "hf.Affiliation": "",
				}, attrs.Attrs)
				require.True(t, cert.PublicKey.(*ecdsa.PublicKey).Equal(key(t, msp.Key()).(*ecdsa.PrivateKey).Public()))
			}
		}
	}
	require.Equal(t, 67, count)
}

func TestNodesAndAdministrators(t *testing.T) {
	top := network.DefaultTopology()
	l := made(t, top, t.TempDir())
	for _, org := range top.Organisations {
		folder := l.Organisation(org)
		admin := verify(t, folder.Admin().MSP().Certificate(), l.Public(org).Root(), x509.ExtKeyUsageAny)
		require.Equal(t, []string{"admin"}, admin.Subject.OrganizationalUnit)
		verify(t, folder.Admin().TLS().Certificate(), l.Public(org).TLSRoot(), x509.ExtKeyUsageClientAuth)
		units := map[string]string{}
		for _, p := range top.PeersOf(org) {
			units[p.Node] = "peer"
		}
		for _, o := range top.OrderersOf(org) {
			units[o.Node] = "orderer"
		}
		for node, unit := range units {
			cert := verify(t, folder.Node(node).MSP().Certificate(), l.Public(org).Root(), x509.ExtKeyUsageAny)
			require.Equal(t, []string{unit}, cert.Subject.OrganizationalUnit)
			served := verify(t, folder.Node(node).TLS().Certificate(), l.Public(org).TLSRoot(), x509.ExtKeyUsageServerAuth)
			for _, host := range []string{"localhost", "127.0.0.1", "::1", node + "." + org.Domain} {
				require.NoError(t, served.VerifyHostname(host))
			}
		}
		_, err := tls.LoadX509KeyPair(folder.Gateway().TLS().Certificate(), folder.Gateway().TLS().Key())
		require.NoError(t, err)
	}
}

// TestAnotherOrganisationsRootDoesNotVerify is the boundary between
// organisations: nobody's certificate stands under another's root.
func TestAnotherOrganisationsRootDoesNotVerify(t *testing.T) {
	top := network.DefaultTopology()
	l := made(t, top, t.TempDir())
	services, market := top.Organisations[0], top.Organisations[2]
	cert, err := material.ReadCertificate(l.Organisation(services).Agency(services.Agencies[0], "agency").Certificate())
	require.NoError(t, err)
	root, err := material.ReadCertificate(l.Public(market).Root())
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(root)
	_, err = cert.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	require.Error(t, err)
}

// TestSignaturesAreLowS draws many certificates: one in two would have a high
// s if it were left to chance.
func TestSignaturesAreLowS(t *testing.T) {
	top := network.DefaultTopology()
	l := made(t, top, t.TempDir())
	checked := 0
	require.NoError(t, filepath.WalkDir(l.Organisation(top.Organisations[0]).Dir(), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "cert.pem") {
			return err
		}
		cert, err := material.ReadCertificate(path)
		require.NoError(t, err)
		var signature struct{ R, S *big.Int }
		_, err = asn1.Unmarshal(cert.Signature, &signature)
		require.NoError(t, err)
		order := cert.PublicKey.(*ecdsa.PublicKey).Params().N
		require.LessOrEqual(t, signature.S.Cmp(new(big.Int).Rsh(order, 1)), 0, path)
		checked++
		return nil
	}))
	require.Greater(t, checked, 10)
}

func TestExchangeKeys(t *testing.T) {
	top := network.DefaultTopology()
	l := made(t, top, t.TempDir())
	for _, org := range top.Organisations {
		for _, agency := range org.Agencies {
			private, err := key(t, l.Organisation(org).ExchangePrivate(agency)).(*ecdsa.PrivateKey).ECDH()
			require.NoError(t, err)
			text, err := os.ReadFile(l.Public(org).ExchangeKey(agency))
			require.NoError(t, err)
			own, err := os.ReadFile(l.Organisation(org).ExchangePublic(agency))
			require.NoError(t, err)
			require.Equal(t, text, own)
			block, _ := pem.Decode(text)
			require.Equal(t, "PUBLIC KEY", block.Type)
			public, err := x509.ParsePKIXPublicKey(block.Bytes)
			require.NoError(t, err)
			agreed, err := public.(*ecdsa.PublicKey).ECDH()
			require.NoError(t, err)
			require.True(t, private.PublicKey().Equal(agreed))
		}
	}
}

func TestPseudonymKeyOnlyWhereThereIsAPortal(t *testing.T) {
	top := network.DefaultTopology()
	l := made(t, top, t.TempDir())
	for _, org := range top.Organisations {
		text, err := os.ReadFile(l.Organisation(org).Gateway().PseudonymKey())
		if org.Name != "services" {
			require.ErrorIs(t, err, fs.ErrNotExist)
			continue
		}
		require.NoError(t, err)
		raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
		require.NoError(t, err)
		require.Len(t, raw, 32)
	}
}

// snapshot is every file's digest and mode.
func snapshot(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		info, err := e.Info()
		require.NoError(t, err)
		sum := sha256.Sum256(text)
		files[path] = info.Mode().String() + " " + hex.EncodeToString(sum[:])
		return nil
	}))
	return files
}

func TestAgainAddsOnlyWhatIsNew(t *testing.T) {
	root := t.TempDir()
	top := network.DefaultTopology()
	made(t, top, root)
	before := snapshot(t, root)
	made(t, top, root)
	require.Equal(t, before, snapshot(t, root))

	next := top.Clone()
	next.Organisations[1].Agencies = append(next.Organisations[1].Agencies, topology.Agency{Code: "water", Roles: []string{"agency"}})
	l := made(t, next, root)
	after := snapshot(t, root)
	for path, digest := range before {
		require.Equal(t, digest, after[path], path)
		delete(after, path)
	}
	own := l.Organisation(next.Organisations[1]).Dir()
	for path := range after {
		inside := strings.HasPrefix(path, filepath.Join(own, "agencies", "water")) || strings.HasSuffix(path, "PlanningMSP/exchange/water.pem")
		require.True(t, inside, path)
	}
	require.NotEmpty(t, after)
}

func TestSecretsAreClosed(t *testing.T) {
	root := t.TempDir()
	made(t, network.DefaultTopology(), root)
	keys := 0
	for path, entry := range snapshot(t, root) {
		base := filepath.Base(path)
		if base == "key.pem" || base == "private.pem" || base == "pseudonym.key" {
			require.True(t, strings.HasPrefix(entry, "-rw------- "), "%s %s", path, entry)
			keys++
		}
	}
	require.Greater(t, keys, 30)
	require.NoError(t, filepath.WalkDir(filepath.Join(root, "public"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotContains(t, string(text), "PRIVATE", path)
		return nil
	}))
}

// TestCertificateLostAfterItsKey is a crash between the two writes: the key
// stays, and a certificate is issued for it again.
func TestCertificateLostAfterItsKey(t *testing.T) {
	root := t.TempDir()
	top := network.DefaultTopology()
	l := made(t, top, root)
	org := top.Organisations[2]
	msp := l.Organisation(org).Agency(org.Agencies[0], "agency")
	held := key(t, msp.Key()).(*ecdsa.PrivateKey)
	require.NoError(t, os.Remove(msp.Certificate()))
	made(t, top, root)
	cert := verify(t, msp.Certificate(), l.Public(org).Root(), x509.ExtKeyUsageAny)
	require.True(t, cert.PublicKey.(*ecdsa.PublicKey).Equal(held.Public()))
	digest := sha256.Sum256([]byte("message"))
	signature, err := ecdsa.SignASN1(rand.Reader, held, digest[:])
	require.NoError(t, err)
	require.True(t, ecdsa.VerifyASN1(cert.PublicKey.(*ecdsa.PublicKey), digest[:], signature))
}

// TestHalvesOfTwoBackups never goes on with a key that is not the
// certificate's, or with a key that was lost.
func TestHalvesOfTwoBackups(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, key string){
		"is not the certificate of the key": func(t *testing.T, key string) { require.NoError(t, os.Remove(key)) },
		"is empty: restore it":              func(t *testing.T, key string) { require.NoError(t, os.Truncate(key, 0)) },
		"must hold one PEM block":           func(t *testing.T, key string) { require.NoError(t, os.WriteFile(key, []byte("x"), 0o600)) },
	} {
		root := t.TempDir()
		top := network.DefaultTopology()
		l := made(t, top, root)
		org := l.Organisation(top.Organisations[0])
		for _, key := range []string{
			filepath.Join(org.Dir(), "ca", "key.pem"), org.Admin().MSP().Key(), org.Node("peer0").TLS().Key(),
		} {
			text, err := os.ReadFile(key)
			require.NoError(t, err)
			damage(t, key)
			issuer := func(org topology.Organisation) (material.Issuer, error) { return material.NewLocal(l, org) }
			require.ErrorContains(t, material.Make(t.Context(), top, l, issuer), name, key)
			require.NoError(t, os.WriteFile(key, text, 0o600))
			require.NoError(t, material.Make(t.Context(), top, l, issuer), key)
		}
	}
}
