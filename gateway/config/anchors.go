package config

import "path/filepath"

// Anchors says where jobs that anchor records find them and keep what their proofs need.
type Anchors struct {
	// Archive is a folder with the records, the trees over them and the secret of their salts. By default it is anchors in the
	// data folder. Several gateways of an organisation, and hutong exchange anchor, may use one on a shared disk.
	Archive string `yaml:"archive,omitempty"`
	// Inbox is a folder with a folder for each agency, in which it puts the files that are to be anchored; without it only
	// departments' databases are.
	Inbox string `yaml:"inbox,omitempty"`
}

func (a *Anchors) fill(data string) { fill(&a.Archive, filepath.Join(data, "anchors")) }
