package filestore

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/store"
)

var _ store.Cleaner = (*Store)(nil)

// Clean implements store.Cleaner. It removes the temporary files of killed
// writers, and empty directories.
//
// A writer that was suspended since before that time finds its file gone and
// fails, with nothing changed. A writer whose directory is removed before it
// has put a file into it makes the directory again (docs/attacks.md, A49).
func (s *Store) Clean(ctx context.Context, prefixes []string, before time.Time, dryRun bool) (store.Cleaned, error) {
	c := &cleaning{ctx: ctx, s: s, prefixes: prefixes, before: before, dryRun: dryRun}
	err := s.here()
	if s.held.Load() == nil {
		return c.done, nil
	}
	if err == nil {
		_, err = c.dir("")
	}
	if err == nil {
		err = s.here()
	}
	return c.done, errors.Join(append(c.failed, translate(err))...)
}

type cleaning struct {
	ctx      context.Context
	s        *Store
	prefixes []string
	before   time.Time
	dryRun   bool
	done     store.Cleaned
	failed   []error // of removals
}

// dir cleans the directory rel, and reports whether it is empty now.
func (c *cleaning) dir(rel string) (empty bool, err error) {
	if err := c.ctx.Err(); err != nil {
		return false, err
	}
	d, err := c.s.openFolder(rel)
	if oserror.Of(err) == oserror.Absent || errors.Is(err, store.ErrForeign) {
		return false, nil // another process has pruned it, or put a link in its place
	}
	if err != nil {
		return false, err
	}
	defer d.close()
	type entry struct {
		name string
		mode fs.FileMode
	}
	var entries []entry
	if _, err := d.each(func(name []byte, mode fs.FileMode) error {
		entries = append(entries, entry{string(name), mode})
		return nil
	}); err != nil {
		return false, err
	}
	left := len(entries)
	for _, e := range entries {
		gone, err := c.entry(d, rel, e.name, e.mode)
		if err != nil {
			return false, err
		}
		if gone {
			left--
		}
	}
	return left == 0, nil
}

// entry cleans the entry of that name in d, and reports whether it is gone. It
// enters directories that can hold keys with one of the prefixes, and no links.
func (c *cleaning) entry(d *folder, rel, name string, mode fs.FileMode) (gone bool, err error) {
	switch {
	case strings.HasPrefix(name, tempPrefix) && mode.IsRegular():
		st, old := c.old(d, name)
		if !old || !c.remove(d, name, d.remove) {
			return false, nil
		}
		c.done.Files++
		c.done.Bytes += st.size
		return true, nil
	case store.ValidSegment(name) != nil, !mode.IsDir(), rel == "" && !slices.Contains(c.prefixes, name+"/"):
		return false, nil // lock files, and files that others have put there
	}
	_, old := c.old(d, name) // asked now, since removing its entries changes its time
	below := strings.TrimPrefix(rel+"/"+name, "/")
	if store.ValidKey(below) != nil {
		return false, nil // too deep for keys
	}
	empty, err := c.dir(below)
	if err != nil || !empty || !old || !c.remove(d, name, d.rmdir) {
		return false, err
	}
	c.done.Dirs++
	return true, nil
}

func (c *cleaning) old(d *folder, name string) (status, bool) {
	st, err := d.status(name)
	return st, err == nil && st.changed.Before(c.before)
}

// remove removes a file, or a directory if it is empty.
func (c *cleaning) remove(d *folder, name string, remove func(string) error) bool {
	if c.dryRun {
		return true
	}
	path := d.join(name)
	c.s.note("remove", path)
	err := c.s.do(effect{op: opRemove, path: path}, func() error { return remove(name) })
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotEmpty) {
		return err == nil // another process has just removed it, or put something into it
	}
	c.failed = append(c.failed, err)
	return false
}
