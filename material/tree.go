package material

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"unicode/utf8"
)

// File saves the regular file that a Path names, under its base name. It
// loads like Bytes, and into a Path.
type File struct{}

// Name implements Materializer.
func (File) Name() string { return "file" }

// Save implements Materializer.
func (m File) Save(_ context.Context, dst Sink, v any) error {
	p, ok := v.(Path)
	if !ok {
		return wrongValue(m, v, "a material.Path")
	}
	f, err := os.Open(string(p))
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if fi.IsDir() {
		return fmt.Errorf("%w: %s is a directory", ErrType, p)
	}
	if err := saveFile(dst, filepath.Base(string(p)), f); errors.Is(err, errTorn) {
		return &fs.PathError{Op: "save", Path: string(p), Err: errTorn}
	} else if err != nil {
		return err
	}
	return nil
}

// Load implements Materializer.
func (m File) Load(_ context.Context, src fs.FS, into any) error { return loadBytes(m, src, into) }

// Dir saves the directory that a Path names, or an fs.FS: regular files with
// their executable bit, symbolic links that stay inside, and empty directories.
// Anything else in the tree is an error. It loads into a Path, or an *fs.FS
// that reads from the registry.
type Dir struct{}

// Name implements Materializer.
func (Dir) Name() string { return "dir" }

// Save implements Materializer.
func (m Dir) Save(ctx context.Context, dst Sink, v any) error {
	s := treeSaver{dst: dst}
	s.tree, _ = dst.(TreeSink)
	switch v := v.(type) {
	case Path:
		if fi, err := os.Stat(string(v)); err != nil {
			return err
		} else if !fi.IsDir() {
			return fmt.Errorf("%w: %s is not a directory", ErrType, v)
		}
		s.src, s.root = os.DirFS(string(v)), string(v)
	case fs.FS:
		s.src = v
	default:
		return wrongValue(m, v, "a material.Path and fs.FS")
	}
	return s.saveDir(ctx, ".")
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
	dst  Sink
	tree TreeSink // dst, if it is one
	src  fs.FS
	root string // directory that src is, or ""
}

// saveDir saves the directory p, itself only if it is empty: others follow
// from their files.
func (s *treeSaver) saveDir(ctx context.Context, p string) error {
	entries, err := fs.ReadDir(s.src, p)
	if err != nil {
		return s.fail(err)
	}
	if fi, err := fs.Stat(s.src, p); err == nil {
		notePrivate(s.dst, p, fi.Mode())
	}
	if len(entries) == 0 && p != "." && s.tree != nil {
		return s.tree.Mkdir(p)
	}
	for _, d := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.save(ctx, path.Join(p, d.Name()), d.Type()); err != nil {
			return err
		}
	}
	return nil
}

func (s *treeSaver) save(ctx context.Context, p string, mode fs.FileMode) error {
	refuse := func(why string) error {
		return s.fail(&fs.PathError{Op: "save", Path: p, Err: errors.New(why)})
	}
	if !utf8.ValidString(p) { // opening it would fail as well, but say less
		return refuse("its name is not valid UTF-8")
	}
	switch {
	case mode.IsDir():
		return s.saveDir(ctx, p)
	case mode&fs.ModeSymlink != 0:
		target, err := fs.ReadLink(s.src, p)
		if err != nil {
			return s.fail(err)
		}
		if s.tree == nil {
			return refuse("this sink cannot hold symbolic links")
		}
		return s.tree.Symlink(filepath.ToSlash(target), p)
	case mode.IsRegular():
		f, err := s.src.Open(p)
		if err != nil {
			return s.fail(err)
		}
		defer f.Close()
		if err := saveFile(s.dst, p, f); errors.Is(err, errTorn) {
			return s.fail(&fs.PathError{Op: "save", Path: p, Err: errTorn})
		} else if err != nil {
			return err
		}
		return nil
	}
	return refuse(fmt.Sprintf("it is no regular file, directory or symbolic link (%s)", mode))
}

// fail gives an error of src the path as the user would write it. Errors of
// open files have it already, and those of the sink are about other paths.
func (s *treeSaver) fail(err error) error {
	if pe, ok := err.(*fs.PathError); ok && s.root != "" {
		return &fs.PathError{Op: pe.Op, Path: filepath.Join(s.root, filepath.FromSlash(pe.Path)), Err: pe.Err}
	}
	return err
}

// saveFile saves an open file under the name p.
func saveFile(dst Sink, p string, f fs.File) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	w, err := createFile(dst, p, fi.Mode())
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, f); err != nil {
		return err
	}
	if fi.Mode().IsRegular() {
		after, err := f.Stat()
		if err != nil {
			return err
		}
		if after.Size() != fi.Size() || !after.ModTime().Equal(fi.ModTime()) {
			return errTorn
		}
	}
	return w.Close()
}

// errTorn: what was read may be half of one state and half of another, which
// no one ever wrote.
var errTorn = errors.New("somebody wrote to it while it was being saved; save it again, or a copy of it")

func createFile(dst Sink, name string, mode fs.FileMode) (io.WriteCloser, error) {
	notePrivate(dst, name, mode)
	if tree, ok := dst.(TreeSink); ok && mode&0o100 != 0 {
		return tree.CreateExec(name)
	}
	return dst.Create(name)
}

// pathMaterializer is Dir for directories, File for everything else: a named
// pipe or /dev/stdin is read like a file.
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
