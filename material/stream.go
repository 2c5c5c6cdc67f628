package material

import (
	"fmt"
	"io"
	"io/fs"
)

// This file has what materializers of one stream share.

// create writes one stream.
func create(dst Sink, name string, write func(io.Writer) error) error {
	w, err := dst.Create(name)
	if err != nil {
		return err
	}
	if err := write(w); err != nil {
		return err // the save fails; w is of no use any more
	}
	return w.Close()
}

// lazyWriter creates its stream with the first byte. An encoder that refuses
// a value by then has left nothing in the sink.
type lazyWriter struct {
	dst  Sink
	name string
	w    io.WriteCloser
	err  error // first error of the sink
}

func (l *lazyWriter) Write(p []byte) (int, error) {
	if l.err == nil && l.w == nil {
		l.w, l.err = l.dst.Create(l.name)
	}
	if l.err != nil {
		return 0, l.err
	}
	n, err := l.w.Write(p)
	l.err = err
	return n, err
}

func (l *lazyWriter) Close() error {
	if _, err := l.Write(nil); err != nil { // creates an empty stream
		return err
	}
	return l.w.Close()
}

// errReader remembers how reading ended.
type errReader struct {
	r   io.Reader
	err error
}

func (r *errReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.r.Read(p)
	r.err = err
	return n, err
}

// OnlyFile returns the path of the one file in src: what materializers of
// a single stream read, whatever its name.
func OnlyFile(src fs.FS) (string, error) {
	var found []string
	err := fs.WalkDir(src, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if found = append(found, p); len(found) > 1 {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%w: the object is a tree of files, not one file", ErrType)
	}
	return found[0], nil
}

// openOnly opens the one file in src.
func openOnly(src fs.FS) (fs.File, error) {
	name, err := OnlyFile(src)
	if err != nil {
		return nil, err
	}
	return src.Open(name)
}

// readAll reads a file into memory of the right size.
func readAll(f fs.File) ([]byte, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, fi.Size())
	if _, err := io.ReadFull(f, b); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	// The last read verifies the digest of the whole.
	switch _, err := io.ReadFull(f, make([]byte, 1)); err {
	case io.EOF:
		return b, nil
	case nil:
		return nil, fmt.Errorf("%s is longer than %d bytes", fi.Name(), fi.Size())
	default:
		return nil, err
	}
}
