//go:build unix

package tree

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A named pipe in the place of a directory does not make anything wait: every
// directory is opened by package beneath.
func TestPipeForADirectory(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Clean(t.Context(), pipe, false, func(l Leftover) { t.Errorf("%+v", l) }); err == nil {
		t.Error("a pipe was cleaned as a directory")
	}
	if err := (&destination{dir: pipe}).open(); err == nil {
		t.Error("a pipe was opened as a directory")
	}
	for _, dir := range []string{".", "../..", "../../cache", "../cachestore", "../../material"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			if src, err := os.ReadFile(file); err != nil || !strings.HasSuffix(file, "_test.go") && (bytes.Contains(src, []byte("os.OpenRoot(")) || bytes.Contains(src, []byte(".OpenRoot(")) && !bytes.Contains(src, []byte("beneath.OpenRoot("))) {
				t.Errorf("%s: %v, or it opens an os.Root itself", file, err)
			}
		}
	}
}
