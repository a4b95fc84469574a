package process

import (
	"debug/buildinfo"
	"strings"
)

// revisionLength is how much of a commit's name is shown.
const revisionLength = 12

// BinaryVersion is the version that the Go toolchain wrote into a binary: its
// module version, or the commit it was built from. Empty if there is neither.
func BinaryVersion(path string) string {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return ""
	}
	version := info.Main.Version
	if version != "" && version != "(devel)" {
		return version
	}
	var revision, modified string
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			revision = setting.Value
		case "vcs.modified":
			if setting.Value == "true" {
				modified = "+changes"
			}
		}
	}
	if revision == "" {
		return strings.Trim(version, "()")
	}
	return revision[:min(revisionLength, len(revision))] + modified
}
