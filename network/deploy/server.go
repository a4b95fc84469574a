package deploy

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/node"
	"github.com/hutong-gov/hutong/network/process"
	"github.com/hutong-gov/hutong/network/topology"
)

// KindChaincode is the kind of a chaincode server process.
const KindChaincode = "chaincode"

// serverMemory is what a server's Go runtime aims to stay under.
const serverMemory = "256MiB"

// ServerConfig is the file a chaincode server binary is started with:
// `BINARY --config FILE`. One process serves all of an organisation's
// chaincodes that come from the same binary, each at a port of its own.
type ServerConfig struct {
	Servers []Server `json:"servers"`
	TLSCert string   `json:"tls_cert"`
	TLSKey  string   `json:"tls_key"`
}

// Server is one chaincode that the process serves.
type Server struct {
	// Contract is the chaincode's name in the manifest.
	Contract string `json:"contract"`
	Address  string `json:"address"`
	// CCID is the package id under which the peer knows it.
	CCID string `json:"ccid"`
}

// Servers says how every organisation's chaincode servers are configured and
// run. Binaries is the folder that holds them.
func Servers(t *topology.Topology, l material.Layout, binaries string) ([]process.Spec, error) {
	var specs []process.Spec
	for _, org := range t.Organisations {
		for _, binary := range t.Binaries() {
			spec, err := server(t, l, org, binary, binaries)
			if err != nil {
				return nil, fmt.Errorf("deploy: %s: %w", org.Name, err)
			}
			specs = append(specs, spec)
		}
	}
	return specs, nil
}

func server(t *topology.Topology, l material.Layout, org topology.Organisation, binary, binaries string) (process.Spec, error) {
	folder := l.Organisation(org).Chaincode(binary)
	config := ServerConfig{TLSCert: folder.TLS().Certificate(), TLSKey: folder.TLS().Key()}
	var ports []process.Port
	for i, cc := range t.Chaincodes {
		if cc.Binary != binary {
			continue
		}
		pkg, err := NewPackage(t, l, org, i)
		if err != nil {
			return process.Spec{}, err
		}
		port := t.ChaincodePort(org, i)
		config.Servers = append(config.Servers, Server{Contract: cc.Name, Address: topology.Address(port), CCID: pkg.ID})
		ports = append(ports, process.Port{Number: port, Purpose: cc.Name})
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return process.Spec{}, err
	}
	file := folder.File("config.json")
	roots, err := node.Roots(folder.TLS().Root())
	if err != nil {
		return process.Spec{}, err
	}
	client := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}
	path := filepath.Join(binaries, binary)
	return process.Spec{
		Name: org.ChaincodeProcess(binary), Kind: KindChaincode, Tier: node.TierChaincode,
		Path: path, Args: []string{"--config", file}, Dir: folder.Dir(), Configs: []process.Config{{Path: file, Content: append(text, '\n')}},
		Env: node.Environment(serverMemory), Ports: ports, Versioned: true,
		Ready: func(ctx context.Context) error { return process.Handshake(ctx, client, ports...) },
	}, nil
}
