//go:build cgo

package key

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/pkcs11"

	"github.com/hutong-gov/hutong/gateway/config"
)

// Supported says whether this program was built with PKCS#11.
const Supported = true

// MaxSessions is how many signatures a token makes at once. Others wait for their turn.
const MaxSessions = 8

// HSM is a private key in a hardware security module. It is a crypto.Signer for ECDSA digests, safe for concurrent use. A
// session or a login that was lost (the module restarted, the token was pulled and put back) is made again, once for each
// signature; while the token is away, signing fails.
type HSM struct {
	token  *token
	label  string
	id     []byte
	public *ecdsa.PublicKey

	mu     sync.Mutex
	handle pkcs11.ObjectHandle
	found  login // the login under which handle was found
}

// OpenHSM finds a key by its label or id and makes a trial signature, to see that it is the key of the certificate.
func OpenHSM(p config.PKCS11, certified crypto.PublicKey) (*HSM, error) {
	public, ok := certified.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("pkcs11: the certificate's key is not an ECDSA key")
	}
	id, err := hex.DecodeString(p.ID)
	if err != nil {
		return nil, errors.New("pkcs11: id must be hexadecimal")
	}
	t, err := openToken(p)
	if err != nil {
		return nil, err
	}
	h := &HSM{token: t, label: p.Label, id: id, public: public}
	trial := bytes.Repeat([]byte{0x5a}, crypto.SHA256.Size())
	signature, err := h.Sign(nil, trial, crypto.SHA256)
	if err == nil && !ecdsa.VerifyASN1(public, trial, signature) {
		err = errors.New("pkcs11: the key in the token is not the certificate's")
	}
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// Public is the key's public half.
func (h *HSM) Public() crypto.PublicKey { return h.public }

// Sign implements crypto.Signer; the signature is ASN.1. The random source is the module's own.
func (h *HSM) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) (signature []byte, err error) {
	err = h.token.with(func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle, under login) error {
		object, err := h.object(ctx, session, under)
		if err != nil {
			return err
		}
		if err := ctx.SignInit(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}, object); err != nil {
			return err
		}
		raw, err := ctx.Sign(session, digest)
		if err != nil {
			return err
		}
		half := len(raw) / 2
		signature, err = asn1.Marshal(pair{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pkcs11: %w", err)
	}
	return signature, nil
}

// object finds the key, once for each login.
func (h *HSM) object(ctx *pkcs11.Ctx, session pkcs11.SessionHandle, under login) (pkcs11.ObjectHandle, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.found == under {
		return h.handle, nil
	}
	wanted := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC)}
	if h.label != "" {
		wanted = append(wanted, pkcs11.NewAttribute(pkcs11.CKA_LABEL, h.label))
	}
	if len(h.id) > 0 {
		wanted = append(wanted, pkcs11.NewAttribute(pkcs11.CKA_ID, h.id))
	}
	if err := ctx.FindObjectsInit(session, wanted); err != nil {
		return 0, err
	}
	objects, _, err := ctx.FindObjects(session, 2)
	if err := errors.Join(err, ctx.FindObjectsFinal(session)); err != nil {
		return 0, err
	}
	if len(objects) != 1 {
		return 0, errNotOne(len(objects))
	}
	h.handle, h.found = objects[0], under
	return h.handle, nil
}

func errNotOne(n int) error {
	if n == 0 {
		return errors.New("the token has no EC private key of that label and id")
	}
	return errors.New("the token has several EC private keys of that label and id; name both, or another")
}

// Close gives the key back. The last key of a token logs out.
func (h *HSM) Close() error { return h.token.close() }

// login counts the times a token was logged in to. What was found under one is not good under the next.
type login int

// token is one token of a module, logged in, with its sessions. All keys of a token share one.
//
// Invariants: at most MaxSessions are open; an idle session is one of the current login; the module is finalized only
// while nobody calls it.
type token struct {
	settings config.PKCS11 // without label and id
	module   *module
	seats    chan struct{}

	mu    sync.Mutex
	users int // keys that are open
	slot  uint
	login login // 0 before the first, and raised with each
	lost  bool
	era   int // the module's, at login
	idle  []pkcs11.SessionHandle
}

// module is a loaded library. PKCS#11 knows one for each process, so tokens share it.
type module struct {
	ctx    *pkcs11.Ctx
	path   string
	tokens int
	calls  sync.RWMutex // held for reading while the library is called
	era    int          // counts initializations
}

// open has what is loaded and logged in to in this process.
var open = struct {
	sync.Mutex
	modules map[string]*module
	tokens  map[config.PKCS11]*token
}{modules: map[string]*module{}, tokens: map[config.PKCS11]*token{}}

func openToken(p config.PKCS11) (*token, error) {
	p.Label, p.ID = "", ""
	open.Lock()
	defer open.Unlock()
	if t, ok := open.tokens[p]; ok {
		t.users++
		return t, nil
	}
	m, ok := open.modules[p.Module]
	if !ok {
		ctx := pkcs11.New(p.Module)
		if ctx == nil {
			return nil, fmt.Errorf("pkcs11: %s cannot be loaded as a PKCS#11 module", p.Module)
		}
		if err := ctx.Initialize(); err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
			ctx.Destroy()
			return nil, fmt.Errorf("pkcs11: %s: %w", p.Module, err)
		}
		m = &module{ctx: ctx, path: p.Module, era: 1}
		open.modules[p.Module] = m
	}
	m.tokens++
	t := &token{settings: p, module: m, seats: make(chan struct{}, MaxSessions), users: 1, lost: true}
	open.tokens[p] = t
	return t, nil
}

