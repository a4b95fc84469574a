package ledger

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/key"
	"github.com/hutong-gov/hutong/gateway/reload"
	"github.com/hutong-gov/hutong/network/block"
)

// member is one identity of this organisation with its view of the channel. It is immutable and shared by all requests. A
// renewed certificate makes a new one; what is under way goes on with the old.
type member struct {
	creator []byte // serialized identity
	sign    identity.Sign
	gateway *client.Gateway
	network *client.Network
	channel string
	expires time.Time
	hsm     *key.HSM // nil for a key in a file
}

// held is a member as its files have it now.
type held = reload.Value[*member]

// hold reads an identity and keeps it current. What does not fit the configuration is not taken: a certificate that has
// ended or is another's, or a key that is not the certificate's.
func (l *Ledger) hold(files *reload.Set, id config.Identity) (*held, error) {
	signs, keys := filepath.Join(id.MSPDir, "signcerts"), filepath.Join(id.MSPDir, "keystore")
	began := false
	return reload.Add(files, "identities."+id.Agency+"."+string(id.Role), func() (*member, error) {
		certificate, err := certificate(signs)
		if err != nil {
			return nil, err
		}
		if err := belongs(certificate, l.msp, id); err != nil {
			return nil, err
		}
		// At the start an identity that has ended does not keep the others from serving; peers say no to it.
		if now := time.Now(); began && (now.Before(certificate.NotBefore) || now.After(certificate.NotAfter)) {
			return nil, errors.New("the certificate is not valid now")
		}
		who, err := l.open(id, certificate, keys)
		if err == nil {
			began = true
			l.mine.add(who)
		}
		return who, err
	}, []string{signs, keys}, reload.Expires(func(m *member) time.Time { return m.expires }))
}

// belongs checks that a certificate is the agency's, in the role.
func belongs(certificate *x509.Certificate, mspID string, id config.Identity) error {
	serialized, err := serialize(mspID, certificate)
	if err != nil {
		return err
	}
	if is := block.IdentityOf(serialized); is.Agency != id.Agency || is.Role != id.Role {
		return fmt.Errorf("the certificate is not that of %s as %s: its attributes agency and role say something else", id.Agency, id.Role)
	}
	return nil
}

// open finds the certificate's key and makes the member.
func (l *Ledger) open(id config.Identity, certificate *x509.Certificate, keys string) (*member, error) {
	var signer crypto.Signer
	var hsm *key.HSM
	var err error
	if id.Key != nil {
		hsm, err = key.OpenHSM(*id.Key.PKCS11, certificate.PublicKey)
		signer = hsm
	} else {
		signer, err = keyOf(certificate, keys)
	}
	if err != nil {
		return nil, err
	}
	sign, err := key.Digests(signer)
	if err != nil {
		return nil, err
	}
	who, err := connect(l.msp, certificate, noting(sign), l.channel, l.peers)
	if err != nil {
		return nil, err
	}
	who.hsm = hsm
	return who, nil
}

// noting marks what a key could not sign.
func noting(sign key.Sign) key.Sign {
	return func(digest []byte) ([]byte, error) {
		signature, err := sign(digest)
		if err != nil {
			return nil, &unsigned{err}
		}
		return signature, nil
	}
}

func connect(mspID string, certificate *x509.Certificate, sign identity.Sign, channel string, connection grpc.ClientConnInterface) (*member, error) {
	id, err := identity.NewX509Identity(mspID, certificate)
	if err != nil {
		return nil, err
	}
	creator, err := serialize(mspID, certificate)
	if err != nil {
		return nil, err
	}
	gw, err := client.Connect(id, client.WithSign(sign), client.WithHash(hash.SHA256), client.WithClientConnection(connection))
	if err != nil {
		return nil, err
	}
	return &member{creator: creator, sign: sign, gateway: gw, network: gw.GetNetwork(channel), channel: channel, expires: certificate.NotAfter}, nil
}

func serialize(mspID string, certificate *x509.Certificate) ([]byte, error) {
	id, err := identity.NewX509Identity(mspID, certificate)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(&msp.SerializedIdentity{Mspid: id.MspID(), IdBytes: id.Credentials()})
}

// close ends a member's use of what it holds.
func (m *member) close() error {
	err := m.gateway.Close()
	if m.hsm != nil {
		err = errors.Join(err, m.hsm.Close())
	}
	return err
}

// certificate reads the one file of a folder signcerts. Tools name it differently.
func certificate(folder string) (*x509.Certificate, error) {
	files, err := filesOf(folder)
	if err != nil {
		return nil, err
	}
	if len(files) != 1 {
		return nil, fmt.Errorf("%s: an MSP folder has exactly one certificate here, not %d", folder, len(files))
	}
	pem, err := os.ReadFile(files[0])
	if err != nil {
		return nil, err
	}
	c, err := identity.CertificateFromPEM(pem)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	return c, nil
}

// keyOf finds the certificate's key among those of a folder keystore: whoever enrols anew often leaves the old one there.
func keyOf(certificate *x509.Certificate, folder string) (crypto.Signer, error) {
	files, err := filesOf(folder)
	if err != nil {
		return nil, err
	}
	var failures []error
	for _, file := range files {
		signer, err := key.File(file)
		switch {
		case err != nil:
			failures = append(failures, err)
		case key.Fits(signer, certificate.PublicKey):
			return signer, nil
		}
	}
	return nil, errors.Join(append(failures, fmt.Errorf("%s: no key in it is the certificate's", folder))...)
}

// filesOf lists a folder's files. What begins with a dot is the bookkeeping of whoever mounts secrets.
func filesOf(folder string) (files []string, err error) {
	entries, err := os.ReadDir(folder)
	for _, entry := range entries {
		if !entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			files = append(files, filepath.Join(folder, entry.Name()))
		}
	}
	return files, err
}

// status asks the peer what became of a transaction. The peer answers at once for a committed one, and otherwise when it
// commits or ctx ends.
func (m *member) status(ctx context.Context, tx string) (follow.Commit, error) {
	request, err := proto.Marshal(&gateway.CommitStatusRequest{ChannelId: m.channel, TransactionId: tx, Identity: m.creator})
	if err != nil {
		return follow.Commit{}, err
	}
	unsigned, err := proto.Marshal(&gateway.SignedCommitStatusRequest{Request: request})
	if err != nil {
		return follow.Commit{}, err
	}
	commit, err := m.gateway.NewCommit(unsigned)
	if err != nil {
		return follow.Commit{}, err
	}
	status, err := commit.StatusWithContext(ctx)
	if err != nil {
		return follow.Commit{}, err
	}
	return follow.Commit{Tx: tx, Block: status.BlockNumber, Code: block.CodeOf(status.Code)}, nil
}
