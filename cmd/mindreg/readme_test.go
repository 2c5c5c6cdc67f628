package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var consoleBlock = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")

// What the README shows of the command is what happens, from the first block
// to the last, in one directory. A command with a comment is run, and what it
// prints is not compared.
func TestConsoleOfREADME(t *testing.T) {
	for _, tool := range []string{"sh", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	noise := make([]byte, 12_000_000)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	for name, body := range map[string][]byte{"model.bin": noise[:1500], "dataset/images.bin": noise[2000:], "dataset/labels.csv": []byte("1,cat\n")} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, body, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("MINDREG_URL", "")
	t.Setenv("XDG_DATA_HOME", filepath.Join(dir, "data"))
	t.Setenv("HOME", filepath.Join(dir, "home"))
	t.Setenv("MINDREG_CACHE_DIR", filepath.Join(dir, "cache"))
	t.Cleanup(func() { exec.Command("mindreg", "cache", "prune", "--all").Run() }) // checkouts are read-only
	n := 0
	for _, block := range consoleBlock.FindAllStringSubmatch(string(text), -1) {
		for _, part := range strings.Split("\n"+strings.TrimSuffix(block[1], "\n"), "\n$ ")[1:] {
			command, want, _ := strings.Cut(part, "\n")
			cmd := exec.Command("sh", "-c", strings.ReplaceAll(command, "/mnt/backup", filepath.Join(dir, "backup")))
			cmd.Dir = dir
			var errs strings.Builder
			cmd.Stderr = &errs
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s: %v\n%s", command, err, errs.String())
			}
			n++
			got := times.ReplaceAllString(strings.TrimSuffix(string(out), "\n"), "TIME")
			got = strings.ReplaceAll(got, dir, "/mnt")
			if want = times.ReplaceAllString(want, "TIME"); got != want && !strings.Contains(command, " # ") {
				t.Errorf("%s prints\n%s\nand the README says\n%s", command, got, want)
			}
		}
	}
	if n < 10 {
		t.Errorf("%d commands", n)
	}
}
