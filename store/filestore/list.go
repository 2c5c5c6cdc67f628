package filestore

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mindtrace/registry/store"
)

// A listing is made of pages. A page is read again until two readings in
// a row agree: a directory that changes while it is read may miss files that
// were there before others that it shows (on ext4, one listing in six beside
// busy writers). Then every file that was there before any file of the page
// was begun is in the page.
const (
	firstPage = 1 << 10 // keys; later pages are larger
	maxPage   = 1 << 16
)

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for size := firstPage; ; size = min(size*4, maxPage) {
			keys, more, err := s.page(ctx, prefix, after, size)
			if err != nil {
				yield(store.Info{}, err)
				return
			}
			for _, key := range keys {
				info, err := s.Stat(ctx, key)
				if errors.Is(err, fs.ErrNotExist) {
					continue // deleted since
				}
				if !yield(info, err) || err != nil {
					return
				}
			}
			if !more {
				return
			}
			after = keys[len(keys)-1]
		}
	}
}

// page returns the keys of the next page, and whether there may be more.
func (s *Store) page(ctx context.Context, prefix, after string, size int) ([]string, bool, error) {
	var last walk
	for try := 0; ; try++ {
		w := walk{ctx: ctx, prefix: prefix, after: after, size: size}
		// All keys with the prefix lie below its last slash.
		top := prefix[:strings.LastIndexByte(prefix, '/')+1]
		err := w.dir(s.root, top)
		if err != nil && err != errPageFull {
			return nil, false, err
		}
		w.full = err == errPageFull
		if try > 0 && slices.Equal(w.keys, last.keys) {
			return w.keys, w.full, nil
		}
		last = w
	}
}

// walk collects the keys of one page, in order.
type walk struct {
	ctx           context.Context
	prefix, after string
	size          int

	keys []string
	full bool
}

var errPageFull = errors.New("page is full")

// dir collects the keys below the directory of key prefix rel, which is empty
// or ends in a slash.
func (w *walk) dir(root, rel string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	entries, err := readDir(filepath.Join(root, filepath.FromSlash(rel)))
	if err != nil {
		if errors.Is(translate(err), fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for _, e := range entries {
		key := rel + e
		if sub, ok := strings.CutSuffix(key, "/"); ok {
			// Everything below sub starts with key.
			overlaps := strings.HasPrefix(key, w.prefix) || strings.HasPrefix(w.prefix, key)
			passed := w.after > key && !strings.HasPrefix(w.after, key)
			if !overlaps || passed {
				continue
			}
			if err := w.dir(root, sub+"/"); err != nil {
				return err
			}
			if len(w.keys) >= w.size {
				return errPageFull
			}
		} else if strings.HasPrefix(key, w.prefix) && key > w.after {
			w.keys = append(w.keys, key)
		}
	}
	return nil
}

// readDir returns the names in a directory, directories with a slash at the
// end, in the order of the keys that they begin: "a-b" comes before "a/".
func readDir(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		name := e.Name()
		if store.ValidSegment(name) != nil {
			continue // temporaries, locks, what others have put there
		}
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 { // somebody moved a part to another disk
			fi, err := os.Stat(filepath.Join(dir, name))
			isDir = err == nil && fi.IsDir()
		}
		if isDir {
			name += "/"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}
