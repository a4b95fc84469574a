package process

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// stamp identifies what a process is started with: its binary, arguments,
// environment and configuration files, by content. Whatever would make the
// next start differ from the last changes the stamp, and nothing else does: a
// binary built again to the same bytes leaves a running process alone.
func (s Spec) stamp() (string, error) {
	sum := sha256.New()
	binary, err := digests.of(s.Path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.Name, err)
	}
	fmt.Fprintf(sum, "%s\n%q\n%q\n", binary, s.Args, s.settings())
	for _, c := range s.Configs {
		content := c.Content
		if content == nil {
			if content, err = os.ReadFile(c.Path); err != nil {
				return "", fmt.Errorf("%s: %w", s.Name, err)
			}
		}
		fmt.Fprintf(sum, "%q %x\n", c.Path, sha256.Sum256(content))
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// inherited are variables handed on from the launcher's shell: two shells
// differ in them without meaning anything by it.
var inherited = []string{"PATH=", "HOME=", "TMPDIR=", "TZ=", "SSL_CERT_FILE=", "SSL_CERT_DIR="}

func (s Spec) settings() []string {
	var own []string
next:
	for _, variable := range s.Env {
		for _, prefix := range inherited {
			if strings.HasPrefix(variable, prefix) {
				continue next
			}
		}
		own = append(own, variable)
	}
	return own
}

// digests remembers the digest of each file version, since many processes
// share one large binary.
var digests = &digestCache{known: map[fileVersion]string{}}

type fileVersion struct {
	path     string
	size     int64
	modified time.Time
}

type digestCache struct {
	mu    sync.Mutex
	known map[fileVersion]string
}

func (c *digestCache) of(path string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	version := fileVersion{path, info.Size(), info.ModTime()}
	if digest, ok := c.known[version]; ok {
		return digest, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	digest := hex.EncodeToString(sum.Sum(nil))
	c.known[version] = digest
	return digest, nil
}
