package network

import (
	"bufio"
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/network/authority"
	"github.com/hutong-gov/hutong/network/process"
	"github.com/hutong-gov/hutong/network/topology"
)

// buildWait paces the wait for another launcher that builds into the same
// folder.
const buildWait = 500 * time.Millisecond

// buildFolder begins the name of the folder that a build goes to first.
const buildFolder = ".build-"

// product is what is built of one of Hyperledger's modules. Each is pinned by a
// module of ours that requires it and nothing else.
type product struct {
	name string
	// version is the release as people call it; go.mod may have to pin it by
	// another name.
	version string
	module  string
	// folder, under network/, is our module.
	folder   string
	binaries []string
	// stated is the variable that the linker sets to version, if any.
	stated string
	cgo    bool
}

var fabric = product{
	name: "Fabric", version: "v2.5.9", module: "github.com/hyperledger/fabric", folder: "fabric",
	// All that is used of Fabric.
	binaries: []string{"orderer", "peer"},
	stated:   "github.com/hyperledger/fabric/common/metadata.Version",
}

var fabricCA = product{
	name: "Fabric CA", version: "v1.5.13", module: "github.com/hyperledger/fabric-ca", folder: "fabricca",
	binaries: []string{authority.Binary},
	cgo:      true, // SQLite
}

// build makes sure that all binaries that are not ours are there: given ones
// are taken as they are, others are built once from the pinned modules, and
// again when a pin has moved.
func (n *Network) build(ctx context.Context) (string, error) {
	var wanted []product
	var said []string
	if n.Options.ownFabric {
		wanted = append(wanted, fabric)
	} else {
		for _, name := range fabric.binaries {
			if err := executable(filepath.Join(n.Options.FabricBin, name)); err != nil {
				return "", fmt.Errorf("%s=%s: %w", FabricBinVariable, n.Options.FabricBin, err)
			}
		}
		said = append(said, "Fabric binaries given: "+n.Options.FabricBin)
	}
	if n.Topology.Identities == topology.IdentitiesFabricCA {
		if n.authorityBinary() == filepath.Join(n.ownBinaries(), authority.Binary) {
			wanted = append(wanted, fabricCA)
		} else {
			said = append(said, "Fabric CA given: "+n.authorityBinary())
		}
	}
	if len(wanted) == 0 {
		return strings.Join(said, "; "), nil
	}
	release, err := lockFolder(ctx, n.ownBinaries())
	if err != nil {
		return "", err
	}
	defer release()
	did, err := n.buildAll(ctx, wanted)
	return strings.Join(append(said, did...), "; "), err
}

// ownBinaries is the folder of the binaries built here.
func (n *Network) ownBinaries() string { return filepath.Join(n.Options.Bin, "fabric") }

// authorityBinary is Fabric CA's server: one that was given together with
// Fabric's binaries, else ours.
func (n *Network) authorityBinary() string {
	if given := filepath.Join(n.Options.FabricBin, authority.Binary); !n.Options.ownFabric && executable(given) == nil {
		return given
	}
	return filepath.Join(n.ownBinaries(), authority.Binary)
}

// lockFolder waits for its turn to build into a folder.
func lockFolder(ctx context.Context, folder string) (release func(), err error) {
	for {
		release, err := process.Lock(folder)
		if !errors.Is(err, process.ErrLocked) {
			return release, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(buildWait):
		}
	}
}

// buildAll builds those of the products that are not there yet, telling the
// progress of all together.
func (n *Network) buildAll(ctx context.Context, products []product) ([]string, error) {
	var missing []product
	var said []string
	for _, p := range products {
		source := n.source(p)
		want, err := p.pin(source)
		if err != nil && !p.built(n.ownBinaries(), "") {
			return said, fmt.Errorf("no %s binaries in %s, and no source to build them from (%w): run in a checkout, give --root, or set %s",
				p.name, n.ownBinaries(), err, FabricBinVariable)
		}
		if p.built(n.ownBinaries(), want) {
			said = append(said, fmt.Sprintf("%s binaries built already: %s", p.name, n.ownBinaries()))
			continue
		}
		missing = append(missing, p)
	}
	// What two of them have in common is compiled once.
	packages, done := map[string]bool{}, 0
	for _, p := range missing {
		needed, err := p.packages(ctx, n.source(p))
		if err != nil {
			return said, err
		}
		for _, name := range needed {
			packages[name] = true
		}
	}
	for _, p := range missing {
		advance := func() { done++; n.Options.Reporter.Advance(done, len(packages)) }
		if err := p.compile(ctx, n.source(p), n.ownBinaries(), advance); err != nil {
			return said, err
		}
		said = append(said, fmt.Sprintf("%s %s built into %s", p.name, p.version, n.ownBinaries()))
	}
	return said, nil
}

