// Package authority runs an organisation's Fabric CA and lets its members enrol
// there. It is the second implementation of material.Issuer: a network whose
// manifest says `identities: fabric-ca` has the same certificates as any other,
// but issued by what production uses, with a registrar, a register of
// identities and revocation.
//
// Every organisation runs a server process of its own, so that no organisation
// comes near another's keys. The process serves two authorities: the default
// one, "tlsca", issues TLS certificates (that of its own listener among them,
// at its first start), the other, "ca", signing certificates. Each makes its key
// itself and keeps it, together with its register, in the organisation's folder:
//
//	organisations/{name}/fabric-ca/
//	  registrar.secret        the registrar's password, for both authorities
//	  server.yaml             configuration of the process and of "tlsca"
//	  ca-cert.pem identities.db msp/    root, register and key of "tlsca"
//	  tls-cert.pem            certificate of the listener
//	  ca/ca.yaml              configuration of "ca"
//	  ca/ca-cert.pem identities.db msp/ root, register and key of "ca"
//
// An enrolment takes two calls: the registrar registers a name under a secret
// drawn for this one enrolment, then the name enrols with it. A name that is
// registered already is given a new secret and one enrolment more. The launcher
// is the registrar; its own key lives as long as the launcher.
package authority

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/node"
	"github.com/hutong-gov/hutong/network/process"
	"github.com/hutong-gov/hutong/network/topology"
)

// Binary is the name of Fabric CA's server program.
const Binary = "fabric-ca-server"

// Kind is the kind of an authority's process.
const Kind = "ca"

// Names of the two authorities of a process.
const (
	signingCA = "ca"
	tlsCA     = "tlsca"
)

// serverMemory is what the server's Go runtime aims to stay under.
const serverMemory = "128MiB"

// callTimeout bounds a call to the server. A password is checked by a slow
// function on purpose, which takes its time on a busy machine.
const callTimeout = 30 * time.Second

// Authority is one organisation's Fabric CA.
type Authority struct {
	topology *topology.Topology
	org      topology.Organisation
	folder   material.MemberFolder
	public   material.PublicFolder
	binary   string
}

// New is the Fabric CA of an organisation, run from a server binary.
func New(t *topology.Topology, l material.Layout, org topology.Organisation, binary string) *Authority {
	return &Authority{topology: t, org: org, folder: l.Organisation(org).Authority(), public: l.Public(org), binary: binary}
}

func (a *Authority) secretFile() string { return a.folder.File("registrar.secret") }

// root is where an authority keeps its own certificate.
func (a *Authority) root(ca string) string {
	if ca == tlsCA {
		return a.folder.File("ca-cert.pem")
	}
	return a.folder.File(filepath.Join(signingCA, "ca-cert.pem"))
}

// Prepare makes what the process needs before its first start. An authority
// whose certificate has gone missing is not started: it would make itself a new
// key, and nothing that was issued before would stand under it.
func (a *Authority) Prepare() error {
	for ca, published := range map[string]string{signingCA: a.public.Root(), tlsCA: a.public.TLSRoot()} {
		if _, err := os.Stat(published); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		if _, err := os.Stat(a.root(ca)); err != nil {
			return fmt.Errorf("%w: the authority's certificate was published as %s; restore the folder from a backup", err, published)
		}
	}
	_, err := material.Secret(a.secretFile())
	return err
}

// Spec says how the process is configured and run. Prepare has been called.
func (a *Authority) Spec() (process.Spec, error) {
	configs, err := a.configs()
	if err != nil {
		return process.Spec{}, err
	}
	return process.Spec{
		Name: a.org.AuthorityProcess(), Kind: Kind, Tier: node.TierAuthority,
		Path: a.binary, Args: []string{"start", "--config", configs[0].Path}, Dir: a.folder.Dir(), Configs: configs,
		// The older form of a token signs neither method nor address.
		Env: append(node.Environment(serverMemory), "FABRIC_CA_SERVER_COMPATIBILITY_MODE_V1_3=false"),
		Ports: []process.Port{
			{Number: a.topology.AuthorityPort(a.org), Purpose: "Fabric CA"},
			{Number: a.topology.AuthorityOperationsPort(a.org), Purpose: "operations"},
		},
		Ready: a.ready,
	}, nil
}

func (a *Authority) ready(ctx context.Context) error {
	for _, ca := range []string{tlsCA, signingCA} {
		c, err := a.client(ca)
		if err != nil {
			return err
		}
		if _, err := c.info(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Version is the server's release as it states it.
func (a *Authority) Version(ctx context.Context) (string, error) {
	c, err := a.client(tlsCA)
	if err != nil {
		return "", err
	}
	info, err := c.info(ctx)
	return info.Version, err
}

// client speaks to one of the two authorities, and only to a server whose
// certificate stands under this organisation's TLS root.
func (a *Authority) client(ca string) (*client, error) {
	roots, err := node.Roots(a.root(tlsCA))
	if err != nil {
		return nil, err
	}
	return &client{
		ca: ca, base: a.topology.AuthorityURL(a.org),
		http: &http.Client{Timeout: callTimeout, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
		}},
	}, nil
}
