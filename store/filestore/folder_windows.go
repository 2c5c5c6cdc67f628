package filestore

import (
	"io/fs"
	"os"
	"strings"
	"time"
)

// heldRoot is the root of a store. On Windows an open directory cannot be
// renamed or removed, so the store keeps its identity instead of a handle.
type heldRoot struct {
	dir string
	fi  fs.FileInfo
}

func holdRoot(dir string) (*heldRoot, error) {
	fi, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !fi.IsDir() {
		return nil, &fs.PathError{Op: "open registry", Path: dir, Err: fs.ErrNotExist}
	}
	os.SameFile(fi, fi) // reads its identity now
	return &heldRoot{dir, fi}, nil
}

// isAt reports whether a path leads to the root now.
func (h *heldRoot) isAt(dir string) (bool, error) {
	fi, err := os.Stat(dir)
	return err == nil && os.SameFile(h.fi, fi), err
}

// noLink returns an error if a part of rel is a link or a junction. It cannot
// see a link that is put there just afterwards.
func (h *heldRoot) noLink(rel string) error {
	at := h.dir
	for name := range strings.SplitSeq(rel, "/") {
		if name == "" {
			continue
		}
		at += string(os.PathSeparator) + name
		fi, err := os.Lstat(at)
		if err != nil {
			return err
		}
		if fi.Mode()&(fs.ModeSymlink|fs.ModeIrregular) != 0 {
			return foreign("open", at, isLink)
		}
	}
	return nil
}

func (h *heldRoot) folder(path, rel string) (*folder, error) {
	if err := h.noLink(rel); err != nil {
		return nil, err
	}
	if fi, err := os.Lstat(path); err != nil || !fi.IsDir() && rel != "" {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return &folder{path, nil}, nil
}

func (h *heldRoot) file(path, rel string) (*os.File, error) {
	if err := h.noLink(rel); err != nil {
		return nil, err
	}
	return openShared(path)
}

func (h *heldRoot) status(path, rel string) (status, error) {
	if err := h.noLink(rel); err != nil {
		return status{}, err
	}
	f, err := openShared(path)
	if err != nil {
		return status{}, err
	}
	defer f.Close()
	return statusOfFile(f)
}

// status is what the file system reports about a file.
type status struct {
	mode     fs.FileMode // its kind
	size     int64
	modified time.Time
	device   uint64    // always 0 on Windows
	changed  time.Time // set by the file system; no program can choose it
	names    uint64    // always 1 on Windows
}

// same is always true: on Windows an open file cannot be replaced.
func (st status) same(status) bool { return true }

func statusOfFile(f *os.File) (status, error) {
	fi, err := f.Stat()
	if err != nil {
		return status{}, err
	}
	changed, err := changeTime(f, fi)
	return status{mode: fi.Mode().Type(), size: fi.Size(), modified: fi.ModTime(), changed: changed, names: 1}, err
}

func (d *folder) join(name string) string { return d.path + string(os.PathSeparator) + name }

func (d *folder) entries() ([]fs.DirEntry, error) { return os.ReadDir(d.path) }

func (d *folder) status(name string) (status, error) {
	fi, err := os.Lstat(d.join(name))
	if err != nil {
		return status{}, err
	}
	if fi.Mode()&(fs.ModeSymlink|fs.ModeIrregular) != 0 {
		return status{mode: fs.ModeSymlink}, nil
	}
	f, err := openShared(d.join(name))
	if err != nil {
		return status{}, err
	}
	defer f.Close()
	return statusOfFile(f)
}

func (d *folder) create(name string) (*os.File, error) { return openNew(d.join(name)) }

func (d *folder) mkdir(name string) error { return os.Mkdir(d.join(name), 0o777) }

func (d *folder) rmdir(name string) error { return os.Remove(d.join(name)) }

func (d *folder) remove(name string) error { return removeFile(d.join(name)) }

func (d *folder) setModTime(f *os.File, at time.Time) error { return setModTime(f, at) }

func (d *folder) publish(f *os.File, name string) error { return move(f, d.join(name), 0) }

func (d *folder) replace(f *os.File, name string) error { return replaceFile(f, d.join(name)) }

// namedAt returns the status of the file that has just got its name. The file
// is closed already.
func namedAt(_ *os.File, d *folder, name string) (status, error) { return d.status(name) }
