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
	w, err := createFile(dst, filepath.Base(string(p)), fi.Mode())
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, f); err != nil {
		return err
	}
	return w.Close()
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
	switch v := v.(type) {
	case Path:
		if fi, err := os.Stat(string(v)); err != nil {
			return err
		} else if !fi.IsDir() {
			return fmt.Errorf("%w: %s is not a directory", ErrType, v)
		}
		err := saveTree(ctx, dst, os.DirFS(string(v)))
		if pe := (*fs.PathError)(nil); errors.As(err, &pe) && !filepath.IsAbs(pe.Path) {
			pe.Path = filepath.Join(string(v), pe.Path) // as the user would write it
		}
		return err
	case fs.FS:
		return saveTree(ctx, dst, v)
	}
	return wrongValue(m, v, "a material.Path and fs.FS")
}

// Load implements Materializer.
func (m Dir) Load(_ context.Context, src fs.FS, into any) error {
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

func saveTree(ctx context.Context, dst Sink, src fs.FS) error {
	tree, _ := dst.(TreeSink)
	return fs.WalkDir(src, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return saveDir(tree, src, p)
		case d.Type()&fs.ModeSymlink != 0:
			target, err := fs.ReadLink(src, p)
			if err != nil {
				return err
			}
			if tree == nil {
				return fmt.Errorf("%s: this sink cannot hold symbolic links", p)
			}
			return tree.Symlink(filepath.ToSlash(target), p)
		case d.Type().IsRegular():
			return saveFile(dst, src, p)
		}
		return &fs.PathError{Op: "save", Path: p, Err: fmt.Errorf("it is no regular file, directory or symbolic link (%s)", d.Type())}
	})
}

// saveDir adds a directory if it is empty. Others follow from their files.
func saveDir(tree TreeSink, src fs.FS, p string) error {
	if p == "." || tree == nil {
		return nil
	}
	entries, err := fs.ReadDir(src, p)
	if err != nil || len(entries) > 0 {
		return err
	}
	return tree.Mkdir(p)
}

func saveFile(dst Sink, src fs.FS, p string) error {
	f, err := src.Open(p)
	if err != nil {
		return err
	}
	defer f.Close()
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
	return w.Close()
}

func createFile(dst Sink, name string, mode fs.FileMode) (io.WriteCloser, error) {
	name = path.Clean(name)
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
