package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Offline, a registry that is far away is not asked, what was seen of it can be
// had, and what was not is an error that says so.
func TestOffline(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("MINDREG_CACHE_DIR", filepath.Join(dir, "cache"))
	t.Setenv("MINDREG_URL", "mem://test-offline")
	file := filepath.Join(dir, "model.bin")
	if err := os.WriteFile(file, bytes.Repeat([]byte("0123456789"), 100_000), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		line string
		code int
		says string // on stdout or stderr
	}{
		{"--offline ls", exitNetwork, "registry.json is not in the cache"},
		{"--offline init", exitUsage, "cannot run with --offline"},
		{"--offline doctor", exitUsage, "cannot run with --offline"},
		{"--offline ls", exitNetwork, "registry.json is not in the cache"},
		{"init", exitOK, ""},
		{"save my:model " + file + " --tag prod", exitOK, ""},
		{"save my:model " + file, exitOK, ""},
		{"save other " + file, exitOK, ""},
		{"load my:model@prod " + dir + "/one", exitOK, ""},
		{"ls", exitOK, "other"},
		{"cache ls", exitOK, "incomplete                   0  "}, // the room that was set aside is given back
		{"--offline load my:model@prod " + dir + "/two", exitOK, "may be old"},
		{"--offline load my:model " + dir + "/three", exitOK, "my:model@1.0.0"},
		{"--offline checkout my:model@1.0.0", exitOK, "trees"},
		{"--offline info my:model@1.0.0", exitOK, "1.0.0"},
		{"--offline versions my:model", exitOK, "1.0.0"},
		{"--offline ls", exitOK, "my:model"},
		{"--offline load my:model@1.0.1 " + dir + "/four", exitNetwork, "not in the cache\n  run it without --offline"},
		{"--offline load other " + dir + "/four", exitNetwork, "nothing below objects/other/@/ is in the cache"},
		{"--offline tag set my:model@1.0.0 best", exitNetwork, "offline"},
		{"--offline rm my:model@1.0.0 --force", exitNetwork, "offline"},
		{"--offline save my:model " + file, exitNetwork, "offline"},
		{"--offline cp my:model --to " + dir + "/reg", exitNoRegistry, ""},
		{"--offline gc", exitNetwork, "offline"},
		{"cache prune --all", exitOK, ""},
		{"--offline load my:model@1.0.0 " + dir + "/four", exitNetwork, "registry.json is not in the cache"},
		{"load my:model@1.0.0 " + dir + "/four", exitOK, ""},
	} {
		var stdout, stderr bytes.Buffer
		code := run(strings.Fields(step.line), strings.NewReader(""), &stdout, &stderr)
		if said := stdout.String() + stderr.String(); code != step.code || !strings.Contains(said, step.says) {
			t.Errorf("mindreg %s: exit code %d, want %d and %q:\n%s", step.line, code, step.code, step.says, said)
		}
	}
	for _, name := range []string{"one", "two", "three", "four"} {
		sameOnDisk(t, file, filepath.Join(dir, name))
	}
}
