package cache

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/mindtrace/registry/manifest"
)

// Amount is a number of entries and the bytes of the budget that they take.
type Amount struct {
	Entries int   `json:"entries"`
	Bytes   int64 `json:"bytes"`
}

func (a *Amount) add(e entry) { a.Entries++; a.Bytes += e.size }

// Usage tells what is in a cache.
type Usage struct {
	Dir       string `json:"dir"`
	Budget    int64  `json:"budget"`
	Packs     Amount `json:"packs"`     // stretches of packs
	Trees     Amount `json:"trees"`     // checked-out versions
	Registers Amount `json:"registers"` // as last seen, for reading offline
	Partial   Amount `json:"partial"`   // being made, and set aside
	Total     Amount `json:"total"`
}

// Usage adds up what is in the cache.
func (c *Cache) Usage() *Usage {
	u := &Usage{Dir: c.dir, Budget: c.budget}
	all, _ := c.entries()
	for _, e := range all {
		map[string]*Amount{packsDir: &u.Packs, treesDir: &u.Trees, seenDir: &u.Registers, tmpDir: &u.Partial}[e.kind].add(e)
		u.Total.add(e)
	}
	return u
}

// Prune removes what killed processes have left, and throws out what was not
// used for longest until the rest takes no more than limit bytes. A tree that
// was checked out within the hour stays, unless limit is 0. It returns what it
// has removed.
func (c *Cache) Prune(limit int64) Amount {
	c.Release()
	before := c.Usage().Total
	all, total := c.entries()
	c.evict(all, total, limit, limit > 0)
	after := c.Usage().Total
	return Amount{before.Entries - after.Entries, before.Bytes - after.Bytes}
}

// VerifyReport tells what Verify has found.
type VerifyReport struct {
	Checked Amount `json:"checked"`
	Dropped Amount `json:"dropped"` // damaged, and removed
}

// Verify reads everything in the cache and removes what is damaged.
func (c *Cache) Verify() *VerifyReport {
	var r VerifyReport
	all, _ := c.entries()
	for _, e := range all {
		sound := true
		switch e.kind {
		case tmpDir:
			continue
		case treesDir:
			if sound = verifyTree(e.path) == nil; !sound {
				c.remove(e)
			}
		default:
			_, sound = readSound(e.path)
			if _, err := os.Lstat(e.path); !sound && err == nil {
				c.remove(e)
			}
		}
		r.Checked.add(e)
		if !sound {
			r.Dropped.add(e)
		}
	}
	return &r
}

// verifyTree compares the files of a tree with their digests.
func verifyTree(path string) error {
	list, err := os.ReadFile(filepath.Join(path, listName))
	if err != nil {
		return err
	}
	var files []manifest.File
	if err := json.Unmarshal(list, &files); err != nil {
		return err
	}
	if err := checkTree(path, files); err != nil {
		return err
	}
	for _, f := range files {
		if !f.Regular() {
			continue
		}
		r, err := os.Open(filepath.Join(path, filesName, filepath.FromSlash(f.Path)))
		if err != nil {
			return err
		}
		h := sha256.New()
		_, err = io.Copy(h, r)
		r.Close()
		if err != nil {
			return err
		}
		if manifest.Digest(h.Sum(nil)) != f.SHA256 {
			return fmt.Errorf("%s does not have its digest", f.Path)
		}
	}
	return nil
}

// keys returns the keys below prefix that were seen, in ascending order.
func (s *cached) keys(prefix string) []string {
	var keys []string
	filepath.WalkDir(s.seen, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if rel, err := filepath.Rel(s.seen, path); err == nil {
			if key := filepath.ToSlash(rel); len(key) >= len(prefix) && key[:len(prefix)] == prefix {
				keys = append(keys, key)
			}
		}
		return nil
	})
	slices.Sort(keys)
	return keys
}
