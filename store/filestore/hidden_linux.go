package filestore

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// hiddenPrefix begins the names that libfuse gives to open files that are
// replaced or removed.
const hiddenPrefix = ".fuse_hidden"

func errHides(dir string) error {
	return fmt.Errorf("file store: %s is on a FUSE mount where a file has no name for a moment while it is replaced: another process "+
		"could miss it, or create a file that is then lost; mount it with -o hard_remove, or use the directory behind the mount", dir)
}

// hidesReplaced reports whether the mount renames an open file before it
// replaces it. Drivers on libfuse's high-level interface do; the key is absent
// between the two steps.
// https://libfuse.github.io/doxygen/structfuse__config.html (hard_remove)
func (s *Store) hidesReplaced() (bool, error) {
	d, err := s.openFolder("")
	if err != nil {
		return false, err
	}
	defer d.close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(d.fd(), &st); err != nil || st.Type != unix.FUSE_SUPER_MAGIC {
		return false, nil
	}
	before, err := s.hidden()
	if err != nil {
		return false, err
	}
	open, err := s.createTemp(d) // and it stays open
	if err != nil {
		return false, err
	}
	defer open.Close()
	defer s.removeTemp(d, open)
	other, err := s.createTemp(d)
	if err != nil {
		return false, err
	}
	defer other.Close()
	if err := d.replace(other, filepath.Base(open.Name())); err != nil {
		s.removeTemp(d, other)
		return false, err
	}
	after, err := s.hidden()
	for name := range after {
		if !before[name] {
			return true, err
		}
	}
	return false, err
}

// hidden returns the names of hidden files in the root.
func (s *Store) hidden() (map[string]bool, error) {
	d, err := s.openFolder("")
	if err != nil {
		return nil, err
	}
	defer d.close()
	names := map[string]bool{}
	_, err = d.each(func(name []byte, _ fs.FileMode) error {
		if strings.HasPrefix(string(name), hiddenPrefix) {
			names[string(name)] = true
		}
		return nil
	})
	return names, err
}
