package ledger

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/offline/offlinetest"
)

// folder is an MSP folder as enrolment tools leave it.
type folder struct {
	*testing.T
	dir string
}

func newFolder(t *testing.T, id offlinetest.Identity) folder {
	t.Helper()
	f := folder{t, t.TempDir()}
	for _, sub := range []string{"signcerts", "keystore"} {
		require.NoError(t, os.Mkdir(filepath.Join(f.dir, sub), 0o700))
	}
	f.put("signcerts/cert.pem", []byte(id.Certificate))
	f.put("keystore/first_sk", id.PEM(t))
	return f
}

// put replaces a file as a careful tool does, with another time of change.
func (f folder) put(name string, content []byte) {
	f.Helper()
	path := filepath.Join(f.dir, name)
	require.NoError(f, os.WriteFile(path+".new", content, 0o600))
	require.NoError(f, os.Rename(path+".new", path))
}

func identityIn(dir string) config.Identity {
	return config.Identity{Agency: "services.hall", Role: access.Admin, MSPDir: dir}
}

// TestCertificatesRenewWhileTheGatewayRuns: a sound new certificate with its key takes the old one's place; anything else
// leaves the old one in use until it is sound.
func TestCertificatesRenewWhileTheGatewayRuns(t *testing.T) {
	year := time.Now().Add(365 * 24 * time.Hour)
	hall := func(role string, until time.Time) offlinetest.Identity {
		return offlinetest.NewIdentity(t, "hall", role, until)
	}
	l, _ := newLedger(t, config.Limits{})
	first := hall("admin", year)
	f, set := newFolder(t, first), files(t)
	held, err := l.hold(set, identityIn(f.dir))
	require.NoError(t, err)
	old := held.Get()
	require.WithinDuration(t, year, old.expires, time.Minute, "the metric of the time left")

	expired, future := hall("admin", time.Now().Add(-time.Minute)), hall("admin", year)
	for name, change := range map[string]func(){
		"another agency's": func() {
			f.put("signcerts/cert.pem", []byte(offlinetest.Certify(t, first.Key, "police", "admin", year)))
		},
		"another role's": func() { f.put("signcerts/cert.pem", []byte(offlinetest.Certify(t, first.Key, "hall", "portal", year))) },
		"ended": func() {
			f.put("signcerts/cert.pem", []byte(offlinetest.Certify(t, first.Key, "hall", "admin", time.Now().Add(-time.Minute))))
		},
		"no certificate":           func() { f.put("signcerts/cert.pem", []byte("half a cert")) },
		"the key is not there yet": func() { f.put("signcerts/cert.pem", []byte(future.Certificate)) },
		"ended, with a key of its own": func() {
			f.put("signcerts/cert.pem", []byte(expired.Certificate))
			f.put("keystore/expired_sk", expired.PEM(t))
		},
	} {
		t.Run(name, func(t *testing.T) {
			change()
			set.Look()
			require.Same(t, old, held.Get(), "the old one stays in use")
		})
	}
	f.put("signcerts/cert.pem", []byte(future.Certificate))
	set.Look()
	require.Same(t, old, held.Get())
	f.put("keystore/second_sk", future.PEM(t))
	set.Look()
	now := held.Get()
	require.NotSame(t, old, now)
	digest := sha256.Sum256([]byte("x"))
	signature, err := now.sign(digest[:])
	require.NoError(t, err)
	require.True(t, ecdsa.VerifyASN1(&future.Key.PublicKey, digest[:], signature))
	signature, err = old.sign(digest[:])
	require.NoError(t, err, "what is under way goes on with the old one")
	require.True(t, ecdsa.VerifyASN1(&first.Key.PublicKey, digest[:], signature))
}

func TestIdentitiesThatAreNone(t *testing.T) {
	year := time.Now().Add(365 * 24 * time.Hour)
	good := offlinetest.NewIdentity(t, "hall", "admin", year)
	l, _ := newLedger(t, config.Limits{})
	for name, c := range map[string]struct {
		change func(folder)
		want   string
	}{
		"good":             {func(folder) {}, ""},
		"mounted":          {func(f folder) { f.put("signcerts/..data", nil) }, ""},
		"two certificates": {func(f folder) { f.put("signcerts/other.pem", []byte(good.Certificate)) }, "exactly one certificate"},
		"no key":           {func(f folder) { require.NoError(f, os.Remove(filepath.Join(f.dir, "keystore/first_sk"))) }, "no key in it is the certificate's"},
		"another key":      {func(f folder) { f.put("keystore/first_sk", offlinetest.NewIdentity(t, "hall", "admin", year).PEM(t)) }, "no key in it is the certificate's"},
		"no folder":        {func(f folder) { require.NoError(f, os.RemoveAll(filepath.Join(f.dir, "keystore"))) }, "no such file"},
		"another's": {func(f folder) {
			f.put("signcerts/cert.pem", []byte(offlinetest.Certify(t, good.Key, "tax", "admin", year)))
		}, "is not that of services.hall as admin"},
		"ended at the start": {func(f folder) {
			f.put("signcerts/cert.pem", []byte(offlinetest.Certify(t, good.Key, "hall", "admin", time.Now().Add(-time.Minute))))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t, good)
			f.T = t
			c.change(f)
			_, err := l.hold(files(t), identityIn(f.dir))
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

// TestAKeyOutOfReach: whichever signature cannot be made, nothing was sent.
func TestAKeyOutOfReach(t *testing.T) {
	for n, stage := range map[int]Stage{1: Endorsing, 2: Ordering} {
		l, fake := newLedger(t, config.Limits{})
		who := l.reader.Get()
		sign, signed := who.sign, 0
		gw, err := client.Connect(who.gateway.Identity(), client.WithHash(hash.SHA256), client.WithClientConnection(l.peers), client.WithSign(noting(func(digest []byte) ([]byte, error) {
			if signed++; signed >= n {
				return nil, errors.New("the token is away")
			}
			return sign(digest)
		})))
		require.NoError(t, err)
		who.gateway, who.network = gw, gw.GetNetwork("government")
		_, err = l.Submit(t.Context(), signer, "certificate", "type:Publish", kernel.Command{IdempotencyKey: "k", Request: []byte(`{}`)})
		var unreachable *UnreachableError
		require.ErrorAs(t, err, &unreachable)
		require.Equal(t, stage, unreachable.Stage)
		require.ErrorContains(t, err, "the token is away")
		_, submitted, _ := fake.counts()
		require.Zero(t, submitted)
	}
}
