// Package build knows which build of Hutong this is: one answer for every program.
package build

import "runtime/debug"

// version is set when a release is built: -ldflags "-X github.com/hutong-gov/hutong/chaincode/build.version=v1.2.3".
var version = ""

// Version of the program: the release's, or the commit it was built from.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
				return "development " + setting.Value[:12]
			}
		}
	}
	return "development"
}
