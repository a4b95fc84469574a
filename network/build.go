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

	"github.com/hutong-gov/hutong/network/process"
)

// fabricVersion is the release that network/fabric pins, as its binaries
// state it.
const fabricVersion = "v2.5.9"

const fabricModule = "github.com/hyperledger/fabric"

// fabricBinaries are all that is used of Fabric.
var fabricBinaries = []string{"orderer", "peer"}

// buildWait paces the wait for another launcher that builds into the same
// folder.
const buildWait = 500 * time.Millisecond

var pinned = regexp.MustCompile(`(?m)^(?:require )?\s*` + regexp.QuoteMeta(fabricModule) + ` (v\S+)$`)

// build makes sure that Fabric's binaries are there: given ones are taken as
// they are, our own are built once from the pinned module, and again when the
// pin has moved.
func (n *Network) build(ctx context.Context) (string, error) {
	o := n.Options
	if !o.ownFabric {
		for _, name := range fabricBinaries {
			if err := executable(filepath.Join(o.FabricBin, name)); err != nil {
				return "", fmt.Errorf("%s=%s: %w", FabricBinVariable, o.FabricBin, err)
			}
		}
		return "Fabric binaries given: " + o.FabricBin, nil
	}
	for {
		release, err := process.Lock(o.FabricBin)
		if err == nil {
			defer release()
			break
		}
		if !errors.Is(err, process.ErrLocked) {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(buildWait):
		}
	}
	source := filepath.Join(o.Root, "network", "fabric")
	want, err := pin(source)
	if err != nil && !built(o.FabricBin, "") {
		return "", fmt.Errorf("no Fabric binaries in %s, and no source to build them from (%w): run in a checkout, give --root, or set %s",
			o.FabricBin, err, FabricBinVariable)
	}
	if built(o.FabricBin, want) {
		return "Fabric binaries built already: " + o.FabricBin, nil
	}
	if err := n.compile(ctx, source); err != nil {
		return "", err
	}
	return fmt.Sprintf("Fabric %s built into %s", fabricVersion, o.FabricBin), nil
}

// pin reads which version of Fabric's module the build module requires.
func pin(source string) (string, error) {
	text, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return "", err
	}
	match := pinned.FindSubmatch(text)
	if match == nil {
		return "", fmt.Errorf("%s/go.mod does not require %s", source, fabricModule)
	}
	return string(match[1]), nil
}

// built says whether all binaries are there, built from this version of the
// module; any version will do if it is empty.
func built(dir, version string) bool {
	for _, name := range fabricBinaries {
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
		// The commands are Fabric's own, so Fabric is their main module.
		if info.Main.Path != fabricModule || info.Main.Version != version {
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
func (n *Network) compile(ctx context.Context, source string) error {
	temporary, err := os.MkdirTemp(n.Options.FabricBin, ".build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	packages := make([]string, len(fabricBinaries))
	for i, name := range fabricBinaries {
		packages[i] = fabricModule + "/cmd/" + name
	}
	total, err := packageCount(ctx, source, packages)
	if err != nil {
		return err
	}
	args := append([]string{
		"build", "-v", "-trimpath", "-o", temporary + string(filepath.Separator),
		"-ldflags", "-s -w -X " + fabricModule + "/common/metadata.Version=" + fabricVersion,
	}, packages...)
	command := toolchain(ctx, source, args...)
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
	done := 0
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		line := lines.Text()
		if strings.ContainsAny(line, " :") {
			if !strings.HasPrefix(line, "go: downloading") {
				said = append(said, line)
			}
			continue
		}
		done++
		n.Options.Reporter.Advance(done, total)
	}
	if err := errors.Join(lines.Err(), command.Wait()); err != nil {
		return fmt.Errorf("build Fabric %s in %s: %w\n%s", fabricVersion, source, err, strings.Join(said, "\n"))
	}
	for _, name := range fabricBinaries {
		if err := os.Rename(filepath.Join(temporary, name), filepath.Join(n.Options.FabricBin, name)); err != nil {
			return err
		}
	}
	return nil
}

// packageCount is how many packages a build has to compile at most; the
// modules are downloaded for it.
func packageCount(ctx context.Context, source string, packages []string) (int, error) {
	command := toolchain(ctx, source, append([]string{"list", "-deps"}, packages...)...)
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		return 0, fmt.Errorf("list Fabric's packages in %s: %w\n%s", source, err, problems.String())
	}
	return bytes.Count(out, []byte("\n")), nil
}

func toolchain(ctx context.Context, dir string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly")
	return command
}
