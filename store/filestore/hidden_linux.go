package filestore

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// hiddenPrefix is of the names that libfuse gives to open files that are
// replaced or removed.
const hiddenPrefix = ".fuse_hidden"

func errHides(dir string) error {
	return fmt.Errorf("file store: %s is on a FUSE mount on which a file has no name for a moment while it is replaced: others would find "+
		"nothing there, or put something there that is lost; mount it with -o hard_remove, or use the directory behind it", dir)
}

// hidesReplaced reports whether a file that is replaced while it is open is
// given another name first. Drivers on libfuse's high level do so, in two steps:
// in between, the key is absent.
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
