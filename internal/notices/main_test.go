package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every module that the command records as linked is named, with a licence.
func TestEveryLinkedModuleHasItsLicence(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	var out bytes.Buffer
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	modules, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "./cmd/mindreg").Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(modules)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		n++
		_, after, found := strings.Cut(out.String(), "\n"+line+"\n\n")
		text, _, _ := strings.Cut(after, "\n"+strings.Repeat("=", 80))
		if !found || !strings.Contains(strings.ToLower(text), "copyright") {
			t.Errorf("%s has no licence there", line)
		}
	}
	if n < 10 || !strings.Contains(out.String(), "The Go Authors") {
		t.Errorf("%d packages of others; %d bytes", n, out.Len())
	}
}

// A module without a licence is an error. The licence of a package counts, and
// a text that is there twice is printed once.
func TestLicencesOfAModule(t *testing.T) {
	dir := t.TempDir()
	below := filepath.Join(dir, "below")
	if err := os.Mkdir(below, 0o777); err != nil {
		t.Fatal(err)
	}
	m := module{"example.com/m v1.0.0", map[string]bool{dir: true, below: true}}
	if err := os.WriteFile(filepath.Join(dir, "license.go"), []byte("package m\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if text, err := licences(m); err == nil {
		t.Errorf("no licence: %q", text)
	}
	for path, text := range map[string]string{filepath.Join(below, "LICENSE.txt"): "one\r\n", filepath.Join(dir, "COPYING"): "one\n\n", filepath.Join(dir, "NOTICE"): "two"} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := licences(m); err != nil || string(text) != "one\n\ntwo\n" {
		t.Errorf("%q, %v", text, err)
	}
}
