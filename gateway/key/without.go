//go:build !cgo

package key

import (
	"crypto"
	"errors"
	"io"

	"github.com/hutong-gov/hutong/gateway/config"
)

// Supported says whether this program was built with PKCS#11.
const Supported = false

// errWithout is what a program says that was built without.
var errWithout = errors.New("pkcs11: this program was built without PKCS#11, which needs a C compiler; build it with CGO_ENABLED=1 make build")

// HSM is a key in a hardware security module; in a program built without cgo there is none.
type HSM struct{}

// OpenHSM fails.
func OpenHSM(config.PKCS11, crypto.PublicKey) (*HSM, error) { return nil, errWithout }

// Public gives no key.
func (*HSM) Public() crypto.PublicKey { return nil }

// Sign fails.
func (*HSM) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errWithout }

// Close does nothing.
func (*HSM) Close() error { return nil }
