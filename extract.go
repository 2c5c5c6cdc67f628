package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/mindtrace/registry/material"
)

// extract writes the object to dest and returns where that is, as "cp -r" would: an object of a single
// file becomes the file dest, or a file in it if dest is a directory; a tree
// becomes the directory dest, or a directory in it, named by the last part
// of the object's name, if dest exists. It appears there complete or not at
// all; a file that it replaces stays until then, and a directory is never
// replaced. If it is interrupted, the next one goes on where this one was.
func (o *Object) extract(dest string) (_ string, err error) {
	if dest == "" {
		return "", &fs.PathError{Op: "load", Path: dest, Err: errors.New("empty path")}
	}
	single := o.isSingleFile()
	dest, err = o.destination(dest, single)
	if err != nil {
		return "", err
	}
	tmp, err := openPartial(dest, o.f.Digest)
	if err != nil {
		return "", failedFor(dest, err)
	}
	defer func() { tmp.close(ended(o.ctx, err)) }()
	if err = o.writeTree(tmp.tree(), tmp.old); err != nil {
		return "", err
	}
	from := tmp.tree()
	if single {
		from = filepath.Join(from, filepath.FromSlash(o.f.Content.Files[0].Path))
	}
	if err = os.Rename(from, dest); err != nil {
		return "", failedFor(dest, err)
	}
	return dest, nil
}

// failedFor gives an error the path that the user knows, in place of that of
// a temporary file.
func failedFor(dest string, err error) error {
	pe, le := (*fs.PathError)(nil), (*os.LinkError)(nil)
	switch {
	case errors.As(err, &pe):
		err = pe.Err
	case errors.As(err, &le):
		err = le.Err
	}
	return &fs.PathError{Op: "write", Path: dest, Err: err}
}

// specialFile refuses to put a file in the place of a pipe or a device.
func specialFile(dest string, mode fs.FileMode) error {
	return &fs.PathError{Op: "write", Path: dest, Err: fmt.Errorf(
		"it is no regular file (%s); to write into it, load to - and redirect that (in Go: into an io.Writer)", mode)}
}

// isSingleFile tells an object that is one file, saved as such, from a tree
// that happens to have one.
func (o *Object) isSingleFile() bool {
	files := o.f.Content.Files
	return len(files) == 1 && files[0].Regular() && !strings.Contains(files[0].Path, "/") &&
		o.f.Content.Materializer != material.Dir{}.Name()
}

func (o *Object) destination(dest string, single bool) (string, error) {
	fi, err := os.Stat(dest)
	if errors.Is(err, fs.ErrNotExist) {
		if single && os.IsPathSeparator(dest[len(dest)-1]) {
			return "", err // "cp file dir/" wants the directory to exist
		}
		return filepath.Clean(dest), nil
	}
	if err != nil {
		return "", err
	}
	if fi.IsDir() {
		inside := o.f.Name[strings.LastIndexByte(o.f.Name, ':')+1:]
		if single {
			inside = path.Base(o.f.Content.Files[0].Path)
		}
		local, err := filepath.Localize(inside)
		if err != nil {
			return "", &fs.PathError{Op: "load", Path: inside, Err: err}
		}
		dest = filepath.Join(dest, local)
		if fi, err = os.Stat(dest); errors.Is(err, fs.ErrNotExist) {
			return dest, nil
		} else if err != nil {
			return "", err
		}
	}
	if !fi.IsDir() && !fi.Mode().IsRegular() {
		return "", specialFile(dest, fi.Mode())
	}
	if fi.IsDir() || !single {
		return "", &fs.PathError{Op: "write", Path: dest, Err: fmt.Errorf("%w; remove it or name another destination", fs.ErrExist)}
	}
	return dest, nil
}

// writeTree writes all entries below dir. That is empty, or old: holds what
// an earlier load of the same object has left. os.Root refuses every path that
// would lead out of it.
func (o *Object) writeTree(dir string, old bool) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	x := &extraction{o: o, root: root, open: map[int]*writtenFile{}, dirs: map[string]bool{".": true}}
	defer x.close()
	var regular, links []int
	for i := range o.f.Content.Files {
		f := &o.f.Content.Files[i]
		local, err := filepath.Localize(f.Path)
		if err != nil {
			return fmt.Errorf("%q cannot be written on this system: %w", f.Path, err)
		}
		parent := local
		if !f.Dir {
			parent = filepath.Dir(local)
		}
		if err := x.mkdir(parent); err != nil {
			return err
		}
		switch {
		case f.Link != "":
			links = append(links, i)
		case f.Regular():
			regular = append(regular, i)
		}
	}
	if old {
		for _, i := range links { // nothing is written through one
			if err := root.Remove(filepath.FromSlash(o.f.Content.Files[i].Path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if regular, err = x.resume(regular); err != nil {
			return err
		}
	}
	if err := o.chunks.Fetch(o.ctx, regular, x); err != nil {
		return err
	}
	for _, i := range links { // last, so that nothing is written through one
		f := &o.f.Content.Files[i]
		if err := root.Symlink(filepath.FromSlash(f.Link), filepath.FromSlash(f.Path)); err != nil {
			return err
		}
	}
	return nil
}

// extraction is the chunk.Dest of files in a directory.
type extraction struct {
	o    *Object
	root *os.Root
	dirs map[string]bool // made already

	mu   sync.Mutex
	open map[int]*writtenFile
	done int64
}

// writtenFile is a file that is being written. The kernel lets one write at
// a time into a file; the others would wait for it on the processor.
type writtenFile struct {
	mu sync.Mutex
	f  *os.File
}

func (x *extraction) mkdir(dir string) error {
	if x.dirs[dir] {
		return nil
	}
	x.dirs[dir] = true
	return x.root.MkdirAll(dir, 0o777)
}

// file returns the open file i, locked, creating it first. Other files are
// created meanwhile.
func (x *extraction) file(i int) (*writtenFile, error) {
	x.mu.Lock()
	w := x.open[i]
	if w == nil {
		w = &writtenFile{}
		x.open[i] = w
	}
	x.mu.Unlock()
	w.mu.Lock()
	if w.f != nil {
		return w, nil
	}
	e := &x.o.f.Content.Files[i]
	f, err := x.root.OpenFile(filepath.FromSlash(e.Path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, e.Mode())
	if err != nil {
		w.mu.Unlock()
		return nil, err
	}
	w.f = f
	return w, nil
}

func (x *extraction) WriteAt(i int, p []byte, off int64) error {
	w, err := x.file(i)
	if err != nil {
		return err
	}
	for rest := p; len(rest) > 0 && err == nil; {
		var n int
		n, err = w.f.WriteAt(rest[:min(len(rest), 256<<10)], off)
		rest, off = rest[n:], off+int64(n)
	}
	w.mu.Unlock()
	if err != nil {
		return err
	}
	x.progress(int64(len(p)))
	return nil
}

// progress tells of n more bytes that are there.
func (x *extraction) progress(n int64) {
	if x.o.progress != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.done += n
		x.o.progress(Progress{Op: "load", Ref: x.o.ref, Done: x.done, Total: x.o.f.Size})
	}
}

func (x *extraction) Done(i int) error {
	w, err := x.file(i) // an empty file has not been written to
	if err != nil {
		return err
	}
	defer w.mu.Unlock()
	x.mu.Lock()
	delete(x.open, i)
	x.mu.Unlock()
	return w.f.Close()
}

// close closes what an error has left open.
func (x *extraction) close() {
	for _, w := range x.open {
		if w.f != nil {
			w.f.Close()
		}
	}
}
