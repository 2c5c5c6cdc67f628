package filestore

import (
	"context"
	"io/fs"
	"strings"

	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/store"
)

var _ store.Pruner = (*Store)(nil)

// Prune implements store.Pruner. It flushes nothing: a directory that comes
// back after a power failure is empty.
func (s *Store) Prune(ctx context.Context, prefix string) error {
	rel := strings.TrimSuffix(prefix, "/")
	err := s.pruneBelow(ctx, rel)
	for ; rel != "" && err == nil; rel = parent(rel) {
		var gone bool
		if gone, err = s.pruneOne(rel); !gone {
			break
		}
	}
	return s.found(err)
}

// pruneBelow removes the empty directories in the directory rel.
func (s *Store) pruneBelow(ctx context.Context, rel string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d, err := s.openFolder(rel)
	if oserror.Of(err) == oserror.Absent {
		return nil
	}
	if err != nil {
		return err
	}
	var below []string
	_, err = d.each(func(name []byte, mode fs.FileMode) error {
		if mode.IsDir() && store.ValidSegment(string(name)) == nil {
			below = append(below, strings.TrimPrefix(rel+"/"+string(name), "/"))
		}
		return nil
	})
	d.close()
	for _, dir := range below {
		if err == nil {
			err = s.pruneBelow(ctx, dir)
		}
		if err == nil {
			_, err = s.pruneOne(dir)
		}
	}
	return err
}

// pruneOne removes a directory if it is empty, and reports whether it is gone.
// It does not report why a removal fails; the next collection does.
func (s *Store) pruneOne(rel string) (gone bool, err error) {
	in, err := s.openFolder(parent(rel))
	if oserror.Of(err) == oserror.Absent {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer in.close()
	rmdir := func() error { return in.rmdir(base(rel)) }
	err = s.do(effect{op: opRemove, path: in.join(base(rel))}, rmdir)
	return err == nil || oserror.Of(err) == oserror.Absent, nil
}
