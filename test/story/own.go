package story

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/hutong-gov/hutong/gateway/database/throwaway"
	"github.com/hutong-gov/hutong/network"
)

// Own builds the product as it is and describes a network of its own in a folder: other ports and another state folder than
// any that runs, Fabric's binaries those of the checkout, the database that the environment chooses for tests. change, where given, changes the manifest. Nothing is started.
func Own(ctx context.Context, dir string, change func(*network.Options)) (*network.Network, error) {
	bin := filepath.Join(dir, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return nil, err
	}
	const module = "github.com/hutong-gov/hutong/"
	build := exec.CommandContext(ctx, "go", "build", "-o", bin, module+"chaincode/cmd/chaincode", module+"gateway/cmd/gateway", module+"gateway/cmd/devidp")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	standard, err := network.Open(network.Options{State: filepath.Join(dir, "unused")})
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(standard.Options.FabricBin, "peer")); err != nil {
		if err := standard.Run(ctx, network.StageBuild); err != nil {
			return nil, err
		}
	}
	options := network.Options{Topology: standard.Topology, State: filepath.Join(dir, "state"), Bin: bin, FabricBin: standard.Options.FabricBin}
	if shared, err := throwaway.Chosen(); err != nil {
		return nil, err
	} else if shared {
		if options.Database, options.DatabasePassword, _, err = throwaway.PostgreSQL(ctx); err != nil {
			return nil, err
		}
	}
	if change != nil {
		change(&options)
	}
	if options.BasePort, err = network.FreeBasePort(options.Topology); err != nil {
		return nil, err
	}
	return network.Open(options)
}
