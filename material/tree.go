package material

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"unicode/utf8"

	"github.com/mindtrace/registry/internal/beneath"
)

// File saves the file of a Path, under its base name. It loads like Bytes, and into
// a Path.
type File struct{}

// Name implements Materializer.
func (File) Name() string { return "file" }

// Save implements Materializer.
func (m File) Save(_ context.Context, dst Sink, v any) error {
	p, ok := v.(Path)
	if !ok {
		return wrongValue(m, v, "a material.Path")
	}
	fi, err := os.Stat(string(p))
	if err != nil {
		return err
	}
	if fi.IsDir() {
		return fmt.Errorf("%w: %s is a directory", ErrType, p)
	}
	open := beneath.Regular
	if !fi.Mode().IsRegular() {
		open = os.Open // a named pipe or a device may wait: the user has named it
	}
	f, err := open(string(p))
	if err != nil {
		return err
	}
	defer f.Close()
	return saveFile(dst, filepath.Base(string(p)), f, string(p))
}

// Load implements Materializer.
func (m File) Load(_ context.Context, src fs.FS, into any) error { return loadBytes(m, src, into) }

// Dir saves the directory of a Path, or an fs.FS: regular files with their
// executable bit, symbolic links that stay inside, and empty directories. Anything
// else in the tree is an error, and so is an entry that changes its type while it
// is saved. A sink that is a Sieve may leave entries out. Dir loads into a Path, or
// into an *fs.FS that reads from the registry.
type Dir struct {
	// Dereference saves the targets of symbolic links in place of the links, also
	// those outside of the tree. It needs a Path.
	Dereference bool
}

// Name implements Materializer.
func (Dir) Name() string { return "dir" }

// Save implements Materializer.
func (m Dir) Save(ctx context.Context, dst Sink, v any) error {
	s := treeSaver{ctx: ctx, dst: dst, dereference: m.Dereference}
	s.tree, _ = dst.(TreeSink)
	s.sieve, _ = dst.(Sieve)
	switch v := v.(type) {
	case Path:
		if fi, err := os.Stat(string(v)); err != nil {
			return err
		} else if !fi.IsDir() {
			return fmt.Errorf("%w: %s is not a directory", ErrType, v)
		}
		dir, err := beneath.OpenDir(string(v))
		if err != nil {
			return err
		}
		defer dir.Close()
		return s.saveDir(".", diskFolder{dir})
	case fs.FS:
		if m.Dereference {
			return fmt.Errorf("%w: links can be followed from a material.Path, not in an fs.FS", ErrType)
		}
		return s.saveDir(".", fsFolder{v, "."})
	}
	return wrongValue(m, v, "a material.Path and fs.FS")
}

// Load implements Materializer.
func (m Dir) Load(_ context.Context, src fs.FS, into any) error {
	if isNilPointer(into) {
		return wrongTarget(m, into, "")
	}
	switch into := into.(type) {
	case *fs.FS:
		*into = src
		return nil
	case *any:
		*into = src
		return nil
	}
	if _, err := OnlyFile(src); err == nil {
		return loadBytes(m, src, into)
	}
	return wrongTarget(m, into, "an *fs.FS or a Path")
}

// treeSaver saves one tree.
type treeSaver struct {
	ctx   context.Context
	dst   Sink
	tree  TreeSink // dst, if it is one
	sieve Sieve    // dst, if it is one

	dereference bool
	above       []fs.FileInfo // the directory on the disk that is being saved, and those above it
	saved       int           // how many files, links and empty directories
}

// saveDir saves the entries of dir, which is p in the tree.
func (s *treeSaver) saveDir(p string, dir folder) error {
	if d, ok := dir.(diskFolder); ok {
		notePrivate(s.dst, p, d.Info().Mode())
		s.above = append(s.above, d.Info())
		defer func() { s.above = s.above[:len(s.above)-1] }()
	}
	entries, err := dir.entries()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		at := path.Join(p, e.Name())
		if s.sieve != nil && s.sieve.LeaveOut(at, nil) {
			continue
		}
		if err := s.save(dir, at, e); err != nil {
			return err
		}
	}
	return nil
}

// saveSub saves the directory dir as p. It adds an entry for the directory itself
// only if nothing in it is saved: the paths of files imply their directories.
func (s *treeSaver) saveSub(p string, dir folder) error {
	if s.sieve != nil && s.sieve.LeaveOut(p, dir) {
		return nil
	}
	before := s.saved
	if err := s.saveDir(p, dir); err != nil || s.saved > before || s.tree == nil {
		return err
	}
	s.saved++
	return s.tree.Mkdir(p)
}

// save saves the entry e of dir as p.
func (s *treeSaver) save(dir folder, p string, e fs.DirEntry) error {
	name, mode := e.Name(), e.Type()
	if !utf8.ValidString(name) { // opening it fails, too, with a worse message
		return refuse(dir.path(name), "its name is not valid UTF-8")
	}
	switch {
	case mode.IsDir():
		sub, err := dir.sub(name)
		if err != nil {
			return err
		}
		defer sub.close()
		return s.saveSub(p, sub)
	case mode&fs.ModeSymlink != 0 && s.dereference:
		return s.follow(dir, p, name)
	case mode&fs.ModeSymlink != 0:
		target, err := dir.readlink(name)
		if err != nil {
			return err
		}
		if s.tree == nil {
			return refuse(dir.path(name), "this sink cannot hold symbolic links")
		}
		s.saved++
		return s.tree.Symlink(filepath.ToSlash(target), p)
	case mode.IsRegular():
		f, err := dir.file(e)
		if err != nil {
			return err
		}
		defer f.Close()
		s.saved++
		return saveFile(s.dst, p, f, dir.path(name))
	}
	return refuse(dir.path(name), fmt.Sprintf("it is not a regular file, directory or symbolic link (%s)", mode))
}

// pathMaterializer returns Dir for a directory, and File for everything else:
// a named pipe and /dev/stdin are read like a file.
func pathMaterializer(p Path) (Materializer, error) {
	fi, err := os.Stat(string(p))
	if err != nil {
		return nil, err
	}
	if fi.IsDir() {
		return Dir{}, nil
	}
	return File{}, nil
}
