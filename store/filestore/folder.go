package filestore

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/store"
)

// folder is a directory of the store that is held open. Its entries are
// reached through it by name, so no link is followed, and nobody can put
// another directory in between.
type folder struct {
	path string
	f    *os.File // nil on Windows
}

func (d *folder) close() {
	if d != nil && d.f != nil {
		d.f.Close()
	}
}

// parent returns the part of a key before its last slash, or "".
func parent(key string) string {
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		return key[:i]
	}
	return ""
}

// base returns the part of a key after its last slash.
func base(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }

// openFolder opens a directory below the root, or the root for "".
func (s *Store) openFolder(rel string) (*folder, error) {
	held := s.held.Load()
	if held == nil {
		return nil, &fs.PathError{Op: "open", Path: s.root, Err: fs.ErrNotExist}
	}
	d, err := held.folder(s.path(rel), rel)
	if err != nil {
		return nil, s.linkAt("open", rel, err)
	}
	return d, nil
}

// makeFolder makes a directory below the root, with its missing parents.
func (s *Store) makeFolder(rel string) error {
	if rel == "" {
		return nil // see MakeRoot
	}
	up, err := s.openFolder(parent(rel))
	if errors.Is(err, fs.ErrNotExist) && parent(rel) != "" {
		if err := s.makeFolder(parent(rel)); err != nil {
			return err
		}
		up, err = s.openFolder(parent(rel))
	}
	if err != nil {
		return err
	}
	defer up.close()
	dir := s.path(rel)
	err = s.do(effect{op: opMkdir, path: dir}, func() error { return up.mkdir(base(rel)) })
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		s.note("mkdir", dir)
		s.durable.Delete(dir) // that was an earlier directory, since pruned
	}
	return err
}

// linkAt returns the error of opening rel. If a symbolic link on the way is
// the reason, it returns an ErrForeign that names the link instead.
func (s *Store) linkAt(op, rel string, err error) error {
	if class := oserror.Of(err); class != oserror.Link && !(class == oserror.Absent && !errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	for at := rel; at != "" && at != "."; at = path.Dir(at) {
		if fi, lerr := os.Lstat(s.path(at)); lerr == nil && fi.Mode()&fs.ModeSymlink != 0 {
			return foreign(op, s.path(at), isLink)
		}
	}
	if oserror.Of(err) == oserror.Link { // the link is gone by now
		return as(store.ErrRetry, err)
	}
	return err
}

// status returns the status of a file or directory below the root. A link in
// its place is an error.
func (s *Store) status(op, rel string) (status, error) {
	held := s.held.Load()
	if held == nil {
		return status{}, &fs.PathError{Op: op, Path: s.path(rel), Err: fs.ErrNotExist}
	}
	for try := 0; ; try++ {
		st, err := held.status(s.path(rel), rel)
		if isStale(err) && try < maxStale {
			continue
		}
		if err != nil {
			return status{}, s.linkAt(op, rel, err)
		}
		return st, nil
	}
}

// regular returns nil if st belongs to a regular file. A link is ErrForeign;
// anything else is not a key, so ErrNotExist.
func (st status) regular(op, path string) error {
	switch {
	case st.mode&fs.ModeSymlink != 0:
		return foreign(op, path, isLink)
	case !st.mode.IsRegular():
		return &fs.PathError{Op: op, Path: path, Err: store.ErrNotExist}
	}
	return nil
}
