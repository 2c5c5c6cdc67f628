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

// folder is a directory of the store that is held open. What has a name in it
// is reached through it, by that name alone: no link is followed, and nobody
// can put another directory in between.
type folder struct {
	path string
	f    *os.File // nil on Windows
}

func (d *folder) close() {
	if d != nil && d.f != nil {
		d.f.Close()
	}
}

// parent and base divide a key.
func parent(key string) string {
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		return key[:i]
	}
	return ""
}

func base(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }

// openFolder opens a directory below the root, or with "" the root.
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

// makeFolder makes a directory below the root, and those of its parents that
// are not there.
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
		s.durable.Delete(dir) // the one known was another, since pruned
	}
	return err
}

// linkAt returns err, which came of opening rel, unless a link on the way there
// is its reason: then that is said.
func (s *Store) linkAt(op, rel string, err error) error {
	if class := oserror.Of(err); class != oserror.Link && !(class == oserror.Absent && !errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	for at := rel; at != "" && at != "."; at = path.Dir(at) {
		if fi, lerr := os.Lstat(s.path(at)); lerr == nil && fi.Mode()&fs.ModeSymlink != 0 {
			return foreign(op, s.path(at), isLink)
		}
	}
	if oserror.Of(err) == oserror.Link { // it is gone by now
		return as(store.ErrRetry, err)
	}
	return err
}

// status returns what is known of a file or directory below the root. It is an
// error if there is a link in its place.
func (s *Store) status(op, rel string) (status, error) {
	held := s.held.Load()
	if held == nil {
		return status{}, &fs.PathError{Op: op, Path: s.path(rel), Err: fs.ErrNotExist}
	}
	st, err := held.status(s.path(rel), rel)
	if err != nil {
		return status{}, s.linkAt(op, rel, err)
	}
	return st, nil
}

// regular returns an error unless st is of a file. Everything else but a link
// is no key, and not there.
func (st status) regular(op, path string) error {
	switch {
	case st.mode&fs.ModeSymlink != 0:
		return foreign(op, path, isLink)
	case !st.mode.IsRegular():
		return &fs.PathError{Op: op, Path: path, Err: store.ErrNotExist}
	}
	return nil
}
