package filestore

import (
	"context"
	"io/fs"
	"strings"

	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/store"
)

var _ store.Shared = (*Store)(nil)

// Foreign implements store.Shared: it looks for a file whose name cannot be
// part of a key. Hidden files, empty directories, and the files that a file
// system keeps in its own top directory do not count.
func (s *Store) Foreign(ctx context.Context) (string, error) {
	found, err := s.foreignIn(ctx, "")
	return found, s.found(err)
}

func (s *Store) foreignIn(ctx context.Context, rel string) (found string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	d, err := s.openFolder(rel)
	if oserror.Of(err) == oserror.Absent {
		return "", nil // not made yet, or removed meanwhile
	}
	if err != nil {
		return "", err
	}
	defer d.close()
	var below []string
	_, err = d.each(func(name []byte, mode fs.FileMode) error {
		key := strings.TrimPrefix(rel+"/"+string(name), "/")
		switch {
		case name[0] == '.', ofSystem[string(name)], found != "":
		case mode.IsDir():
			below = append(below, key)
		case store.ValidKey(key) != nil, !mode.IsRegular():
			found = key
		}
		return nil
	})
	for _, key := range below {
		if err != nil || found != "" {
			break
		}
		found, err = s.foreignIn(ctx, key)
	}
	return found, err
}

// ofSystem are names that file systems keep in their top directory.
var ofSystem = map[string]bool{"lost+found": true, "System Volume Information": true, "$RECYCLE.BIN": true}
