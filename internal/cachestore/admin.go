package cachestore

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Amount is a number of entries and the bytes of the budget that they take.
type Amount struct {
	Entries int
	Bytes   int64
}

func (a *Amount) add(e entry) { a.Entries++; a.Bytes += e.size }

// Usage says how much a cache holds.
type Usage struct {
	Packs     Amount // stretches of packs
	Trees     Amount // checked-out versions
	Registers Amount // as they were last read, for offline mode
	Partial   Amount // being made, and room set aside
}

// Total returns the sum of all.
func (u *Usage) Total() Amount {
	var t Amount
	for _, a := range []Amount{u.Packs, u.Trees, u.Registers, u.Partial} {
		t.Entries, t.Bytes = t.Entries+a.Entries, t.Bytes+a.Bytes
	}
	return t
}

// Usage adds up what is in the cache. It returns an error if it cannot read all of
// it; see Check.
func (c *Cache) Usage() (*Usage, error) {
	u := new(Usage)
	root, err := c.open()
	if errors.Is(err, fs.ErrNotExist) {
		return u, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	all, _, err := c.entries(root)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		map[string]*Amount{packsDir: &u.Packs, treesDir: &u.Trees, seenDir: &u.Registers, tmpDir: &u.Partial}[e.kind].add(e)
	}
	return u, nil
}

// Prune removes what killed processes have left. Then it drops entries, those that
// were not used for longest first, until the rest takes at most limit bytes. A tree
// that was checked out within the last hour stays, unless limit is 0. Files that
// the cache has not made always stay. Prune returns what it has removed, and an
// error if it could not read or remove something.
func (c *Cache) Prune(limit int64) (Amount, error) {
	c.Release()
	before, err := c.Usage()
	if err != nil || before.Total().Entries == 0 {
		return Amount{}, err
	}
	root, err := c.open()
	if err != nil {
		return Amount{}, err
	}
	defer root.Close()
	all, total, err := c.entries(root)
	if err != nil {
		return Amount{}, err
	}
	_, failed := c.evict(root, all, total, limit, limit > 0)
	after, err := c.Usage()
	if err != nil {
		return Amount{}, err
	}
	was, is := before.Total(), after.Total()
	return Amount{was.Entries - is.Entries, was.Bytes - is.Bytes}, failed
}

// VerifyReport says what Verify has found.
type VerifyReport struct {
	Checked Amount // read, including what was dropped
	Dropped Amount // damaged, and removed
}

// Verify reads everything in the cache, and removes what is damaged. It returns an
// error if it cannot read or remove something.
func (c *Cache) Verify() (*VerifyReport, error) {
	r := new(VerifyReport)
	root, err := c.open()
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	all, _, failed := c.entries(root)
	for _, e := range all {
		if e.kind == tmpDir {
			continue
		}
		sound, err := verifyEntry(root, e)
		if err == nil && !sound {
			err = c.remove(root, e)
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		r.Checked.add(e)
		if !sound {
			r.Dropped.add(e)
		}
	}
	return r, failed
}

// verifyEntry reports whether an entry is undamaged. It returns an error if it
// cannot find out.
func verifyEntry(root *os.Root, e entry) (sound bool, err error) {
	if e.kind == treesDir {
		tree, err := openTree(root, e.name)
		if err == nil {
			defer tree.Close()
			err = verifyTree(tree, nil)
		}
		if errors.Is(err, fs.ErrPermission) && !errors.Is(err, errChanged) {
			return false, err
		}
		return err == nil, nil
	}
	f, _, err := openFile(root, e.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil // dropped in the meantime
	case errors.Is(err, fs.ErrPermission):
		return false, err
	case err == nil:
		f.Close()
	}
	_, sound = readSound(root, e.name)
	return sound, nil
}

// keys returns the keys with a prefix of the registers in the cache, in ascending
// order.
func (s *cached) keys(prefix string) ([]string, error) {
	root, err := s.c.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if is, err := root.Lstat(s.seen); err != nil || !is.IsDir() {
		return nil, nil
	}
	var keys []string
	err = fs.WalkDir(root.FS(), s.seen, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		if key := strings.TrimPrefix(name, s.seen+"/"); strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
		return nil
	})
	slices.Sort(keys)
	return keys, err
}
