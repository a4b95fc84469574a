package process

import (
	"context"
	"debug/buildinfo"
	"os/exec"
	"strings"
	"time"
)

// versionTimeout bounds the wait for a binary to print its version.
const versionTimeout = 2 * time.Second

// binaryVersion is the version that a binary of ours prints: "NAME VERSION …".
// One that prints none has that of its module, as the toolchain wrote it.
func binaryVersion(path string) string {
	ctx, cancel := context.WithTimeout(context.Background(), versionTimeout)
	defer cancel()
	if out, err := exec.CommandContext(ctx, path, "--version").Output(); err == nil {
		if words := strings.Fields(string(out)); len(words) > 1 {
			return words[1]
		}
	}
	if info, err := buildinfo.ReadFile(path); err == nil {
		return strings.Trim(info.Main.Version, "()")
	}
	return ""
}
