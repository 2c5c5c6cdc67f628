package filestore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mindtrace/registry/store"
)

var _ store.Cleaner = (*Store)(nil)

// Clean implements store.Cleaner. It removes temporary files, which killed
// writers leave, and empty directories.
//
// A writer that is not dead but was asleep since before that time finds its
// file gone and fails, with nothing changed. One that is about to put a file
// into a directory makes it again (attack A49).
func (s *Store) Clean(ctx context.Context, before time.Time, dryRun bool) (store.Cleaned, error) {
	c := &cleaning{ctx: ctx, s: s, before: before, dryRun: dryRun}
	_, err := c.dir(s.root)
	return c.done, errors.Join(append(c.failed, err)...)
}

type cleaning struct {
	ctx    context.Context
	s      *Store
	before time.Time
	dryRun bool
	done   store.Cleaned
	failed []error // removals
}

// dir cleans a directory, and reports whether it is empty now.
func (c *cleaning) dir(dir string) (empty bool, err error) {
	if err := c.ctx.Err(); err != nil {
		return false, err
	}
	f, err := openDir(dir)
	if errors.Is(translate(err), fs.ErrNotExist) {
		return false, nil // pruned by somebody else, or the store is not there yet
	}
	if err != nil {
		return false, err
	}
	entries, err := f.ReadDir(-1)
	f.Close()
	if err != nil {
		return false, err
	}
	left := len(entries)
	for _, e := range entries {
		gone, err := c.entry(filepath.Join(dir, e.Name()), e)
		if err != nil {
			return false, err
		}
		if gone {
			left--
		}
	}
	return left == 0, nil
}

// entry cleans what is called path, and reports whether it is gone.
func (c *cleaning) entry(path string, e fs.DirEntry) (gone bool, err error) {
	switch {
	case strings.HasPrefix(e.Name(), tempPrefix) && e.Type().IsRegular():
		fi, old := c.old(path)
		if !old || !c.remove(path) {
			return false, nil
		}
		c.done.Files++
		c.done.Bytes += fi.Size()
		return true, nil
	case store.ValidSegment(e.Name()) != nil:
		return false, nil // the locks, what others have put there
	case e.IsDir():
		_, old := c.old(path) // before its entries are removed, which makes it young
		empty, err := c.dir(path)
		if err != nil || !empty || !old || !c.remove(path) {
			return false, err
		}
		c.done.Dirs++
		return true, nil
	case e.Type()&fs.ModeSymlink != 0:
		if fi, err := os.Stat(path); err == nil && fi.IsDir() { // a part on another disk
			_, err := c.dir(path)
			return false, err
		}
	}
	return false, nil
}

func (c *cleaning) old(path string) (fs.FileInfo, bool) {
	fi, changed, err := stat(path)
	return fi, err == nil && changed.Before(c.before)
}

// remove removes a file, or a directory if it is empty.
func (c *cleaning) remove(path string) bool {
	if c.dryRun {
		return true
	}
	c.s.note("remove", path)
	err := c.s.do(effect{op: opRemove, path: path}, func() error { return os.Remove(path) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		if empty, rerr := isEmpty(path); rerr == nil && !empty {
			return false // somebody has just put something in
		}
		c.failed = append(c.failed, err)
	}
	return err == nil
}

func isEmpty(dir string) (bool, error) {
	f, err := openDir(dir)
	if err != nil {
		return false, err
	}
	defer f.Close()
	names, err := f.Readdirnames(1)
	return len(names) == 0, err
}
