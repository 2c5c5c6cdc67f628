// Package cache keeps on the local disk what was read from registries that are
// far away: stretches of packs, checked-out trees, and the registers last seen.
//
//	packs/<hh>/<id>/<offset>-<length>   bytes of a pack, whatever its registry
//	trees/<digest>.<bytes>/files/       a version's directory; files are read-only
//	seen/<registry>/<key>               a register as it was last read
//	tmp/                                what is being made, and room set aside
//
// Packs and trees are named by their content, never change, and are used
// instead of the registry's. Registers change: a version is deleted, a tag
// moves. Those here are never used while the registry can be asked, but only
// by [Cache.Offline], whose answers may be old.
//
// Many processes share a cache and no file lock. Everything is written to tmp
// and renamed into place. Nothing is believed: bytes of packs are verified by
// the digests in the manifest that asked for them, and dropped if they are
// wrong; then they are read from the registry again. No flush is waited for:
// what a loss of power leaves is found damaged in the same way.
//
// A cache that cannot be written to is none: reads go to the registry, and
// a warning is logged once. So is one in a directory of another user, or one
// that everybody may write to: see [Cache.Check]. Where the disk is full before
// the budget is, old entries make room for new ones all the same.
package cache

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/mindtrace/registry/internal/beneath"
)

// DefaultBudget is how many bytes a cache may hold if nobody says otherwise.
const DefaultBudget = 10 << 30

// Options adjust Open. nil means the zero value.
type Options struct {
	// Dir is where the cache is. "" means $MINDREG_CACHE_DIR, or else mindreg
	// in the user's cache directory: $XDG_CACHE_HOME or ~/.cache; on macOS
	// ~/Library/Caches, on Windows %LocalAppData%.
	Dir string
	// Budget is how many bytes everything in it may take together, also what
	// is only half written. 0 means $MINDREG_CACHE_SIZE (such as 500MB, 20GiB, 0),
	// or else DefaultBudget; less than 0 means none at all: nothing is kept.
	Budget int64
	// Logger gets a warning if the cache cannot be used. nil: nothing.
	Logger *slog.Logger
}

// Cache is a directory that is shared with other processes. It may be used by
// many goroutines and registries at once, and holds nothing that must be closed.
type Cache struct {
	dir    string
	budget int64
	log    *slog.Logger
	warned sync.Once

	mu   sync.Mutex
	hold string // name of a file in tmp whose size is room set aside for this process
	held int64  // that size
	idle *time.Timer
}

// Open returns the cache of a directory. It reads and makes nothing yet.
func Open(opts *Options) (*Cache, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Dir == "" {
		o.Dir = os.Getenv("MINDREG_CACHE_DIR")
	}
	if o.Dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("no directory for the cache (set MINDREG_CACHE_DIR): %w", err)
		}
		o.Dir = filepath.Join(base, "mindreg")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if o.Budget == 0 {
		o.Budget = DefaultBudget
		if s := os.Getenv("MINDREG_CACHE_SIZE"); s != "" {
			n, err := ParseSize(s)
			if err != nil {
				return nil, fmt.Errorf("MINDREG_CACHE_SIZE: %w", err)
			}
			o.Budget = n
		}
	}
	c := &Cache{dir: dir, budget: max(o.Budget, 0), log: o.Logger}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// ParseSize reads a number of bytes such as 500MB, 20GiB or 0.
func ParseSize(s string) (int64, error) {
	n, err := humanize.ParseBytes(s)
	if err != nil || n > 1<<62 {
		return 0, fmt.Errorf("%q is not a size; write something like 500MB, 20GiB or 0", s)
	}
	return int64(n), nil
}

// Dir returns where the cache is.
func (c *Cache) Dir() string { return c.dir }

// Budget returns how many bytes the cache may take.
func (c *Cache) Budget() int64 { return c.budget }

// newTmp returns a new name for what is being made.
func newTmp() string { return path.Join(tmpDir, strings.ToLower(rand.Text()[:16])) }

// warn tells once that the cache is of no use.
func (c *Cache) warn(err error) {
	c.warned.Do(func() { c.log.Warn("the cache cannot be used; reading goes on without it", "dir", c.dir, "error", err) })
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumSize is how many bytes follow the contents of a cached file: their
// CRC-32C. It is what tells damage where no digest is at hand.
const sumSize = 4

// insert makes the file name with the given contents, unless there is no room
// for it.
func (c *Cache) insert(name string, contents ...[]byte) {
	switch err := c.tryInsert(name, contents); {
	case err == nil, errors.Is(err, errNoRoom):
	default:
		c.warn(err)
	}
}

func (c *Cache) tryInsert(name string, contents [][]byte) error {
	n, sum := int64(sumSize), uint32(0)
	for _, b := range contents {
		n += int64(len(b))
		sum = crc32.Update(sum, castagnoli, b)
	}
	if cost(n) > c.budget {
		return errNoRoom
	}
	root, err := c.prepare()
	if err != nil {
		return err
	}
	defer root.Close()
	contents = append(contents, []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return c.fitting(root, cost(n), func() error { return c.putFile(root, name, n, contents) })
}

func (c *Cache) putFile(root *os.Root, name string, n int64, contents [][]byte) error {
	tmp := newTmp()
	f, err := c.stage(root, tmp, n)
	if err != nil {
		return err
	}
	defer root.Remove(tmp) // nothing, once it was renamed
	for _, b := range contents {
		if _, err := f.Write(b); err != nil {
			f.Close()
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	for range 2 { // an empty directory may be removed beside this
		if err = root.MkdirAll(path.Dir(name), 0o700); err == nil {
			err = root.Rename(tmp, name)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return err
}

// readSound returns the contents of a cached file, if they are whole, and
// otherwise removes it.
func readSound(root *os.Root, name string) ([]byte, bool) {
	f, is, err := openFile(root, name)
	if err != nil {
		if errors.Is(err, beneath.ErrReplaced) {
			root.Remove(name)
		}
		return nil, false
	}
	defer f.Close()
	if n := is.Size() - sumSize; n >= 0 && is.Size() <= maxFile {
		b := make([]byte, is.Size())
		if _, err := io.ReadFull(f, b); err != nil {
			return nil, false
		}
		sum := crc32.Checksum(b[:n], castagnoli)
		if string(b[n:]) == string([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}) {
			return b[:n], true
		}
	}
	root.Remove(name)
	return nil, false
}

// touch marks an entry as just used.
func touch(root *os.Root, name string) {
	now := time.Now()
	root.Chtimes(name, now, now) // if not, it is thrown out earlier
}
