// Package cache keeps on the local disk what was read from registries that are
// far away: stretches of packs, checked-out trees, and the registers last seen.
//
//	packs/<hh>/<id>/<offset>-<length>   bytes of a pack, whatever its registry
//	trees/<digest>.<bytes>/files/       a version's files, read-only
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
// A cache that cannot be written to, or is full, is none: reads go to the
// registry, and a warning is logged once.
package cache

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
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
	hold string // a file in tmp whose size is room set aside for this process
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

const (
	packsDir = "packs"
	treesDir = "trees"
	seenDir  = "seen"
	tmpDir   = "tmp"

	// https://bford.info/cachedir/
	tagName = "CACHEDIR.TAG"
	tagBody = "Signature: 8a477f597d28d172789f06886806bc55\n# Copies of what mindreg has read. They may be deleted at any time.\n"
)

// IsCache reports whether dir is the directory of a cache.
func IsCache(dir fs.FS) bool {
	if fi, err := fs.Stat(dir, tagName); err != nil || fi.Size() != int64(len(tagBody)) || !fi.Mode().IsRegular() {
		return false
	}
	tag, err := fs.ReadFile(dir, tagName)
	return err == nil && string(tag) == tagBody
}

// prepare makes the directory for what is being made.
func (c *Cache) prepare() error {
	if err := os.MkdirAll(filepath.Join(c.dir, tmpDir), 0o700); err != nil {
		return err
	}
	tag := filepath.Join(c.dir, tagName)
	if _, err := os.Lstat(tag); errors.Is(err, fs.ErrNotExist) {
		return os.WriteFile(tag, []byte(tagBody), 0o600)
	}
	return nil
}

// tmp returns a new path for what is being made.
func (c *Cache) tmp() string {
	return filepath.Join(c.dir, tmpDir, strings.ToLower(rand.Text()[:16]))
}

// warn tells once that the cache is of no use.
func (c *Cache) warn(err error) {
	c.warned.Do(func() { c.log.Warn("the cache cannot be used; reading goes on without it", "dir", c.dir, "error", err) })
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumSize is how many bytes follow the contents of a cached file: their
// CRC-32C. It is what tells damage where no digest is at hand.
const sumSize = 4

// insert makes the file at path with the given contents, unless there is no
// room for it.
func (c *Cache) insert(path string, contents ...[]byte) {
	if err := c.tryInsert(path, contents); err != nil && !errors.Is(err, errNoRoom) {
		c.warn(err)
	}
}

func (c *Cache) tryInsert(path string, contents [][]byte) error {
	n, sum := int64(sumSize), uint32(0)
	for _, b := range contents {
		n += int64(len(b))
		sum = crc32.Update(sum, castagnoli, b)
	}
	f, err := c.stage(n)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // nothing, once it was renamed
	for _, b := range append(contents, []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}) {
		if _, err := f.Write(b); err != nil {
			f.Close()
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	for range 2 { // an empty directory may be removed beside this
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.Rename(f.Name(), path)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return err
}

// readSound returns the contents of a cached file, if they are whole, and
// otherwise removes it.
func readSound(path string) ([]byte, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, false
	}
	if n := len(b) - sumSize; n >= 0 {
		sum := crc32.Checksum(b[:n], castagnoli)
		if string(b[n:]) == string([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}) {
			return b[:n], true
		}
	}
	os.Remove(path)
	return nil, false
}

// touch marks an entry as just used.
func touch(path string) {
	now := time.Now()
	os.Chtimes(path, now, now) // if not, it is thrown out earlier
}
