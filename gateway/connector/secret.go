package connector

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// maxSecretBytes bounds what is read of a secret's file.
const maxSecretBytes = 4 << 10

// Secret is where a password or token is: never in the definition itself.
type Secret struct {
	File string `yaml:"file,omitempty"` // with the secret alone; relative to the definition's folder
	Env  string `yaml:"env,omitempty"`  // name of a variable in the gateway's environment
}

func (s Secret) given() bool { return s != Secret{} }

func (s Secret) check(member string) error {
	if s.File != "" && s.Env != "" {
		return fmt.Errorf("%s: must name a file or an env, not both", member)
	}
	return nil
}

// read gives the secret; none if none is named.
func (s Secret) read() (string, error) {
	var secret string
	switch {
	case s.File != "":
		text, err := os.ReadFile(s.File)
		if err != nil {
			return "", err
		}
		secret = strings.TrimRight(string(text), "\r\n")
	case s.Env != "":
		secret = os.Getenv(s.Env)
	default:
		return "", nil
	}
	if secret == "" || len(secret) > maxSecretBytes || strings.ContainsAny(secret, "\r\n\x00") {
		return "", errors.New(s.File + s.Env + ": must be the secret alone, in one line")
	}
	return secret, nil
}
