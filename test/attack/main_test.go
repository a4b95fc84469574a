package attack

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/catalogue"
	"github.com/hutong-gov/hutong/test/departments"
	"github.com/hutong-gov/hutong/test/story"
)

// victim is the network of the package's tests; nil with -short.
var victim *network.Network

// devices is the folder of the citizens' keys.
var devices string

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		os.Exit(m.Run())
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "hutong-attack-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	n, err := story.Own(ctx, dir, nil)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, n.Down(ctx, network.Purge)) }()
	if err := story.Prepare(ctx, n, departments.Generate()); err != nil {
		return 1, err
	}
	if err := n.Up(ctx); err != nil {
		return 1, err
	}
	c, err := catalogue.Default()
	if err != nil {
		return 1, err
	}
	if _, err := c.Active().Load(ctx, story.NewLive(n).Admin, catalogue.Options{}); err != nil {
		return 1, err
	}
	victim, devices = n, filepath.Join(dir, "devices")
	return m.Run(), nil
}
