package material

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Modes of what is written. Folders are closed to others, since most hold
// secrets.
const (
	secretFile fs.FileMode = 0o600
	publicFile fs.FileMode = 0o644
	folderMode fs.FileMode = 0o700
)

// Write puts a file in place whole: readers see the old content or the new.
func Write(file string, content []byte, mode fs.FileMode) error {
	return write(file, content, mode, false)
}

// write is Write; with durable the content is on the disk before its name is.
func write(file string, content []byte, mode fs.FileMode, durable bool) error {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(dir, "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // fails once renamed, as it should
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(mode))
	if durable {
		err = errors.Join(err, temporary.Sync())
	}
	if err = errors.Join(err, temporary.Close()); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return os.Rename(temporary.Name(), file)
}

// WriteIfChanged is Write for a derived file, left alone if it is up to date.
func WriteIfChanged(file string, content []byte, mode fs.FileMode) error {
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, content) {
		return nil
	}
	return Write(file, content, mode)
}

// kept is a file's content; the file is made only if it is not there. A
// certificate's file that is empty is one that a power cut has left behind, and
// is made again; a key is never made anew under a name that has one.
func kept(file string, mode fs.FileMode, make func() ([]byte, error)) ([]byte, error) {
	content, err := os.ReadFile(file)
	if err == nil && len(content) > 0 {
		return content, nil
	}
	if err == nil && mode == secretFile {
		return nil, fmt.Errorf("%s is empty: restore it from a backup", file)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if content, err = make(); err != nil {
		return nil, err
	}
	// A key cannot be made again: a power cut must not empty it. What can be
	// made again is left to the system's own pace.
	return content, write(file, content, mode, mode == secretFile)
}

// keep makes sure that a file holds this content. Another content is an error
// and not overwritten: roots and public keys are known to others by now.
func keep(file string, content []byte, mode fs.FileMode) error {
	have, err := kept(file, mode, func() ([]byte, error) { return content, nil })
	if err == nil && !bytes.Equal(have, content) {
		return fmt.Errorf("%s differs from what it was made from: restore it from the same backup as its key, or remove the network with `hutong down --purge`", file)
	}
	return err
}

// keptKey is the ECDSA key in a file, made if it is not there.
func keptKey(file string) (crypto.Signer, error) {
	text, err := kept(file, secretFile, func() ([]byte, error) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		return encodeKey(key)
	})
	if err != nil {
		return nil, err
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: must be an ECDSA key, is %T", file, key)
	}
	return signer, nil
}

// keptCertificate is the certificate in a file, made if it is not there. One
// of another key is refused: halves of two backups do not make a pair.
func keptCertificate(file string, key crypto.Signer, issue func() ([]byte, error)) (*x509.Certificate, []byte, error) {
	text, err := kept(file, publicFile, issue)
	if err != nil {
		return nil, nil, err
	}
	cert, err := parseCertificate(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	if public, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(key.Public()) {
		return nil, nil, fmt.Errorf("%s is not the certificate of the key it stands beside: restore both from one backup", file)
	}
	return cert, text, nil
}

func encodeKey(key any) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func parseKey(text []byte) (any, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("must hold one PEM block PRIVATE KEY")
	}
	return x509.ParsePKCS8PrivateKey(block.Bytes)
}

// parseExchangeKey reads an ECDH key. PKCS#8 has one identifier for ECDSA and
// ECDH on a curve, so the parser gives the former.
func parseExchangeKey(text []byte) (*ecdh.PrivateKey, error) {
	key, err := parseKey(text)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("must be a P-256 key, is %T", key)
	}
	return signer.ECDH()
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("must hold a PEM block CERTIFICATE")
	}
	return x509.ParseCertificate(block.Bytes)
}

// ReadCertificate reads the certificate in a PEM file.
func ReadCertificate(file string) (*x509.Certificate, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	cert, err := parseCertificate(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return cert, nil
}
