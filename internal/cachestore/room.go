package cachestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/oserror"
)

// All processes keep the budget together, without a lock. A process that wants to
// write n bytes first makes a file in tmp of n bytes without contents. Then it adds
// up all entries, including the files of others in tmp, and drops those that were
// not used for longest until the sum fits the budget. Only then it writes. If two
// processes do this at once, the one that adds up last sees the file of the other.
// So the bytes that are written never take more than the budget.
//
// Adding up for every entry would be slow. So a process also sets aside room for
// the entries that follow, as another file in tmp.

const (
	// maxAge is the age at which an entry in tmp counts as abandoned. A process
	// that takes longer touches its entry.
	maxAge = time.Hour
	// inUse is how long a tree is kept after its last checkout.
	inUse = time.Hour
	// maxHold is the most room that a process sets aside, in bytes. It sets aside
	// room for 64 entries of the size of the last one.
	maxHold = 64 << 20
	// block is the size of a block of the file system, in bytes. Sizes are rounded
	// up to it.
	block = 4 << 10
)

// patience is how long a tree that would fit waits while others add entries. A
// process that makes a tree touches it more often than that.
var patience = time.Minute

var (
	errNoRoom = errors.New("no room in the cache")
	// errBusy is an errNoRoom that may end: others are adding entries.
	errBusy = fmt.Errorf("%w now", errNoRoom)
)

// cost returns how many bytes of the budget a file of size bytes takes.
func cost(size int64) int64 { return (size + block - 1) / block * block }

// entry is a file or tree that is dropped as a whole.
type entry struct {
	name string // below the directory of the cache
	kind string // directory of the cache that it is in
	size int64  // cost, in bytes
	used time.Time
}

// stays reports whether the entry is kept even if room is needed.
func (e *entry) stays() bool {
	return e.kind == tmpDir || e.kind == treesDir && time.Since(e.used) < inUse
}

// usedSince reports whether the entry is a tree that was checked out after it was
// listed.
func (e *entry) usedSince(root *os.Root) bool {
	if e.kind != treesDir {
		return false
	}
	info, err := root.Lstat(e.name)
	return err == nil && !info.ModTime().Equal(e.used)
}

// patterns returns the patterns of the names that a cache gives to entries, by
// kind. Files with other names are not counted and not removed. The patterns are
// compiled at first use: most programs never need them.
var patterns = sync.OnceValue(func() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{
		tmpDir:   regexp.MustCompile(`^tmp/[a-z2-7]{16}(\.[0-9]+)?$`),
		packsDir: regexp.MustCompile(`^packs/[^/]{1,2}/[^/]+/[0-9]+-[0-9]+$`),
		treesDir: regexp.MustCompile(`^trees/[0-9a-f]{64}\.[0-9]+$`),
		seenDir:  regexp.MustCompile(`^seen/[0-9a-f]{32}/.+$`),
	}
})

// entries returns all entries, and how many bytes they take. It removes the
// abandoned ones in tmp. It returns an error if it cannot read everything.
func (c *Cache) entries(root *os.Root) (all []entry, total int64, failed error) {
	ours := patterns()
	for _, kind := range kinds {
		if _, err := root.Lstat(kind); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		err := fs.WalkDir(root.FS(), kind, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				if !errors.Is(err, fs.ErrNotExist) { // else it was dropped in the meantime
					failed = errors.Join(failed, err)
				}
				return nil
			}
			single := kind == tmpDir || kind == treesDir // directories are entries
			if !ours[kind].MatchString(name) || d.IsDir() && !single {
				if d.IsDir() && single && name != kind {
					return fs.SkipDir
				}
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return nil
			}
			e := entry{name, kind, cost(info.Size()), info.ModTime()}
			if d.IsDir() {
				e.size = treeSize(name)
				err = fs.SkipDir
			}
			if kind == tmpDir && time.Since(e.used) > maxAge && c.remove(root, e) == nil {
				return err
			}
			all, total = append(all, e), total+e.size
			return err
		})
		failed = errors.Join(failed, err)
	}
	if failed != nil {
		failed = fmt.Errorf("cache %s cannot be read: %w", c.dir, failed)
	}
	return all, total, failed
}

// treeSize returns the size of a tree, which is in its name.
func treeSize(name string) int64 {
	n, _ := strconv.ParseInt(strings.TrimPrefix(path.Ext(name), "."), 10, 64)
	return n
}

