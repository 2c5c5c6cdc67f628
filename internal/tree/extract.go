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

// Extract writes the object to dest. It returns the path of the object, which is
// in dest if that is a directory, and whether it has replaced anything. The object
// appears there complete or not at all. If Extract is interrupted, the next one
// goes on from what this one has fetched. The documentation of package registry
// has the rules, under "Paths".
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

// isSingleFile reports whether the object was saved as a file. A directory that
// has only one file is not a single file.
func (fsys *FS) isSingleFile() bool {
	files := fsys.m.Content.Files
	return len(files) == 1 && files[0].Regular() && !strings.Contains(files[0].Path, "/") &&
		fsys.m.Content.Materializer != material.Dir{}.Name()
}

// WriteTree writes all entries below root. With old unset, root is empty. With old
// set, it holds what an interrupted WriteTree of the same object has left, and
// nothing else. os.Root refuses every path that would lead out of it.
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
		if old { // the earlier call may have made it
			root.Remove(filepath.FromSlash(f.Path))
		}
		if err := root.Symlink(filepath.FromSlash(f.Link), filepath.FromSlash(f.Path)); err != nil {
			return err
		}
	}
	return nil
}

// extraction writes the files of an object to a directory. It is the chunk.Dest
// of that.
type extraction struct {
	fsys *FS
	root *os.Root
	dirs map[string]bool // directories that exist

	mu   sync.Mutex
	open map[int]*writtenFile // files that are not complete, by index in the manifest
	done int64                // bytes written
}

// writtenFile is a file that is being written. The kernel lets only one write at
// a time into a file, and the others would spin. So they wait for mu.
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

// file returns the file i, open and locked. It creates the file if needed. Other
// files can be created at the same time.
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

// WriteAt implements chunk.Dest.
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

// progress reports n more bytes as written.
func (x *extraction) progress(n int64) {
	if x.fsys.Progress != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.done += n
		x.fsys.Progress(x.done)
	}
}

// Done implements chunk.Dest.
func (x *extraction) Done(i int) error {
	w, err := x.file(i) // creates an empty file, for which WriteAt is not called
	if err != nil {
		return err
	}
	defer w.mu.Unlock()
	x.mu.Lock()
	delete(x.open, i)
	x.mu.Unlock()
	return w.f.Close()
}

// close closes the files that an error has left open.
func (x *extraction) close() {
	for _, w := range x.open {
		if w.f != nil {
			w.f.Close()
		}
	}
}
