//go:build unix

package material_test

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func makeFIFO(t *testing.T, dir string) string {
	p := filepath.Join(dir, "sub", "pipe")
	if err := unix.Mkfifo(p, 0o600); err != nil {
		t.Skip(err)
	}
	return p
}
