package material_test

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/material"
)

// writingSink lets somebody write to the file as it is being read.
type writingSink struct{ meanwhile func() }

func (s writingSink) Create(string) (io.WriteCloser, error) { return s, nil }
func (s writingSink) Write(p []byte) (int, error)           { s.meanwhile(); return len(p), nil }
func (s writingSink) Close() error                          { return nil }

// A file that somebody writes to meanwhile is not saved: what was read may be
// half of one state and half of another.
func TestTornFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	for name, meanwhile := range map[string]func() error{
		"grows":   func() error { return os.WriteFile(file, make([]byte, 1000), 0o666) },
		"shrinks": func() error { return os.Truncate(file, 5) },
		"changes": func() error {
			if err := os.WriteFile(file, []byte("other byte"), 0o666); err != nil {
				return err
			}
			return os.Chtimes(file, time.Time{}, time.Unix(2, 0)) // ticks may be coarse
		},
		"": func() error { _, err := os.ReadFile(file); return err },
	} {
		for how, save := range map[string]func(s material.Sink) error{
			"File": func(s material.Sink) error { return material.File{}.Save(t.Context(), s, material.Path(file)) },
			"Dir":  func(s material.Sink) error { return material.Dir{}.Save(t.Context(), s, material.Path(dir)) },
			"FS":   func(s material.Sink) error { return material.Dir{}.Save(t.Context(), s, fs.FS(os.DirFS(dir))) },
		} {
			if err := os.WriteFile(file, []byte("some bytes"), 0o666); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(file, time.Time{}, time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
			err := save(writingSink{func() {
				if err := meanwhile(); err != nil {
					t.Fatal(err)
				}
			}})
			if name == "" && err != nil {
				t.Errorf("%s, nobody writes: %v", how, err)
			}
			if name != "" && (err == nil || !strings.Contains(err.Error(), "f: another process wrote to it")) {
				t.Errorf("%s, the file %s: %v", how, name, err)
			}
		}
	}
}
