package registry

import (
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/material"
)

// sink is the material.Sink of a save. A materializer writes files to it, and it
// passes them on to a chunk.Writer.
type sink struct {
	w        *chunk.Writer
	r        *Registry
	left     []LeftOut
	private  int                 // files and directories that only their owner may read
	expected map[string]expected // by name of the file
}

// expected is the digest that a file must have in the end. If it has another one,
// the save fails with err.
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

// Create implements material.Sink.
func (s *sink) Create(name string) (io.WriteCloser, error) { return s.create(name, false) }

// CreateExec implements material.TreeSink.
func (s *sink) CreateExec(name string) (io.WriteCloser, error) { return s.create(name, true) }

func (s *sink) create(name string, exec bool) (io.WriteCloser, error) {
	w, err := s.w.Create(name, exec)
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Symlink implements material.TreeSink.
func (s *sink) Symlink(target, name string) error {
	if err := manifest.ValidLink(name, target); err != nil {
		return fmt.Errorf("%w; mindreg save -L (--dereference; in Go: WithDereference) saves what links lead to in their place", err)
	}
	return s.w.Add(manifest.File{Path: name, Link: target})
}

// Mkdir implements material.TreeSink.
func (s *sink) Mkdir(name string) error { return s.w.Add(manifest.File{Path: name, Dir: true}) }

// Expect implements material.Expecter.
func (s *sink) Expect(name string, sum [sha256.Size]byte, err error) {
	if s.expected == nil {
		s.expected = map[string]expected{}
	}
	s.expected[name] = expected{sum, err}
}

// checkExpected compares the digests of the stored files with the expected ones.
func (s *sink) checkExpected(files []manifest.File) error {
	for i := range files {
		if e, ok := s.expected[files[i].Path]; ok && e.sum != files[i].SHA256 {
			return e.err
		}
	}
	return nil
}