func (n *Network) source(p product) string {
	return filepath.Join(n.Options.Root, "network", p.folder)
}

// pin reads which version of its module our module requires.
func (p product) pin(source string) (string, error) {
	text, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return "", err
	}
	match := regexp.MustCompile(`(?m)^(?:require )?\s*` + regexp.QuoteMeta(p.module) + ` (v\S+)$`).FindSubmatch(text)
	if match == nil {
		return "", fmt.Errorf("%s/go.mod does not require %s", source, p.module)
	}
	return string(match[1]), nil
}

// built says whether all binaries are there, built from this version of the
// module; any version will do if it is empty.
func (p product) built(dir, version string) bool {
	for _, name := range p.binaries {
		path := filepath.Join(dir, name)
		if executable(path) != nil {
			return false
		}
		if version == "" {
			continue
		}
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return false
		}
		// The commands are the product's own, so it is their main module.
		if info.Main.Path != p.module || info.Main.Version != version {
			return false
		}
	}
	return true
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not an executable file", path)
	}
	return nil
}

// compile builds into a folder beside the target and moves each binary over
// when all are done, so that a binary that exists is a whole one.
func (p product) compile(ctx context.Context, source, target string, advance func()) error {
	// Whoever was interrupted here before is not here any more: the folder is
	// locked.
	left, err := filepath.Glob(filepath.Join(target, buildFolder+"*"))
	if err != nil {
		return err
	}
	for _, folder := range left {
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
	}
	temporary, err := os.MkdirTemp(target, buildFolder)
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	linked := "-s -w"
	if p.stated != "" {
		linked += " -X " + p.stated + "=" + p.version
	}
	args := append([]string{"build", "-v", "-trimpath", "-o", temporary + string(filepath.Separator), "-ldflags", linked}, p.commands()...)
	command := p.toolchain(ctx, source, args...)
	output, err := command.StderrPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	// With -v the toolchain prints the path of every package it compiles;
	// what is not a path is an error worth showing.
	var said []string
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		line := lines.Text()
		if strings.ContainsAny(line, " :") {
			if !strings.HasPrefix(line, "go: downloading") {
				said = append(said, line)
			}
			continue
		}
		advance()
	}
	if err := errors.Join(lines.Err(), command.Wait()); err != nil {
		hint := ""
		if p.cgo {
			hint = " (it needs a C compiler)"
		}
		return fmt.Errorf("build %s %s in %s%s: %w\n%s", p.name, p.version, source, hint, err, strings.Join(said, "\n"))
	}
	for _, name := range p.binaries {
		if err := os.Rename(filepath.Join(temporary, name), filepath.Join(target, name)); err != nil {
			return err
		}
	}
	return nil
}

// packages are those that a build has to compile at most; the modules are
// downloaded for it.
func (p product) packages(ctx context.Context, source string) ([]string, error) {
	command := p.toolchain(ctx, source, append([]string{"list", "-deps"}, p.commands()...)...)
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("list the packages of %s in %s: %w\n%s", p.name, source, err, problems.String())
	}
	return strings.Fields(string(out)), nil
}

func (p product) commands() []string {
	packages := make([]string, len(p.binaries))
	for i, name := range p.binaries {
		packages[i] = p.module + "/cmd/" + name
	}
	return packages
}

func (p product) toolchain(ctx context.Context, dir string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = dir
	cgo := "CGO_ENABLED=0"
	if p.cgo {
		cgo = "CGO_ENABLED=1"
	}
	command.Env = append(os.Environ(), cgo, "GOWORK=off", "GOFLAGS=-mod=readonly")
	return command
}
