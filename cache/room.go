package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The budget is kept by all processes together, without a lock: whoever wants
// to write n bytes first makes a file of n bytes without contents, then adds
// up everything there is, the files of others in tmp too, and throws out what
// was not used for longest until it fits. Only then does it write. Of two who
// do so at once, the one who adds up last sees the file of the other, so what
// is written never takes more than the budget. Adding up for every entry would
// be slow: a process sets aside room for the next ones, as a file in tmp, too.

const (
	// maxAge is when something in tmp has been abandoned. Whoever takes longer
	// touches it.
	maxAge = time.Hour
	// inUse is how long after its last checkout a tree is not thrown out.
	inUse = time.Hour
	// maxHold is how much room a process sets aside at most, in bytes: for 64
	// more of what it puts in.
	maxHold = 64 << 20
	// block is what sizes are rounded up to, as file systems do.
	block = 4 << 10
)

// patience is how long a tree that would fit waits for others to be done with
// what they put in; whoever makes a tree touches it more often.
var patience = time.Minute

var (
	errNoRoom = errors.New("no room in the cache")
	// errBusy is errNoRoom as long as others are putting in what they do.
	errBusy = fmt.Errorf("%w now", errNoRoom)
)

// cost is how many bytes of the budget a file takes.
func cost(size int64) int64 { return (size + block - 1) / block * block }

// entry is what is thrown out as one.
type entry struct {
	path string
	kind string // directory of the cache that it is in
	size int64  // cost, in bytes
	used time.Time
}

// stays tells what is not thrown out to make room.
func (e *entry) stays() bool {
	return e.kind == tmpDir || e.kind == treesDir && time.Since(e.used) < inUse
}

// usedSince tells a tree that was checked out after it was listed.
func (e *entry) usedSince() bool {
	if e.kind != treesDir {
		return false
	}
	info, err := os.Lstat(e.path)
	return err == nil && !info.ModTime().Equal(e.used)
}

// entries returns everything that takes room. What is being made comes first:
// so what is renamed into place meanwhile is seen at least once. What was
// abandoned in the making is removed on the way.
func (c *Cache) entries() (all []entry, total int64) {
	for _, kind := range []string{tmpDir, packsDir, treesDir, seenDir} {
		root := filepath.Join(c.dir, kind)
		filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // gone, or not ours
			}
			single := d.IsDir() && filepath.Dir(path) == root && (kind == tmpDir || kind == treesDir)
			if d.IsDir() && !single {
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return nil
			}
			e := entry{path, kind, cost(info.Size()), info.ModTime()}
			if single {
				e.size = treeSize(path)
				err = fs.SkipDir
			}
			if kind == tmpDir && time.Since(e.used) > maxAge && c.remove(e) {
				return err
			}
			all, total = append(all, e), total+e.size
			return err
		})
	}
	return all, total
}

// treeSize reads the size of a tree from its name.
func treeSize(path string) int64 {
	n, _ := strconv.ParseInt(strings.TrimPrefix(filepath.Ext(path), "."), 10, 64)
	return n
}

// remove throws an entry out. Who has it open reads on, where the system lets
// files be removed that are open; where not, they stay.
func (c *Cache) remove(e entry) bool {
	switch e.kind {
	case treesDir:
		return c.retire(e.path) == nil
	case tmpDir:
		return removeTree(e.path) == nil
	}
	if err := os.Remove(e.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if e.kind == packsDir {
		os.Remove(filepath.Dir(e.path)) // if it was the last
	}
	return true
}

// evict throws out what was not used for longest until what is left takes no
// more than limit. It returns what is left, in bytes.
func (c *Cache) evict(all []entry, total, limit int64, spareTrees bool) int64 {
	slices.SortFunc(all, func(a, b entry) int { return a.used.Compare(b.used) })
	for _, e := range all {
		if total <= limit {
			break
		}
		if e.kind == tmpDir || spareTrees && (e.stays() || e.usedSince()) {
			continue
		}
		if c.remove(e) {
			total -= e.size
		}
	}
	return total
}

// stage returns a new file in tmp for n bytes that there is room for.
func (c *Cache) stage(n int64) (*os.File, error) {
	if cost(n) > c.budget {
		return nil, errNoRoom
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.prepare(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(c.tmp(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err = f.Truncate(n); err == nil {
		err = c.admit(cost(n))
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, err
	}
	return f, nil
}

// admit makes room for n bytes that are there already, as a file or directory
// in tmp.
func (c *Cache) admit(n int64) error {
	if c.idle == nil {
		c.idle = time.AfterFunc(5*time.Second, c.Release)
	} else {
		c.idle.Reset(5 * time.Second)
	}
	if c.hold != "" && c.held >= n && os.Truncate(c.hold, c.held-n) == nil {
		c.held -= n
		return nil
	}
	c.dropHold() // used up, or somebody took it for abandoned
	c.setAside(min(c.budget/16, maxHold, 64*n) / block * block)
	all, total := c.entries()
	var fixed, trees int64
	for _, e := range all {
		if e.stays() {
			fixed += e.size
			if e.kind == treesDir {
				trees += e.size
			}
		}
	}
	if fixed > c.budget {
		fixed, total = fixed-c.held, total-c.held
		c.dropHold()
	}
	if trees+n > c.budget {
		return errNoRoom
	}
	if fixed > c.budget || c.evict(all, total, c.budget, true) > c.budget {
		return errBusy // if fixed is more, to throw out the rest would not help
	}
	return nil
}

// treeInMaking tells whether somebody is making a tree.
func (c *Cache) treeInMaking() bool {
	entries, _ := os.ReadDir(filepath.Join(c.dir, tmpDir))
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		info, err := e.Info()
		return err == nil && e.IsDir() && time.Since(info.ModTime()) < patience
	})
}

// setAside makes a file of n bytes without contents, if it can.
func (c *Cache) setAside(n int64) {
	f, err := os.OpenFile(c.tmp(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	c.hold = f.Name()
	err = f.Truncate(n)
	if f.Close(); err != nil {
		c.dropHold()
		return
	}
	c.held = n
}

func (c *Cache) dropHold() {
	if c.hold != "" {
		os.Remove(c.hold)
	}
	c.hold, c.held = "", 0
}

// Release gives back the room that was set aside for what comes next. It
// happens by itself after some seconds; a program that ends earlier leaves it
// to others for up to an hour, unless it calls Release.
func (c *Cache) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropHold()
}
