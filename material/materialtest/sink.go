package materialtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"testing/fstest"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/material"
)

// Sink keeps the streams of one object in memory. It refuses what the sinks of the
// registry refuse. The zero value is an empty object. It is not for several
// goroutines at once.
type Sink struct {
	tree fstest.MapFS
	dirs map[string]bool // those with entries
	open *stream
	err  error // the first rule that was broken

	ctx    context.Context // whose end is that of the sink, or nil
	calls  int             // of Create, Write, Close and so on
	failAt int             // number of the call from which all fail, or 0
	once   bool            // only that one fails
	failed string          // the first call that did
}

var (
	_ material.TreeSink = (*Sink)(nil)
	_ material.Expecter = (*Sink)(nil)
)

// FS returns the object: the files that are closed, links and empty directories.
func (s *Sink) FS() fs.FS { return s.tree }

// Err returns the first rule of material.Sink that the Materializer has broken, or
// nil. A stream that is still open breaks one.
func (s *Sink) Err() error {
	if s.err == nil && s.open != nil {
		return fmt.Errorf("the stream %q was not closed", s.open.name)
	}
	return s.err
}

// Create implements material.Sink.
func (s *Sink) Create(name string) (io.WriteCloser, error) { return s.create(name, 0o666) }

// CreateExec implements material.TreeSink.
func (s *Sink) CreateExec(name string) (io.WriteCloser, error) { return s.create(name, 0o777) }

func (s *Sink) create(name string, mode fs.FileMode) (io.WriteCloser, error) {
	if err := s.add("Create", name, &fstest.MapFile{Mode: mode}); err != nil {
		return nil, err
	}
	s.open = &stream{s: s, name: name}
	return s.open, nil
}

// Expect implements material.Expecter.
func (s *Sink) Expect(name string, sum [sha256.Size]byte, err error) {
	if s.open == nil || s.open.name != name {
		s.broken(fmt.Errorf("something is expected of %q, which is not open", name))
		return
	}
	s.open.expect = func(got [sha256.Size]byte) error {
		if got != sum {
			return err
		}
		return nil
	}
}

// Symlink implements material.TreeSink.
func (s *Sink) Symlink(target, name string) error {
	if err := manifest.ValidLink(name, target); err != nil {
		return s.broken(err)
	}
	return s.add("Symlink", name, &fstest.MapFile{Mode: fs.ModeSymlink | 0o777, Data: []byte(target)})
}

// Mkdir implements material.TreeSink.
func (s *Sink) Mkdir(name string) error {
	return s.add("Mkdir", name, &fstest.MapFile{Mode: fs.ModeDir | 0o777})
}

// add adds an entry, if the rules allow it.
func (s *Sink) add(op, name string, f *fstest.MapFile) error {
	if err := s.call(op + " " + name); err != nil {
		return err
	}
	if s.open != nil {
		return s.broken(fmt.Errorf("%q added while %q is open: write one stream after the other", name, s.open.name))
	}
	if err := manifest.ValidPath(name); err != nil {
		return s.broken(err)
	}
	if s.tree[name] != nil || s.dirs[name] {
		return s.broken(fmt.Errorf("%q added twice", name))
	}
	if s.tree == nil {
		s.tree, s.dirs = fstest.MapFS{}, map[string]bool{}
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if s.tree[dir] != nil {
			return s.broken(fmt.Errorf("%q added below %q, which is not a directory with entries", name, dir))
		}
		s.dirs[dir] = true
	}
	s.tree[name] = f
	return nil
}

func (s *Sink) broken(err error) error {
	if s.err == nil {
		s.err = err
	}
	return err
}

// errInjected is how calls fail that are made to.
var errInjected = errors.New("injected fault")

// call counts a call, and fails it if it is to fail.
func (s *Sink) call(what string) error {
	s.calls++
	if s.ctx != nil && s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	if s.failAt == 0 || s.calls < s.failAt || s.once && s.calls > s.failAt {
		return nil
	}
	if s.failed == "" {
		s.failed = what
	}
	return errInjected
}

// size returns the bytes of all files.
func (s *Sink) size() int {
	n := 0
	for _, f := range s.tree {
		n += len(f.Data)
	}
	return n
}

// stream is a file being written.
type stream struct {
	s    *Sink
	name string
	buf  bytes.Buffer

	expect func(got [sha256.Size]byte) error // or nil
}

func (w *stream) Write(p []byte) (int, error) {
	if w.s.open != w {
		return 0, w.s.broken(fmt.Errorf("write to %q: %w", w.name, fs.ErrClosed))
	}
	if err := w.s.call("Write " + w.name); err != nil {
		return 0, err
	}
	return w.buf.Write(p)
}

// Close ends the file. To close it twice is an error, but breaks no rule: it
// is what a deferred Close does.
func (w *stream) Close() error {
	if w.s.open != w {
		return fs.ErrClosed
	}
	w.s.open = nil
	if err := w.s.call("Close " + w.name); err != nil {
		return err
	}
	w.s.tree[w.name].Data = w.buf.Bytes()
	if w.expect != nil {
		return w.expect(sha256.Sum256(w.buf.Bytes()))
	}
	return nil
}
