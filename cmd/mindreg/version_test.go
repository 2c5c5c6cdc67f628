package main

import (
	"encoding/json"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// The version is that of the build: the one that the linker has set, or else the one
// that Go records.
func TestVersionOfTheBuild(t *testing.T) {
	const hash = "0123456789abcdef0123456789abcdef01234567"
	recorded := &debug.BuildInfo{
		Main: debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: hash},
			{Key: "vcs.time", Value: "2026-11-28T01:00:00+02:00"},
			{Key: "vcs.modified", Value: "true"},
		},
	}
	tail := ", format 1, " + runtime.Version()
	for _, c := range []struct {
		name    string
		info    *debug.BuildInfo
		linked  [3]string // version, commit, date
		human   string
		members string // of the JSON
	}{
		{"nothing recorded", nil, [3]string{}, "mindreg devel" + tail, `"version":"devel"`},
		{"a working copy without git", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, [3]string{}, "mindreg devel" + tail, `"version":"devel"`},
		{
			"a working copy", recorded, [3]string{},
			"mindreg v1.2.3, commit 0123456789ab of 2026-11-27, modified" + tail,
			`"version":"v1.2.3","commit":"` + hash + `","date":"2026-11-27T23:00:00Z","modified":true`,
		},
		{
			"a release", nil, [3]string{"v2.0.0", hash, "2026-11-28T07:00:00Z"},
			"mindreg v2.0.0, commit 0123456789ab of 2026-11-28" + tail,
			`"version":"v2.0.0","commit":"` + hash + `","date":"2026-11-28T07:00:00Z"`,
		},
		{
			"a release from a working copy", recorded, [3]string{"v2.0.0", "fedcba9876543210", "2026-11-28T07:00:00Z"},
			"mindreg v2.0.0, commit fedcba987654 of 2026-11-28, modified" + tail,
			`"version":"v2.0.0","commit":"fedcba9876543210","date":"2026-11-28T07:00:00Z","modified":true`,
		},
	} {
		buildVersion, buildCommit, buildDate = c.linked[0], c.linked[1], c.linked[2]
		v := versionOf(c.info)
		buildVersion, buildCommit, buildDate = "", "", ""
		if v.String() != c.human {
			t.Errorf("%s: %q, want %q", c.name, v, c.human)
		}
		body, err := json.Marshal(v)
		if want := "{" + c.members + `,"format":1,"go":"`; err != nil || !strings.HasPrefix(string(body), want) {
			t.Errorf("%s: %s, %v, want %s", c.name, body, err, want)
		}
	}
}

// A release sets the three variables. The linker ignores names that are not
// there, so a test has to compare them.
func TestReleaseSetsTheVersion(t *testing.T) {
	text, err := os.ReadFile("../../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	variables := map[string]*string{"buildVersion": &buildVersion, "buildCommit": &buildCommit, "buildDate": &buildDate}
	set := regexp.MustCompile(`-X main\.(\w+)=`).FindAllStringSubmatch(string(text), -1)
	for _, m := range set {
		if variables[m[1]] == nil {
			t.Errorf(".goreleaser.yaml sets main.%s, which mindreg version does not read", m[1])
		}
	}
	if len(set) != len(variables) {
		t.Errorf(".goreleaser.yaml sets %d variables of %d", len(set), len(variables))
	}
}