// remove drops an entry. A process that has a file of it open can still read it.
// Where the system does not remove open files, they stay.
func (c *Cache) remove(root *os.Root, e entry) error {
	switch e.kind {
	case treesDir:
		return retire(root, e.name)
	case tmpDir:
		return removeTree(root, e.name)
	}
	if err := root.Remove(e.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if e.kind == packsDir {
		root.Remove(path.Dir(e.name)) // succeeds if it is empty
	}
	return nil
}

// evict drops the entries that were not used for longest, until the rest takes at
// most limit bytes. With spareTrees set, it keeps trees in use. It returns how many
// bytes are left, and why entries could not be removed.
func (c *Cache) evict(root *os.Root, all []entry, total, limit int64, spareTrees bool) (left int64, failed error) {
	slices.SortFunc(all, func(a, b entry) int { return a.used.Compare(b.used) })
	for _, e := range all {
		if total <= limit {
			break
		}
		if e.kind == tmpDir || spareTrees && (e.stays() || e.usedSince(root)) {
			continue
		}
		if err := c.remove(root, e); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		total -= e.size
	}
	return total, failed
}

// fitting calls do, which writes n bytes. If the disk is full, though the budget is
// not, it drops n bytes of the entries that were not used for longest, and calls do
// again, as long as there are entries to drop.
func (c *Cache) fitting(root *os.Root, n int64, do func() error) error {
	for {
		err := do()
		if oserror.Of(err) != oserror.Full {
			return err
		}
		c.Release()
		all, total, _ := c.entries(root)
		if left, _ := c.evict(root, all, total, max(total-n, 0), true); left >= total {
			return fmt.Errorf("%w: %w", errNoRoom, err)
		}
	}
}

// stage makes the file tmp of n bytes, and makes room for it.
func (c *Cache) stage(root *os.Root, tmp string, n int64) (*os.File, error) {
	if cost(n) > c.budget {
		return nil, errNoRoom
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f, err := root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err = f.Truncate(n); err == nil {
		err = c.admit(root, cost(n))
	}
	if err != nil {
		f.Close()
		root.Remove(tmp)
		return nil, err
	}
	return f, nil
}

// admit makes room for n bytes that already count, as a file or directory in tmp.
func (c *Cache) admit(root *os.Root, n int64) error {
	if c.idle == nil {
		c.idle = time.AfterFunc(5*time.Second, c.Release)
	} else {
		c.idle.Reset(5 * time.Second)
	}
	if c.hold != "" && c.held >= n && resize(root, c.hold, c.held-n) == nil {
		c.held -= n
		return nil
	}
	c.dropHold(root) // used up, or removed as abandoned
	c.setAside(root, min(c.budget/16, maxHold, 64*n)/block*block)
	all, total, err := c.entries(root)
	if err != nil {
		return err
	}
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
		c.dropHold(root)
	}
	if trees+n > c.budget {
		return errNoRoom
	}
	if fixed > c.budget {
		return errBusy // dropping the rest would not help
	}
	if left, _ := c.evict(root, all, total, c.budget, true); left > c.budget {
		return errBusy
	}
	return nil
}

// treeInMaking reports whether another process is making a tree.
func treeInMaking(root *os.Root) bool {
	entries, _ := beneath.ReadDirIn(root, tmpDir)
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		info, err := e.Info()
		return err == nil && e.IsDir() && time.Since(info.ModTime()) < patience
	})
}

// resize sets the size of an existing file, in bytes.
func resize(root *os.Root, name string, n int64) error {
	f, err := root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Truncate(n)
}

// setAside makes a file of n bytes without contents. If that fails, nothing is set
// aside.
func (c *Cache) setAside(root *os.Root, n int64) {
	c.hold = newTmp()
	f, err := root.OpenFile(c.hold, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		c.hold = ""
		return
	}
	err = f.Truncate(n)
	if f.Close(); err != nil {
		c.dropHold(root)
		return
	}
	c.held = n
}

// dropHold gives back the room that is set aside. The caller holds c.mu.
func (c *Cache) dropHold(root *os.Root) {
	if c.hold != "" {
		root.Remove(c.hold)
	}
	c.hold, c.held = "", 0
}

// Release gives back the room that is set aside for the next entries. Otherwise
// that happens after some seconds; and if the program ends before, other processes
// remove it after an hour.
func (c *Cache) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hold == "" {
		return
	}
	if root := c.look(); root != nil {
		defer root.Close()
		c.dropHold(root)
	}
}
