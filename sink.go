package registry

import (
	"io"
	"os"

	"github.com/mindtrace/registry/chunk"
	"github.com/mindtrace/registry/manifest"
	"github.com/mindtrace/registry/material"
)

// sink lets a materializer write into a chunk.Writer.
type sink struct {
	w       *chunk.Writer
	private int // files and directories that only their owner may read
}

var (
	_ material.TreeSink    = (*sink)(nil)
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
	return s.w.Add(manifest.File{Path: name, Link: target})
}

func (s *sink) Mkdir(name string) error { return s.w.Add(manifest.File{Path: name, Dir: true}) }

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
