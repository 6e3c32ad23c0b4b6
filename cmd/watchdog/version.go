package main

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the linker (-X main.linkedVersion=v1.2.3) where the Go command has no checkout to take them from: in an
// image, or in a release that must come out the same everywhere.
var linkedVersion, linkedCommit string

// build tells which watchdog this is.
type build struct {
	version  string // as linked, else of the module, as the Go command stamped it; devel when it could not
	commit   string // as linked, else with +dirty when files were changed; unknown outside a checkout
	goRel    string
	platform string
}

func thisBuild() build {
	info, _ := debug.ReadBuildInfo()
	b := describeBuild(info)
	b.version = cmp.Or(linkedVersion, b.version)
	b.commit = cmp.Or(linkedCommit, b.commit)
	return b
}

// describeBuild is what the Go command stamped, which may be nil.
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
