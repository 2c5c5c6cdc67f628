package filestore

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/store"
)

// A listing is made of pages. A page is read again until two readings in
// a row agree. The reason: while a directory changes, a reading may show a new
// file and miss an older one (on ext4, one listing in six beside busy
// writers). After two equal readings, the page has every file that existed
// before the oldest file of the page was begun. A page that is one directory,
// read at one moment, is not read again.
//
// Beside writers that never pause, two readings of a large directory never
// agree as a whole. After a while, the page ends where they begin to differ.
const (
	smallPage = 1 << 5  // keys, if the caller expects few
	firstPage = 1 << 10 // keys; later pages are larger
	maxPage   = 1 << 16
	patience  = 3 * time.Second // for the first page, which may be the whole listing
)

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		var in *folder // directory of the last key, and mostly of the next one too
		defer func() { in.close() }()
		for key, err := range s.Keys(ctx, prefix, after) {
			info := store.Info{}
			if err == nil {
				info, err = s.statListed(ctx, &in, key)
				if errors.Is(err, fs.ErrNotExist) {
					continue // deleted meanwhile
				}
				if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrNoRoot) {
					err = &store.UnreadableError{Prefix: key, Err: err}
				}
			}
			if !yield(info, err) || err != nil && !errors.As(err, new(*store.UnreadableError)) {
				return
			}
		}
	}
}

// statListed is Stat for a listed key. It goes through the directory of the
// key, which it keeps open in *in.
func (s *Store) statListed(ctx context.Context, in **folder, key string) (store.Info, error) {
	if dir := s.path(parent(key)); *in == nil || (*in).path != dir {
		(*in).close()
		if *in, _ = s.openFolder(parent(key)); *in == nil {
			return s.Stat(ctx, key)
		}
	}
	st, err := (*in).status(base(key))
	if err != nil || !st.mode.IsRegular() || ctx.Err() != nil { // the directory may have been made anew
		return s.Stat(ctx, key)
	}
	return s.info(key, st), nil
}

// Keys implements store.KeyLister: it reads directories, and no files.
func (s *Store) Keys(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		// All keys with the prefix lie below its last slash. If that part
		// cannot begin a key ("../", ".locks/"), there are no keys.
		top := prefix[:strings.LastIndexByte(prefix, '/')+1]
		if top != "" && store.ValidKey(strings.TrimSuffix(top, "/")) != nil {
			return
		}
		deadline := time.Now().Add(s.patience)
		size := firstPage
		if store.Expected(ctx) > 0 {
			size = smallPage // the caller may want the first key only
		}
		for ; ; size = min(size*4, maxPage) {
			w := walk{ctx: ctx, store: s, prefix: prefix, after: after, size: size, highest: store.HighestOf(ctx)}
			keys, more, err := w.page(top, deadline)
			if err = s.found(err); err != nil {
				yield("", err)
				return
			}
			for _, key := range keys {
				if err := w.bad[key]; err != nil {
					if !yield("", &store.UnreadableError{Prefix: key, Err: err}) {
						return
					}
					continue
				}
				if len(key) > shortKey && store.ValidKey(key) != nil {
					continue // too long as a whole
				}
				if !yield(key, nil) {
					return
				}
			}
			if !more {
				return
			}
			after = keys[len(keys)-1]
			if w.bad[after] != nil {
				after = (&store.UnreadableError{Prefix: after}).After()
			}
			deadline = time.Time{}
		}
	}
}

// walk collects the keys of one page, in order.
type walk struct {
	ctx           context.Context
	store         *Store
	prefix, after string
	size          int
	highest       int // if not 0, collect only so many of the highest keys, from the highest down

	keys   []string         // found, and the prefixes of directories that cannot be read
	bad    map[string]error // why these cannot be read
	dirs   int              // how many directories were read
	moment bool             // the last of them was read at one moment
}

// shortKey is a length below which a path is never too long for a key.
const shortKey = 256

var _ store.Picker = (*Store)(nil)

// PicksHighest implements store.Picker.
func (s *Store) PicksHighest() {}

var errPageFull = errors.New("page is full")

// page returns the keys of the page, and whether more may follow.
func (w *walk) page(top string, deadline time.Time) ([]string, bool, error) {
	for try := 0; ; try++ {
		last := w.keys
		w.keys, w.bad, w.dirs = nil, map[string]error{}, 0
		err := w.dir(top)
		if err != nil && err != errPageFull {
			return nil, false, err
		}
		if w.highest > 0 {
			slices.Reverse(w.keys)
			err = nil // the keys below these are not wanted
		}
		if w.dirs == 1 && w.moment {
			return w.keys, err == errPageFull, nil
		}
		if try == 0 {
			continue
		}
		n := 0
		for n < len(last) && n < len(w.keys) && last[n] == w.keys[n] {
			n++
		}
		switch {
		case n == len(last) && n == len(w.keys):
			return w.keys, err == errPageFull, nil
		case w.highest > 0 && time.Now().After(deadline):
			w.highest, w.keys, try = 0, nil, -1
		case n > 0 && time.Now().After(deadline):
			return w.keys[:n], true, nil
		}
	}
}

