package material

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
)

// This file has what all materializers of one stream use.

// create writes one stream.
func create(dst Sink, name string, write func(io.Writer) error) error {
	w, err := dst.Create(name)
	if err != nil {
		return err
	}
	if err := write(w); err != nil {
		return err // the save fails, so w stays open
	}
	return w.Close()
}

// lazyWriter creates its stream when it has more than lazyBytes bytes, or when it is
// closed. If the encoder refuses a value before that, nothing is in the sink.
type lazyWriter struct {
	dst  Sink
	name string
	buf  []byte // until there is a stream
	w    io.WriteCloser
	err  error // first error of the sink
}

const lazyBytes = 64 << 10

func (l *lazyWriter) Write(p []byte) (n int, err error) {
	if l.w == nil && l.err == nil && len(l.buf)+len(p) <= lazyBytes {
		l.buf = append(l.buf, p...)
		return len(p), nil
	}
	l.create()
	if l.err == nil {
		n, l.err = l.w.Write(p)
	}
	return n, l.err
}

func (l *lazyWriter) create() {
	if l.w != nil || l.err != nil {
		return
	}
	if l.w, l.err = l.dst.Create(l.name); l.err == nil {
		_, l.err = l.w.Write(l.buf)
		l.buf = nil
	}
}

func (l *lazyWriter) Close() error {
	if l.create(); l.err != nil {
		return l.err
	}
	return l.w.Close()
}

// errReader remembers how reading has begun and ended. A decoder that needs no more
// bytes overlooks an error that comes with the last ones.
type errReader struct {
	r     io.Reader
	err   error
	first byte // that is not white space, or 0
}

func (r *errReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.r.Read(p)
	r.err = err
	if r.first == 0 {
		if rest := bytes.TrimLeft(p[:n], " \t\r\n"); len(rest) > 0 {
			r.first = rest[0]
		}
	}
	return n, err
}

// OnlyFile returns the path of the only file in src. Materializers of one stream
// read that, whatever its name is. If src has another number of files, the error is
// ErrType.
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

// openOnly opens the only file in src.
func openOnly(src fs.FS) (fs.File, error) {
	name, err := OnlyFile(src)
	if err != nil {
		return nil, err
	}
	return src.Open(name)
}

// firstRead is how much memory ReadAll takes before the first byte has arrived.
const firstRead = 1 << 20

// ReadAll reads a file of an object into memory of the right size. The size of
// a file is not verified before all bytes are. So the memory grows while they
// arrive, and is never more than twice their number, or 1 MiB. For a file of
// a registry that is larger than the machine's memory, ReadAll fails at once.
func ReadAll(f fs.File) ([]byte, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := fits(f); err != nil {
		return nil, err
	}
	size := fi.Size()
	r := &errReader{r: f}
	b := make([]byte, 0, min(size, firstRead))
	for int64(len(b)) < size {
		if len(b) == cap(b) {
			grown := make([]byte, len(b), min(size, 2*int64(len(b))))
			copy(grown, b)
			b = grown
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF && int64(len(b)) < size {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
	}
	// The last read verifies the digest of the whole.
	switch _, err := io.ReadFull(r, make([]byte, 1)); err {
	case io.EOF:
		return b, nil
	case nil:
		return nil, fmt.Errorf("%s is longer than %d bytes", fi.Name(), fi.Size())
	default:
		return nil, err
	}
}

// fits returns why a file is too large for the memory. Files of a registry know
// that; for others it returns nil.
func fits(f fs.File) error {
	if f, ok := f.(interface{ FitsMemory() error }); ok {
		return f.FitsMemory()
	}
	return nil
}
