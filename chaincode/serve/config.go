package serve

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// MaxServers bounds the chaincodes one process hosts.
const MaxServers = 16

// Config is the configuration file of a chaincode server, JSON:
//
//	{"servers":[{"contract":"exchange","address":"127.0.0.1:7052","ccid":"exchange_1:9f2c…"}],
//	 "tls_cert":"server.crt","tls_key":"server.key"}
//
// Paths are relative to the folder the server runs in.
type Config struct {
	Servers     []Server `json:"servers"`
	TLSCert     string   `json:"tls_cert"`                // PEM file
	TLSKey      string   `json:"tls_key"`                 // PEM file
	TLSClientCA string   `json:"tls_client_ca,omitempty"` // PEM file; set: only peers with a certificate of this CA may connect
}

// Server is one chaincode on one port.
type Server struct {
	Contract string `json:"contract"` // which of the contracts in the program
	Address  string `json:"address"`  // host:port to listen on
	CCID     string `json:"ccid"`     // the package id, label:hash, under which the peer knows it
}

// ReadConfig reads a configuration file strictly.
func ReadConfig(path string) (Config, error) {
	var config Config
	raw, err := os.ReadFile(path)
	if err != nil {
		return config, err
	}
	if err := canonical.Decode(raw, &config); err != nil {
		return config, fmt.Errorf("%s: %w", path, plain(err))
	}
	if err := config.validate(); err != nil {
		return config, fmt.Errorf("%s: %w", path, err)
	}
	return config, nil
}

// plain words a fault of decoding for whoever wrote the file.
func plain(err error) error {
	var f *fault.Fault
	if errors.As(err, &f) {
		if f.Field == "" {
			return fmt.Errorf("%s: %s", f.Rule, f.Detail)
		}
		return fmt.Errorf("%s: %s: %s", f.Field, f.Rule, f.Detail)
	}
	return err
}

func (c Config) validate() error {
	switch {
	case len(c.Servers) == 0 || len(c.Servers) > MaxServers:
		return fmt.Errorf("servers: list between 1 and %d", MaxServers)
	case c.TLSCert == "":
		return errors.New("tls_cert: name the PEM file of the server's certificate")
	case c.TLSKey == "":
		return errors.New("tls_key: name the PEM file of the server's key")
	}
	taken := map[string]string{}
	for i, s := range c.Servers {
		field := fmt.Sprintf("servers[%d]", i)
		if s.Contract == "" {
			return errors.New(field + ".contract: name a contract")
		}
		if s.CCID == "" {
			return errors.New(field + ".ccid: give the package id the peer answered when the package was installed")
		}
		if _, port, err := net.SplitHostPort(s.Address); err != nil || port == "" {
			return errors.New(field + ".address: give host:port")
		}
		for _, own := range []string{"address " + s.Address, "ccid " + s.CCID} {
			if other, twice := taken[own]; twice {
				return fmt.Errorf("%s: has the %s of %s", field, own, other)
			}
			taken[own] = field
		}
	}
	return nil
}
