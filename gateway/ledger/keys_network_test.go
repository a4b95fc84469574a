package ledger_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/key/softhsm"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/network/block"
	"github.com/hutong-gov/hutong/network/material"
)

// enrolled is a key and the certificate the organisation's CA issued for it, both in PEM.
type enrolled struct{ key, certificate []byte }

// enrol has the hall's administrator certified anew, with a new key.
func (c *city) enrol() enrolled {
	c.Helper()
	org, ok := c.network.Topology.Organisation("services")
	require.True(c, ok)
	issuer, err := material.NewLocal(c.network.Layout, org)
	require.NoError(c, err)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(c, err)
	text, err := issuer.Enrol(c.Context(), material.Enrolment{Name: "hall-admin", Unit: material.UnitClient, Attributes: map[string]string{"agency": "hall", "role": "admin"}}, private)
	require.NoError(c, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(c, err)
	return enrolled{pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), text}
}

// hall finds the hall administrator's identity in the configuration.
func (c *city) hall() *config.Identity {
	i := slices.IndexFunc(c.config.Identities, func(id config.Identity) bool { return id.Agency == hallAdmin.Agency && id.Role == hallAdmin.Role })
	return &c.config.Identities[i]
}

// with runs the gateway with another form of the hall administrator's identity, and then with its own again.
func (c *city) with(id config.Identity, run func()) {
	c.Helper()
	own := *c.hall()
	id.Agency, id.Role = own.Agency, own.Role
	c.stop()
	*c.hall() = id
	c.start()
	run()
	c.stop()
	*c.hall() = own
	c.start()
}

func (c *city) replace(path string, content []byte) {
	c.Helper()
	require.NoError(c, os.WriteFile(path+".new", content, 0o600))
	require.NoError(c, os.Rename(path+".new", path))
}

// signedBy is the certificate that the ledger has a transaction of.
func (c *city) signedBy(o ledger.Outcome) []byte {
	c.Helper()
	raw, err := c.ledger.Block(c.Context(), o.Block)
	require.NoError(c, err)
	decoded, err := new(block.Decoder).Decode(raw)
	require.NoError(c, err)
	i := slices.IndexFunc(decoded.Transactions, func(tx block.Transaction) bool { return tx.ID == o.Tx })
	require.GreaterOrEqual(c, i, 0)
	var creator msp.SerializedIdentity
	require.NoError(c, proto.Unmarshal(decoded.Transactions[i].Signer, &creator))
	return creator.GetIdBytes()
}

// renewed replaces certificate and key on disk while writes go on.
func renewed(c *city) {
	dir := c.TempDir()
	require.NoError(c, os.CopyFS(dir, os.DirFS(c.hall().MSPDir)))
	c.with(config.Identity{MSPDir: dir}, func() { c.renew(dir, c.enrol()) })
}

func (c *city) renew(dir string, fresh enrolled) {
	old, err := os.ReadDir(filepath.Join(dir, "signcerts"))
	require.NoError(c, err)
	before := c.submit("renew-before", certificate.Name, certificate.TypePublish, certificateType("renew-before"))
	require.NotEqual(c, string(fresh.certificate), string(c.signedBy(before)))

	const writers = 12
	outcomes, failures := make([]ledger.Outcome, writers), make([]error, writers)
	var all sync.WaitGroup
	begun := make(chan struct{}, writers)
	for i := range writers {
		all.Go(func() {
			begun <- struct{}{}
			outcomes[i], failures[i] = c.ledger.Submit(c.Context(), hallAdmin, certificate.Name, certificate.TypePublish, command(c, fmt.Sprintf("renew-%d", i), certificateType(fmt.Sprintf("renew-%d", i))))
		})
		if i == writers/2 {
			for range writers / 2 {
				<-begun
			}
			c.replace(filepath.Join(dir, "signcerts", old[0].Name()), fresh.certificate) // its key is not there yet
			c.files.Look()
			c.replace(filepath.Join(dir, "keystore", "renewed_sk"), fresh.key)
			c.files.Look()
		}
	}
	all.Wait()
	for i := range writers {
		require.NoError(c, failures[i])
		require.Equal(c, ledger.Committed, outcomes[i].State, "%v", outcomes[i].Fault)
	}
	after := c.submit("renew-after", certificate.Name, certificate.TypePublish, certificateType("renew-after"))
	require.Equal(c, ledger.Committed, after.State)
	require.Equal(c, string(fresh.certificate), string(c.signedBy(after)), "signed by the new certificate")

	// what is not sound is left alone
	c.replace(filepath.Join(dir, "signcerts", old[0].Name()), []byte("half a certificate"))
	c.files.Look()
	require.Equal(c, ledger.Committed, c.submit("renew-half", certificate.Name, certificate.TypePublish, certificateType("renew-half")).State)
}

// inHardware moves the hall administrator's key into a token: no file has it any more.
func inHardware(c *city) {
	token := softhsm.New(c.T)
	fresh := c.enrol()
	token.Import(fresh.key, "hall-admin", "0a")
	dir := c.TempDir()
	require.NoError(c, os.MkdirAll(filepath.Join(dir, "signcerts"), 0o700))
	require.NoError(c, os.WriteFile(filepath.Join(dir, "signcerts", "cert.pem"), fresh.certificate, 0o600))
	settings := token.PKCS11
	settings.Label = "hall-admin"
	c.with(config.Identity{MSPDir: dir, Key: &config.Key{PKCS11: &settings}}, func() {
		outcome := c.submit("in-hardware", certificate.Name, certificate.TypePublish, certificateType("in-hardware"))
		require.Equal(c, ledger.Committed, outcome.State, "%v", outcome.Fault)
		require.Equal(c, string(fresh.certificate), string(c.signedBy(outcome)))
	})
}
