package tree

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/material"
)

// Extract writes the object to dest, and returns where that is, and whether
// something was there; the documentation of the package says it, under "Paths". It
// appears there complete or not at all. If it is interrupted, the next one goes
// on where this one was.
func (fsys *FS) Extract(dest string, how Placing) (path string, replaced bool, err error) {
	d, err := fsys.destination(dest, how)
	if err != nil {
		return "", false, err
	}
	defer func() { d.close(err) }()
	if err := d.open(); err != nil {
		return "", false, d.failed(fsys.ref, err)
	}
	tmp, err := openPartial(d.parent, d.base, fsys.m.Digest)
	if err != nil {
		return "", false, d.failed(fsys.ref, err)
	}
	defer func() { tmp.close(fsys.Ctx, err) }()
	there, err := tmp.tidy(fsys.m.Content.Files)
	if err != nil {
		return "", false, d.failed(fsys.ref, err)
	}
	if err := enoughRoom(d.dir, fsys.m.Size-there); err != nil {
		return "", false, err
	}
	tree, err := beneath.OpenRootIn(tmp.root, partialTree)
	if err != nil {
		return "", false, d.failed(fsys.ref, err)
	}
	err = fsys.WriteTree(tree, tmp.old)
	tree.Close()
	if oserror.Of(err) == oserror.Full {
		err = d.failed(fsys.ref, err)
	}
	if err != nil {
		return "", false, err
	}
	if err := fsys.put(d, tmp, how); err != nil {
		return "", false, d.failed(fsys.ref, err)
	}
	clearPartials(d.parent, d.base)
	return d.path, d.there != nil, nil
}

// isSingleFile tells an object that is one file, saved as such, from a tree
// that happens to have one.
func (fsys *FS) isSingleFile() bool {
	files := fsys.m.Content.Files
	return len(files) == 1 && files[0].Regular() && !strings.Contains(files[0].Path, "/") &&
		fsys.m.Content.Materializer != material.Dir{}.Name()
}

// WriteTree writes all entries below root. That is empty, or old: holds what
// an earlier load of the same object has left, and tidy has let stand. os.Root
// refuses every path that would lead out of it.
func (fsys *FS) WriteTree(root *os.Root, old bool) error {
	x := &extraction{fsys: fsys, root: root, open: map[int]*writtenFile{}, dirs: map[string]bool{".": true}}
	defer x.close()
	var regular, links []int
	for i := range fsys.m.Content.Files {
		f := &fsys.m.Content.Files[i]
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
		var err error
		if regular, err = x.resume(regular); err != nil {
			return err
		}
	}
	if err := fsys.chunks.Fetch(fsys.Ctx, regular, x); err != nil {
		return err
	}
	for _, i := range links { // last, so that nothing is written through one
		f := &fsys.m.Content.Files[i]
		if old { // and the disk was full after some
			root.Remove(filepath.FromSlash(f.Path))
		}
		if err := root.Symlink(filepath.FromSlash(f.Link), filepath.FromSlash(f.Path)); err != nil {
			return err
		}
	}
	return nil
}

// extraction is the chunk.Dest of files in a directory.
type extraction struct {
	fsys *FS
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
	e := &x.fsys.m.Content.Files[i]
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
	if x.fsys.Progress != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.done += n
		x.fsys.Progress(x.done)
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
