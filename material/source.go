package material

import (
	"errors"
	"io/fs"
	"os"
	"path"

	"github.com/mindtrace/registry/internal/beneath"
)

// folder is a directory of a tree that is saved. As an fs.FS, it has the files in
// it, without subdirectories.
type folder interface {
	fs.FS
	entries() ([]fs.DirEntry, error)
	sub(name string) (folder, error)
	file(e fs.DirEntry) (fs.File, error)
	readlink(name string) (string, error)
	path(name string) string // the path of name, for errors
	close()
}

// diskFolder is a directory on the disk.
type diskFolder struct{ *beneath.Dir }

func (d diskFolder) entries() ([]fs.DirEntry, error)      { return d.Entries() }
func (d diskFolder) file(e fs.DirEntry) (fs.File, error)  { return d.Open(e.Name()) }
func (d diskFolder) readlink(name string) (string, error) { return d.Readlink(name) }
func (d diskFolder) path(name string) string              { return d.Path(name) }
func (d diskFolder) close()                               { d.Close() }

func (d diskFolder) sub(name string) (folder, error) {
	s, err := d.Sub(name)
	if err != nil {
		return nil, err
	}
	return diskFolder{s}, nil
}

// fsFolder is a directory of an fs.FS. The fs.FS decides how files are opened: an
// os.DirFS follows links that were put there after the listing, an os.Root does
// not.
type fsFolder struct {
	src fs.FS
	dir string
}

func (d fsFolder) entries() ([]fs.DirEntry, error)      { return fs.ReadDir(d.src, d.dir) }
func (d fsFolder) sub(name string) (folder, error)      { return fsFolder{d.src, d.path(name)}, nil }
func (d fsFolder) readlink(name string) (string, error) { return fs.ReadLink(d.src, d.path(name)) }
func (d fsFolder) path(name string) string              { return path.Join(d.dir, name) }
func (d fsFolder) close()                               {}

// Open implements fs.FS for regular files.
func (d fsFolder) Open(name string) (fs.File, error) {
	if fi, err := fs.Stat(d.src, d.path(name)); err != nil {
		return nil, err
	} else if !fi.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: d.path(name), Err: fs.ErrNotExist}
	}
	return d.src.Open(d.path(name))
}

// file opens an entry that was listed as a regular file. It refuses one that is
// another file now, if the fs.FS is one of the operating system and so shows that.
func (d fsFolder) file(e fs.DirEntry) (fs.File, error) {
	listed, err := e.Info()
	if err != nil {
		return nil, err
	}
	f, err := d.src.Open(d.path(e.Name()))
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	known := os.SameFile(listed, listed) // true if it is from the operating system
	if err == nil && (!opened.Mode().IsRegular() || known && !os.SameFile(listed, opened)) {
		err = &fs.PathError{Op: "open", Path: d.path(e.Name()), Err: beneath.ErrReplaced}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// follow saves the target of the link name in dir, as p. The system limits how many
// links may follow each other.
func (s *treeSaver) follow(dir folder, p, name string) error {
	at := dir.path(name)
	fi, err := os.Stat(at)
	switch {
	case err != nil:
		return err
	case fi.Mode().IsRegular():
		f, err := beneath.Regular(at)
		if err != nil {
			return err
		}
		defer f.Close()
		s.saved++
		return saveFile(s.dst, p, f, at)
	case !fi.IsDir():
		return refuse(at, "it leads to something that is not a regular file or directory ("+fi.Mode().String()+")")
	}
	sub, err := beneath.OpenDir(at)
	if err != nil {
		return err
	}
	defer sub.Close()
	for _, above := range s.above {
		if os.SameFile(above, sub.Info()) {
			return refuse(at, "it leads to a directory above it, so following it would never end")
		}
	}
	return s.saveSub(p, diskFolder{sub})
}

// refuse returns the error for a path that cannot be saved.
func refuse(path, why string) error {
	return &fs.PathError{Op: "save", Path: path, Err: errors.New(why)}
}
