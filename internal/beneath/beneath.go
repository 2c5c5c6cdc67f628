// Package beneath opens the user's files so that what is read is what was
// found under their names: in a directory that is held open, never through a
// link that somebody has put there meanwhile, and without waiting for a named
// pipe. What is opened is compared with what was found: the same device, inode
// and type.
package beneath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrReplaced: between finding a name and opening it, something else came to
// be there.
var ErrReplaced = errors.New("it was replaced meanwhile")

// tries is how often a file is looked for that others keep replacing by
// renaming new ones to its name, which is no fault of theirs.
const tries = 5

// NoFollow opens a file, but neither through a symbolic link at the end of its
// path nor waiting for the other end of a named pipe, where the system has that.
// Elsewhere, os.Root and a look after opening are what there is.
const NoFollow = nofollow | nonblock

// Dir is a directory that is held open. It stays the same one whatever becomes
// of its path. It is an fs.FS of the files right in it.
type Dir struct {
	root *os.Root
	path string // in errors
	info fs.FileInfo
}

// OpenDir opens the directory that path names, also by way of links: the user
// has named it.
func OpenDir(path string) (*Dir, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !fi.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("not a directory")}
	}
	root, err := OpenRoot(path)
	return newDir(root, path, fi, err)
}

// OpenRoot is os.OpenRoot, which waits where there is a named pipe.
func OpenRoot(path string) (*os.Root, error) {
	root, err := os.OpenRoot(asDir(path))
	return root, at(path, err)
}

// OpenRootIn is root.OpenRoot, which waits where there is a named pipe.
func OpenRootIn(root *os.Root, name string) (*os.Root, error) {
	in, err := root.OpenRoot(asDir(name))
	return in, at(name, err)
}

// asDir is a path that nothing but a directory has.
func asDir(path string) string { return path + string(filepath.Separator) + "." }

// newDir makes a Dir of root, if that is what fi was found to be.
func newDir(root *os.Root, path string, fi fs.FileInfo, err error) (*Dir, error) {
	if err != nil {
		return nil, at(path, err)
	}
	opened, err := root.Stat(".")
	if err == nil && !os.SameFile(fi, opened) {
		err = ErrReplaced
	}
	if err != nil {
		root.Close()
		return nil, at(path, err)
	}
	return &Dir{root, path, opened}, nil
}

// Close lets go of the directory.
func (d *Dir) Close() error { return d.root.Close() }

// Info describes the directory: os.SameFile tells whether two are one.
func (d *Dir) Info() fs.FileInfo { return d.info }

// Path joins the directory's path, as it was given to OpenDir, and name.
func (d *Dir) Path(name string) string { return filepath.Join(d.path, name) }

// Entries lists the directory in the order of names.
func (d *Dir) Entries() ([]fs.DirEntry, error) {
	entries, err := ReadDirIn(d.root, ".")
	return entries, at(d.path, err)
}

// ReadDirIn lists the directory name in root, in the order of names. It does
// not wait for a named pipe that is there instead.
func ReadDirIn(root *os.Root, name string) ([]fs.DirEntry, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// Sub opens a directory in d. A link to one is ErrReplaced: whoever listed d
// has seen a directory.
func (d *Dir) Sub(name string) (*Dir, error) {
	fi, err := d.root.Lstat(name)
	if err != nil {
		return nil, at(d.Path(name), err)
	}
	if !fi.IsDir() {
		return nil, at(d.Path(name), replacedBy(fi))
	}
	root, err := OpenRootIn(d.root, name)
	if err != nil {
		if now, lerr := d.root.Lstat(name); lerr == nil && !now.IsDir() {
			err = replacedBy(now)
		}
	}
	return newDir(root, d.Path(name), fi, err)
}

// Regular opens a regular file in d. Anything else under that name, a link to
// a file too, is ErrReplaced.
func (d *Dir) Regular(name string) (*os.File, error) {
	return regularIn(d.root, name, d.Path(name))
}

// RegularIn opens the regular file name in root. Anything else under that name,
// a link to a file too, is ErrReplaced.
func RegularIn(root *os.Root, name string) (*os.File, error) {
	return regularIn(root, name, filepath.Join(root.Name(), name))
}

func regularIn(root *os.Root, name, path string) (*os.File, error) {
	return regular(path,
		func() (fs.FileInfo, error) { return root.Lstat(name) },
		func() (*os.File, error) { return root.OpenFile(name, os.O_RDONLY|nonblock, 0) })
}

// Open implements fs.FS: it is Regular.
func (d *Dir) Open(name string) (fs.File, error) {
	f, err := d.Regular(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Readlink returns the target of a link in d.
func (d *Dir) Readlink(name string) (string, error) {
	target, err := d.root.Readlink(name)
	if err != nil {
		if now, lerr := d.root.Lstat(name); lerr == nil && now.Mode()&fs.ModeSymlink == 0 {
			err = replacedBy(now)
		}
	}
	return target, at(d.Path(name), err)
}

// Regular opens the regular file that path names. If path is a link, it is the
// file that it leads to, for the user has named it; but a file does not become
// a link on the way.
func Regular(path string) (*os.File, error) {
	look, flags := os.Lstat, os.O_RDONLY|NoFollow
	if fi, err := os.Lstat(path); err == nil && fi.Mode()&fs.ModeSymlink != 0 {
		look, flags = os.Stat, os.O_RDONLY|nonblock
	}
	return regular(path,
		func() (fs.FileInfo, error) { return look(path) },
		func() (*os.File, error) { return os.OpenFile(path, flags, 0) })
}

// regular opens what look finds. Where another file was renamed to the name in
// between, it looks again; so it does where opening fails, for the reason may
// be what the name has come to be.
func regular(path string, look func() (fs.FileInfo, error), open func() (*os.File, error)) (*os.File, error) {
	why := ErrReplaced
	for range tries {
		found, err := look()
		if err != nil {
			return nil, at(path, err)
		}
		if !found.Mode().IsRegular() {
			return nil, at(path, replacedBy(found))
		}
		f, err := open()
		if err != nil {
			why = err
			continue
		}
		opened, err := f.Stat()
		if err == nil && os.SameFile(found, opened) && opened.Mode().IsRegular() {
			return f, nil
		}
		f.Close()
		if why = ErrReplaced; err != nil {
			why = err
		}
	}
	return nil, at(path, why)
}

// replacedBy is ErrReplaced, and by what.
func replacedBy(fi fs.FileInfo) error {
	what := "something that is no file (" + fi.Mode().Type().String() + ")"
	switch mode := fi.Mode(); {
	case mode.IsRegular():
		what = "a file"
	case mode.IsDir():
		what = "a directory"
	case mode&fs.ModeSymlink != 0:
		what = "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		what = "a named pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	}
	return fmt.Errorf("%w, by %s", ErrReplaced, what)
}

// at gives an error the whole path, in place of the part of it below an
// os.Root.
func at(path string, err error) error {
	if err == nil {
		return nil
	}
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err
	}
	return &fs.PathError{Op: "open", Path: path, Err: err}
}
