package statement

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Certificates reads the certificates of a channel's organisations from a folder with one folder for each, of its MSP id's
// name, in which ca.pem has the organisation's roots and intermediates: the folder `public` of a network's state is one.
func Certificates(folder string) (map[string][]*x509.Certificate, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*", "ca.pem"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no certificates: expected {MSP id}/ca.pem for each organisation", folder)
	}
	all := make(map[string][]*x509.Certificate, len(files))
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		certificates, err := parse(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all[filepath.Base(filepath.Dir(file))] = certificates
	}
	return all, nil
}

func parse(raw []byte) (all []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, raw = pem.Decode(raw); block == nil {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, certificate)
	}
	if len(all) == 0 {
		return nil, errors.New("no certificate in PEM")
	}
	return all, nil
}

// Majority is how many organisations of a channel must sign where nothing else is said: more than half.
func Majority(organisations int) int { return organisations/2 + 1 }
