// Package deploy takes chaincodes through Fabric's lifecycle: package,
// install, approve, commit. Chaincode runs as a service: a package holds only
// where an organisation's own server listens and under which root its TLS
// certificate stands, so every organisation has a package, and a package id,
// of its own.
//
// Deploying is idempotent. It compares what the manifest says with what the
// channel has committed, and:
//
//	committed as the manifest says, package approved    → nothing
//	committed as the manifest says, own package differs → approve again, same sequence
//	policy or version differs, or not committed         → approve and commit the next sequence
package deploy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/hyperledger/fabric-admin-sdk/pkg/chaincode"

	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/topology"
)

// packageType is what the external builder looks for.
const packageType = "ccaas"

// dialTimeout is how long a peer tries to reach a chaincode server.
const dialTimeout = "10s"

// Package is an installable chaincode package of one organisation.
type Package struct {
	ID    string
	Label string
	Bytes []byte
}

type metadata struct {
	Type  string `json:"type"`
	Label string `json:"label"`
}

// connection is the content of connection.json as the peer reads it.
type connection struct {
	Address            string `json:"address"`
	DialTimeout        string `json:"dial_timeout"`
	TLSRequired        bool   `json:"tls_required"`
	ClientAuthRequired bool   `json:"client_auth_required"`
	RootCert           string `json:"root_cert"`
}

// NewPackage makes an organisation's package of the chaincode at an index of
// the manifest. The same topology and roots give the same bytes, hence the
// same id, everywhere and always.
func NewPackage(t *topology.Topology, l material.Layout, org topology.Organisation, index int) (Package, error) {
	cc := t.Chaincodes[index]
	root, err := os.ReadFile(l.Public(org).TLSRoot())
	if err != nil {
		return Package{}, fmt.Errorf("package %s: %w", cc.Name, err)
	}
	conn, err := json.Marshal(connection{
		Address: topology.Address(t.ChaincodePort(org, index)), DialTimeout: dialTimeout,
		TLSRequired: true, RootCert: string(root),
	})
	if err != nil {
		return Package{}, err
	}
	label := cc.Name + "_" + cc.Version
	meta, err := json.Marshal(metadata{Type: packageType, Label: label})
	if err != nil {
		return Package{}, err
	}
	code, err := archive([]file{{"connection.json", conn}})
	if err != nil {
		return Package{}, err
	}
	whole, err := archive([]file{{"metadata.json", meta}, {"code.tar.gz", code}})
	if err != nil {
		return Package{}, err
	}
	return Package{ID: chaincode.GetPackageID(label, whole), Label: label, Bytes: whole}, nil
}

type file struct {
	name    string
	content []byte
}

// archive packs files into a tar.gz that depends on nothing but their names
// and contents: no clock, no owner, no mode of the machine.
func archive(files []file) ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	pack := tar.NewWriter(zip)
	for _, f := range files {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: f.name, Size: int64(len(f.content)), Mode: 0o644,
			ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR,
		}
		if err := pack.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := pack.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := pack.Close(); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