// dir collects the keys below the directory of key prefix rel, which is empty
// or ends in a slash.
func (w *walk) dir(rel string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	w.store.note("readdir", w.store.path(rel))
	keys, moment, err := w.read(rel)
	w.dirs++
	w.moment = moment && !w.store.piecemeal
	if oserror.Of(err) == oserror.Absent {
		w.moment = true // there is nothing to miss
		return nil
	}
	if err != nil {
		if rel == "" || w.ctx.Err() != nil || errors.Is(err, store.ErrNoRoot) {
			return err // the whole listing fails
		}
		if w.highest > 0 {
			return &store.UnreadableError{Prefix: rel, Err: err} // it may hold higher keys
		}
		w.keys, w.bad[rel] = append(w.keys, rel), err
		return nil
	}
	if w.highest > 0 {
		slices.Reverse(keys)
	}
	for _, key := range keys {
		if sub, ok := strings.CutSuffix(key, "/"); ok {
			// All keys in the directory sub start with key.
			overlaps := strings.HasPrefix(key, w.prefix) || strings.HasPrefix(w.prefix, key)
			passed := w.after > key && (!strings.HasPrefix(w.after, key) || w.after == key+store.AfterAll)
			if !overlaps || passed {
				continue
			}
			if err := w.dir(sub + "/"); err != nil {
				return err
			}
			if w.highest == 0 && len(w.keys) >= w.size {
				return errPageFull
			}
		} else {
			w.keys = append(w.keys, key)
		}
		if w.highest > 0 && len(w.keys) >= w.highest {
			return errPageFull
		}
	}
	return nil
}

// read opens the directory of key prefix rel and reads it: see readDir.
func (w *walk) read(rel string) (keys []string, moment bool, err error) {
	d, err := w.store.openFolder(strings.TrimSuffix(rel, "/"))
	if err != nil {
		return nil, false, err
	}
	defer d.close()
	return w.readDir(d, rel)
}

// readDir returns the entries of a directory, as keys that begin with rel.
// Those of subdirectories end in a slash. They are in the order of keys: "a-b"
// comes before "a/". moment reports whether the directory was in that state at
// one moment.
//
// A symbolic link in the place of a key or of a directory of keys cannot be
// read, so it is an error if it is in the range. Without it, a listing would
// look complete, and a collection would delete the packs that only the hidden
// registers name.
func (w *walk) readDir(d *folder, rel string) (keys []string, moment bool, err error) {
	var dirs, links []string
	var key []byte
	lowest := w.after // keys up to this one are not wanted
	moment, err = d.each(func(name []byte, mode fs.FileMode) error {
		key = append(append(key[:0], rel...), name...)
		if mode.IsRegular() && string(key) <= lowest {
			return nil
		}
		whole := string(key)
		if store.ValidSegment(whole[len(rel):]) != nil {
			return nil // temporary files, locks, files that others have put there
		}
		switch {
		case mode&fs.ModeSymlink != 0:
			if whole <= w.after || !w.concerns(whole) {
				return nil // reported on an earlier page, or not in the range
			}
			err := foreign("list", d.join(string(name)), isLink)
			if w.highest > 0 {
				return err
			}
			links, w.bad[whole] = append(links, whole), err
			return nil
		case mode.IsDir():
			dirs = append(dirs, whole+"/")
			return nil
		case !mode.IsRegular(), !strings.HasPrefix(whole, w.prefix), whole <= lowest:
			return nil // not a key, or not wanted
		}
		if keys = append(keys, whole); w.highest > 0 && len(keys) == 2*w.highest {
			keys = w.cut(keys)
			lowest = keys[0]
		}
		return nil
	})
	if w.highest > 0 && len(keys) > w.highest {
		keys = w.cut(keys)
	}
	keys = append(append(keys, links...), dirs...)
	slices.Sort(keys)
	return keys, moment, err
}

// cut returns the w.highest highest of keys, in order.
func (w *walk) cut(keys []string) []string {
	slices.Sort(keys)
	return keys[:copy(keys, keys[len(keys)-w.highest:])]
}

// concerns reports whether the listed range includes this key, or keys in
// a directory of this name.
func (w *walk) concerns(key string) bool {
	return strings.HasPrefix(key, w.prefix) && key > w.after ||
		strings.HasPrefix(w.prefix, key+"/") || strings.HasPrefix(key+"/", w.prefix) && key+"0" > w.after // '0' follows '/'
}
