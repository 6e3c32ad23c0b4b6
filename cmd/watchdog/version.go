package main

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// build tells which watchdog this is.
type build struct {
	version  string // of the module, as the Go command stamped it; devel when it could not
	commit   string // with +dirty when files were changed; unknown outside a checkout
	goRel    string
	platform string
}

func thisBuild() build {
	info, _ := debug.ReadBuildInfo()
	return describeBuild(info)
}

// describeBuild is thisBuild of the given information, which may be nil.
func describeBuild(info *debug.BuildInfo) build {
	b := build{version: "devel", commit: "unknown", goRel: runtime.Version(),
		platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		return b
	}
	if info.Main.Version != "(devel)" {
		b.version = cmp.Or(info.Main.Version, b.version)
	}
	stamped := make(map[string]string)
	for _, s := range info.Settings {
		stamped[s.Key] = s.Value
	}
	b.commit = cmp.Or(stamped["vcs.revision"], b.commit)
	if stamped["vcs.modified"] == "true" {
		b.commit += "+dirty"
	}
	return b
}

func (b build) String() string {
	return fmt.Sprintf("watchdog %s\ncommit   %s\ngo       %s\nplatform %s\n", b.version, b.commit, b.goRel, b.platform)
}

func runVersion(_ context.Context, c *command) int {
	if status, ok := c.parse(c.flags(), 0, 0); !ok {
		return status
	}
	fmt.Fprint(c.stdout, thisBuild())
	return exitOK
}
