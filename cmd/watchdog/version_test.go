package main

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDescribeBuild(t *testing.T) {
	b := describeBuild(nil)
	assert.Equal(t, "devel", b.version)
	assert.Equal(t, "unknown", b.commit)

	info := &debug.BuildInfo{
		Main:     debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}},
	}
	b = describeBuild(info)
	assert.Equal(t, "v1.2.3", b.version)
	assert.Equal(t, "abc+dirty", b.commit)

	info.Main.Version, info.Settings[1].Value = "(devel)", "false"
	b = describeBuild(info)
	assert.Equal(t, "devel", b.version)
	assert.Equal(t, "abc", b.commit)
}

func TestWhatIsLinkedGoesFirst(t *testing.T) {
	linkedVersion, linkedCommit = "v1.2.3", "abc"
	t.Cleanup(func() { linkedVersion, linkedCommit = "", "" })
	b := thisBuild()
	assert.Equal(t, "v1.2.3", b.version)
	assert.Equal(t, "abc", b.commit)
}
