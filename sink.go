package registry

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/material"
)

// sink lets a materializer write into a chunk.Writer.
type sink struct {
	w        *chunk.Writer
	r        *Registry
	left     []LeftOut
	private  int                 // files and directories that only their owner may read
	expected map[string]expected // by name of the file
}

// expected is the digest that a file must turn out to have, or else the save
// fails with err.
type expected struct {
	sum manifest.Digest
	err error
}

var (
	_ material.TreeSink    = (*sink)(nil)
	_ material.Sieve       = (*sink)(nil)
	_ material.Expecter    = (*sink)(nil)
	_ material.PrivateSink = (*sink)(nil)
)

// Private implements material.PrivateSink.
func (s *sink) Private(string) { s.private++ }

func (s *sink) Create(name string) (io.WriteCloser, error)     { return s.create(name, false) }
func (s *sink) CreateExec(name string) (io.WriteCloser, error) { return s.create(name, true) }

func (s *sink) create(name string, exec bool) (io.WriteCloser, error) {
	w, err := s.w.Create(name, exec)
	if err != nil {
		return nil, err
	}
	return w, nil
}

func (s *sink) Symlink(target, name string) error {
	if err := manifest.ValidLink(name, target); err != nil {
		return fmt.Errorf("%w; mindreg save -L (--dereference; in Go: WithDereference) saves what links lead to in their place", err)
	}
	return s.w.Add(manifest.File{Path: name, Link: target})
}

func (s *sink) Mkdir(name string) error { return s.w.Add(manifest.File{Path: name, Dir: true}) }

// Expect implements material.Expecter.
func (s *sink) Expect(name string, sum [sha256.Size]byte, err error) {
	if s.expected == nil {
		s.expected = map[string]expected{}
	}
	s.expected[name] = expected{sum, err}
}

// checkExpected compares the files that were stored with what was expected.
func (s *sink) checkExpected(files []manifest.File) error {
	for i := range files {
		if e, ok := s.expected[files[i].Path]; ok && e.sum != files[i].SHA256 {
			return e.err
		}
	}
	return nil
}

// sizeOf tells how many bytes a value will have, or 0 if only saving shows.
func sizeOf(v any) int64 {
	switch v := v.(type) {
	case []byte:
		return int64(len(v))
	case string:
		return int64(len(v))
	case Path:
		if fi, err := os.Stat(string(v)); err == nil && fi.Mode().IsRegular() {
			return fi.Size()
		}
	}
	return 0
}
