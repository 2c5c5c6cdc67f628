package filestore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mindtrace/registry/store"
)

var _ store.Shared = (*Store)(nil)

// Foreign implements store.Shared: it looks for a file whose name is no part
// of a key. Hidden files do not count, nor do what file systems themselves
// put into their top directory, and empty directories.
func (s *Store) Foreign(ctx context.Context) (string, error) {
	found := ""
	err := filepath.WalkDir(s.root, func(path string, d fs.DirEntry, err error) error {
		if cerr := ctx.Err(); cerr != nil {
			return cerr
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // not there yet, or gone since
		}
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case path == s.root:
		case strings.HasPrefix(name, "."), ofSystem[name]:
			if d.IsDir() {
				return fs.SkipDir
			}
		case !d.IsDir() && store.ValidKey(s.key(path)) != nil:
			found = s.key(path)
			return fs.SkipAll
		}
		return nil
	})
	return found, err
}

// key is the path below the root, with slashes.
func (s *Store) key(path string) string {
	return filepath.ToSlash(strings.TrimPrefix(strings.TrimPrefix(path, s.root), string(os.PathSeparator)))
}

var ofSystem = map[string]bool{"lost+found": true, "System Volume Information": true, "$RECYCLE.BIN": true}
