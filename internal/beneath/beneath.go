// Package beneath opens files and directories that other processes may replace at
// the same time. What is opened is what was found under the name: it is compared by
// device, inode and type. It is opened in a directory that is held open, not
// through a link that was put there in between, and without waiting for a named
// pipe.
//
// [Dir] is a directory of the user that is saved; package material walks it.
// [OpenRoot], [OpenRootIn], [ReadDirIn] and [RegularIn] do the same for an os.Root:
// packages tree and cachestore work in directories that other users may
// write to. [Compare] says whether a file changed while it was read.
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

// ErrReplaced: the name belonged to another file, or to something that is no file,
// when it was opened.
var ErrReplaced = errors.New("it was replaced meanwhile")

// tries is how often a file is looked for. Others may replace it by renaming a new
// one to its name, again and again, and each of these files can be read.
const tries = 5

// NoFollow has the flags to open a file without following a symbolic link at the
// end of its path, and without waiting for the other end of a named pipe. It is 0
// where the system has no such flags: there, what was opened is checked afterwards.
const NoFollow = nofollow | nonblock

// Dir is a directory that is held open. It stays the same directory if its path is
// renamed or replaced. It is an fs.FS of the regular files in it, without
// subdirectories.
type Dir struct {
	root *os.Root
	path string // in errors
	info fs.FileInfo
}

// OpenDir opens the directory path. It follows links: the user has named the path.
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

// OpenRoot is os.OpenRoot, but does not wait if path is a named pipe.
func OpenRoot(path string) (*os.Root, error) {
	root, err := os.OpenRoot(asDir(path))
	return root, at(path, err)
}

// OpenRootIn is root.OpenRoot, but does not wait if name is a named pipe.
func OpenRootIn(root *os.Root, name string) (*os.Root, error) {
	in, err := root.OpenRoot(asDir(name))
	return in, at(name, err)
}

// asDir returns a path that exists only if path is a directory.
func asDir(path string) string { return path + string(filepath.Separator) + "." }

// newDir makes a Dir of root, if root is the directory that fi describes.
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

// Close closes the directory.
func (d *Dir) Close() error { return d.root.Close() }

// Info describes the directory. With os.SameFile it shows whether two are the same.
func (d *Dir) Info() fs.FileInfo { return d.info }

// Path joins the directory's path, as it was given to OpenDir, and name.
func (d *Dir) Path(name string) string { return filepath.Join(d.path, name) }

// Entries lists the directory in the order of names.
func (d *Dir) Entries() ([]fs.DirEntry, error) {
	entries, err := ReadDirIn(d.root, ".")
	return entries, at(d.path, err)
}

// ReadDirIn lists the directory name in root, in the order of names. It does not
// wait if name is a named pipe.
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

// Sub opens a directory in d. A link to one is ErrReplaced: the listing of d has
// shown a directory.
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

// Regular opens a regular file in d. Anything else with that name is ErrReplaced,
// also a link to a file.
func (d *Dir) Regular(name string) (*os.File, error) {
	return regularIn(d.root, name, d.Path(name))
}

// RegularIn opens the regular file name in root. Anything else with that name is
// ErrReplaced, also a link to a file.
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

// Regular opens the regular file path. If path is a link, it opens the link's
// target: the user has named it. A file that becomes a link in between is not
// followed.
func Regular(path string) (*os.File, error) {
	look, flags := os.Lstat, os.O_RDONLY|NoFollow
	if fi, err := os.Lstat(path); err == nil && fi.Mode()&fs.ModeSymlink != 0 {
		look, flags = os.Stat, os.O_RDONLY|nonblock
	}
	return regular(path,
		func() (fs.FileInfo, error) { return look(path) },
		func() (*os.File, error) { return os.OpenFile(path, flags, 0) })
}

// regular opens the file that look finds. If another file was renamed to the name
// in between, it looks again. It also does so if opening fails: the reason may be
// that the name is something else now.
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

// replacedBy returns an ErrReplaced that says what the name is now.
func replacedBy(fi fs.FileInfo) error {
	what := "something that is not a file (" + fi.Mode().Type().String() + ")"
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

// at gives an error the whole path, in place of the part below an os.Root.
func at(path string, err error) error {
	if err == nil {
		return nil
	}
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err
	}
	return &fs.PathError{Op: "open", Path: path, Err: err}
}
