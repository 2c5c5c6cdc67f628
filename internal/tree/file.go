package tree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/memory"
)

// openFile is an open regular file of an FS.
type openFile struct {
	fsys  *FS
	info  fileInfo
	index int // of its entry in the manifest

	stream io.ReadCloser // reads ahead, as long as nobody seeks
	off    int64
	random bool // after a Seek: reads only what is asked for
	closed bool
}

var (
	_ io.ReaderAt = (*openFile)(nil)
	_ io.Seeker   = (*openFile)(nil)
)

func (f *openFile) fail(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &fs.PathError{Op: op, Path: f.info.f.Path, Err: f.fsys.wrap(err)}
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }

func (f *openFile) Read(p []byte) (int, error) {
	if f.closed {
		return 0, f.fail("read", fs.ErrClosed)
	}
	if f.random {
		n, err := f.ReadAt(p, f.off)
		f.off += int64(n)
		if n > 0 {
			err = nil
		}
		return n, err
	}
	if f.stream == nil {
		f.stream = f.fsys.chunks.Open(f.fsys.Ctx, f.index)
	}
	n, err := f.stream.Read(p)
	f.off += int64(n)
	return n, f.fail("read", err)
}

func (f *openFile) ReadAt(p []byte, off int64) (int, error) {
	if f.closed {
		return 0, f.fail("read", fs.ErrClosed)
	}
	n, err := f.fsys.chunks.ReadAt(f.fsys.Ctx, f.index, p, off)
	return n, f.fail("read", err)
}

// FitsMemory returns fault.ErrTooLarge if the file is larger than the machine's
// memory. material.ReadAll calls it.
func (f *openFile) FitsMemory() error {
	if most := memory.Machine(); f.info.Size() > most {
		return f.fail("read", fmt.Errorf("%w: it has %d bytes, and this machine has %d bytes of memory; load it into a Path, or read it in parts (Registry.Object)",
			fault.ErrTooLarge, f.info.Size(), most))
	}
	return nil
}

func (f *openFile) Seek(offset int64, whence int) (int64, error) {
	if f.closed {
		return 0, f.fail("seek", fs.ErrClosed)
	}
	switch whence {
	default:
		return 0, f.fail("seek", fs.ErrInvalid)
	case io.SeekStart:
	case io.SeekCurrent:
		offset += f.off
	case io.SeekEnd:
		offset += f.info.Size()
	}
	if offset < 0 {
		return 0, f.fail("seek", errors.New("negative position"))
	}
	if offset != f.off {
		f.closeStream()
		f.random, f.off = offset != 0, offset
	}
	return offset, nil
}

func (f *openFile) closeStream() {
	if f.stream != nil {
		f.stream.Close()
		f.stream = nil
	}
}

func (f *openFile) Close() error {
	if f.closed {
		return f.fail("close", fs.ErrClosed)
	}
	f.closed = true
	f.closeStream()
	return nil
}

// openDir is an open directory of an FS.
type openDir struct {
	fsys  *FS
	info  fileInfo
	path  string
	names []string // not read yet
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.path, Err: errors.New("is a directory")}
}

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 || n > len(d.names) {
		if n > 0 && len(d.names) == 0 {
			return nil, io.EOF
		}
		n = len(d.names)
	}
	entries := make([]fs.DirEntry, n)
	for i, name := range d.names[:n] {
		entries[i] = d.fsys.stat(path.Join(d.path, name))
	}
	d.names = d.names[n:]
	return entries, nil
}