// close ends the use by one key.
func (t *token) close() error {
	open.Lock()
	defer open.Unlock()
	if t.users--; t.users > 0 {
		return nil
	}
	delete(open.tokens, t.settings)
	m := t.module
	m.calls.Lock()
	defer m.calls.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.login > 0 && t.era == m.era {
		_ = m.ctx.CloseAllSessions(t.slot) // logs out; a token that is away has logged out itself
	}
	if m.tokens--; m.tokens > 0 {
		return nil
	}
	delete(open.modules, m.path)
	err := m.ctx.Finalize()
	m.ctx.Destroy()
	return err
}

// with calls f with a session of the token. If the session proves to be lost, everything is made anew and f called once
// more.
func (t *token) with(f func(*pkcs11.Ctx, pkcs11.SessionHandle, login) error) error {
	t.seats <- struct{}{}
	defer func() { <-t.seats }()
	err := t.once(f)
	if !lost(err) {
		return err
	}
	if err = t.once(f); !lost(err) {
		return err
	}
	if again := t.module.restart(); again != nil {
		return errors.Join(err, again)
	}
	return t.once(f)
}

func (t *token) once(f func(*pkcs11.Ctx, pkcs11.SessionHandle, login) error) error {
	t.module.calls.RLock()
	defer t.module.calls.RUnlock()
	for !t.connected() {
		t.module.calls.RUnlock()
		err := t.reconnect()
		t.module.calls.RLock()
		if err != nil {
			return err
		}
	}
	session, under, err := t.take()
	if err != nil {
		return err
	}
	err = f(t.module.ctx, session, under)
	t.give(session, under, err)
	return err
}

func (t *token) connected() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.lost && t.era == t.module.era
}

// reconnect logs in anew, unless another has. Nobody calls the library meanwhile: it closes sessions, and a module need not
// bear that one is closed while it is used.
func (t *token) reconnect() error {
	t.module.calls.Lock()
	defer t.module.calls.Unlock()
	if t.connected() {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.connect()
}

// take gives a session that is logged in.
func (t *token) take() (session pkcs11.SessionHandle, under login, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.idle); n > 0 {
		session, t.idle = t.idle[n-1], t.idle[:n-1]
		return session, t.login, nil
	}
	session, err = t.module.ctx.OpenSession(t.slot, pkcs11.CKF_SERIAL_SESSION)
	if lost(err) {
		t.lost = true
	}
	return session, t.login, err
}

// give takes a session back, or gives them all up if the login is lost.
func (t *token) give(session pkcs11.SessionHandle, under login, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case under != t.login: // another has logged in anew meanwhile
	case lost(err):
		t.lost, t.idle = true, nil
	default: // also after an error: closing the last session would log out
		t.idle = append(t.idle, session)
	}
}

// connect finds the token by its label and logs in.
func (t *token) connect() error {
	ctx := t.module.ctx
	slots, err := ctx.GetSlotList(true)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(slots, func(slot uint) bool {
		info, err := ctx.GetTokenInfo(slot)
		return err == nil && strings.TrimRight(info.Label, " \x00") == t.settings.Token
	})
	if i < 0 {
		return errAway
	}
	pin, err := os.ReadFile(t.settings.PINFile)
	if err != nil {
		return fmt.Errorf("pin_file: %w", err)
	}
	t.slot, t.idle = slots[i], nil
	_ = ctx.CloseAllSessions(t.slot) // of the login before; none is a good answer
	session, err := ctx.OpenSession(t.slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return err
	}
	err = ctx.Login(session, pkcs11.CKU_USER, strings.TrimRight(string(pin), "\r\n"))
	if err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)) {
		return errors.Join(fmt.Errorf("log in to the token: %w", err), ctx.CloseSession(session))
	}
	t.login++
	t.lost, t.era, t.idle = false, t.module.era, append(t.idle, session)
	return nil
}

// restart initializes the library anew: some notice only so that a device has come back.
func (m *module) restart() error {
	m.calls.Lock()
	defer m.calls.Unlock()
	_ = m.ctx.Finalize() // it may have ended by itself
	if err := m.ctx.Initialize(); err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		return err
	}
	m.era++
	return nil
}

// errAway says that the token is not in any slot.
var errAway = errors.New("no slot has a token of that label")

// gone are the answers of a module whose session, login or device is no more.
var gone = []pkcs11.Error{
	pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_USER_NOT_LOGGED_IN, pkcs11.CKR_TOKEN_NOT_PRESENT,
	pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_KEY_HANDLE_INVALID, pkcs11.CKR_OBJECT_HANDLE_INVALID,
	pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED, pkcs11.CKR_GENERAL_ERROR, pkcs11.CKR_SLOT_ID_INVALID, pkcs11.CKR_TOKEN_NOT_RECOGNIZED,
}

func lost(err error) bool {
	return errors.Is(err, errAway) || slices.ContainsFunc(gone, func(e pkcs11.Error) bool { return errors.Is(err, e) })
}
