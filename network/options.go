package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hutong-gov/hutong/network/topology"
)

// FabricBinVariable names the environment variable with the folder of Fabric
// binaries to run instead of those built here.
const FabricBinVariable = "FABRIC_BIN"

// DatabaseVariable and DatabasePasswordVariable name the environment's
// variables with the PostgreSQL database in which all gateways of the network
// keep what they keep, each organisation in schemas of its own, and the file
// with its password. Without them gateways keep SQLite files.
const (
	DatabaseVariable         = "HUTONG_DATABASE"
	DatabasePasswordVariable = "HUTONG_DATABASE_PASSWORD"
)

// module is what the go.mod of a checkout begins with, by which its root is
// found.
const module = "module github.com/hutong-gov/hutong\n"

// Options say which network, and where things are. The zero value is the
// default network of the checkout the caller stands in.
type Options struct {
	// Topology is the network itself; if nil, Manifest is read.
	Topology *topology.Topology
	// Manifest is a manifest file. If empty: that of an existing State folder
	// when State is given, else network/topology.yaml of the checkout, else
	// the one built into the program.
	Manifest string
	// BasePort overrides the manifest's base_port.
	BasePort int
	// Root is the checkout, found by walking up from the working folder.
	Root string
	// State is the network's state folder; {Root}/state/{name} if empty.
	State string
	// Bin is the folder of Hutong's binaries; {Root}/bin if empty.
	Bin string
	// FabricBin is the folder with Fabric's `peer` and `orderer`: the
	// environment's FABRIC_BIN if empty, else {Bin}/fabric, built on demand.
	FabricBin string
	// Database is the gateways' PostgreSQL database, of this network alone: the
	// environment's HUTONG_DATABASE if empty; SQLite files without either.
	Database string
	// DatabasePassword is the file with its password: the environment's
	// HUTONG_DATABASE_PASSWORD if empty.
	DatabasePassword string
	// Until is the last stage that Up runs; all if empty.
	Until Stage
	// Reporter is told about the progress; nobody if nil.
	Reporter Reporter

	// ownFabric says that Fabric's binaries are ours to build.
	ownFabric bool
}

// resolve fills in what is not given and reads the manifest.
func (o Options) resolve() (*topology.Topology, Options, error) {
	if o.Until != "" && !o.Until.known() {
		return nil, o, fmt.Errorf("there is no stage %q: the stages are %v", o.Until, Stages())
	}
	if o.Reporter == nil {
		o.Reporter = silent{}
	}
	if o.Root == "" {
		o.Root = findRoot()
	}
	t, err := o.read()
	if err != nil {
		return nil, o, err
	}
	if o.BasePort != 0 {
		t = t.Clone()
		t.BasePort = o.BasePort
		if err := t.Validate(); err != nil {
			return nil, o, err
		}
	}
	base := o.Root
	if base == "" {
		base = "."
	}
	if o.State == "" {
		o.State = filepath.Join(base, "state", t.Name)
	}
	if o.Database == "" {
		o.Database, o.DatabasePassword = os.Getenv(DatabaseVariable), os.Getenv(DatabasePasswordVariable)
	}
	if o.DatabasePassword != "" {
		if o.DatabasePassword, err = filepath.Abs(o.DatabasePassword); err != nil {
			return nil, o, err
		}
	}
	if o.Bin == "" {
		o.Bin = filepath.Join(base, "bin")
	}
	if o.FabricBin == "" {
		o.FabricBin = os.Getenv(FabricBinVariable)
	}
	if o.FabricBin == "" {
		o.FabricBin, o.ownFabric = filepath.Join(o.Bin, "fabric"), true
	}
	for _, path := range []*string{&o.State, &o.Bin, &o.FabricBin} {
		// Processes run in folders of their own: relative paths would not
		// mean the same there.
		if *path, err = filepath.Abs(*path); err != nil {
			return nil, o, err
		}
	}
	return t, o, nil
}

func (o Options) read() (*topology.Topology, error) {
	if o.Topology != nil {
		return o.Topology, o.Topology.Validate()
	}
	if o.Manifest != "" {
		return topology.Load(o.Manifest)
	}
	var candidates []string
	if o.State != "" {
		candidates = append(candidates, saved(o.State))
	}
	if o.Root != "" {
		candidates = append(candidates, filepath.Join(o.Root, "network", "topology.yaml"))
	}
	for _, file := range candidates {
		t, err := topology.Load(file)
		if !errors.Is(err, fs.ErrNotExist) {
			return t, err
		}
	}
	return DefaultTopology(), nil
}

// findRoot walks up from the working folder to the checkout, if in one.
func findRoot() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && len(text) >= len(module) && string(text[:len(module)]) == module {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// remember keeps the manifest in the state folder, having checked that the
// network there can go on with it.
func (n *Network) remember() error {
	file := saved(n.Options.State)
	old, err := topology.Load(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if err := topology.CheckChange(old, n.Topology); err != nil {
			return err
		}
	}
	return n.save(file)
}
