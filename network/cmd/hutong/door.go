package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/hutong-gov/hutong/gateway/client"
)

// tokenVariable has the access token: not a flag, because other users of a machine see a process's arguments.
const tokenVariable = "HUTONG_TOKEN"

// door is how a command reaches a gateway.
type door struct{ gateway, root, tokenFile string }

func (d *door) flags(flags *pflag.FlagSet) {
	flags.StringVar(&d.gateway, "gateway", "", "`address` of the organisation's gateway")
	flags.StringVar(&d.root, "root", "", "PEM `file` with the root of the gateway's TLS certificate (default: the system's)")
	flags.StringVar(&d.tokenFile, "token-file", "", "`file` with the access token; it is read again for each request, so that it can be renewed")
}

// client calls the gateway with the caller's token.
func (d *door) client() (*client.Client, error) {
	c, err := d.anonymous()
	if err != nil {
		return nil, err
	}
	if d.tokenFile != "" {
		_, err := tokenFile(d.tokenFile).Token(context.Background())
		return c.As(tokenFile(d.tokenFile)), err
	}
	token := strings.TrimSpace(os.Getenv(tokenVariable))
	if token == "" {
		return nil, fmt.Errorf("no access token: set %s, or use --token-file", tokenVariable)
	}
	return c.As(client.Token(token)), nil
}

// anonymous calls the gateway without a token.
func (d *door) anonymous() (*client.Client, error) {
	var roots *x509.CertPool
	if d.root != "" {
		text, err := os.ReadFile(d.root)
		if err != nil {
			return nil, err
		}
		if roots, err = client.Roots(text); err != nil {
			return nil, err
		}
	}
	return client.New(d.gateway, roots, nil)
}

// tokenFile is a file with an access token.
type tokenFile string

// Token implements client.TokenSource.
func (f tokenFile) Token(context.Context) (string, error) {
	text, err := os.ReadFile(string(f))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fmt.Errorf("%s has no access token", string(f))
	}
	return token, nil
}
