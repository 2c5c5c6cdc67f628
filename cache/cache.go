// Package cache keeps on the local disk what was read from registries that are
// far away: stretches of packs, checked-out trees, and the registers last seen.
// A program opens one and hands it to the registries that it opens, as
// Options.Cache; everything else here is upkeep.
//
// Many processes share a cache, without a lock. Nothing in it is trusted: bytes
// of packs are verified by the digests in the manifest that asked for them, and
// dropped if they are wrong; then they are read from the registry again.
//
// A cache that cannot be written to is not used: reads go to the registry, and
// a warning is logged once. The same holds for one in a directory of another
// user, and for one that everybody may write to: see [Cache.Check]. Where the
// disk is full before the budget is, old entries make room for new ones.
package cache

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"github.com/mindtrace/registry/internal/cachestore"
)

// DefaultBudget is how many bytes a cache may hold if nothing else is said.
const DefaultBudget = 10 << 30

// Options adjust Open. nil means the zero value.
type Options struct {
	// Dir is where the cache is. "" means $MINDREG_CACHE_DIR, or else mindreg
	// in the user's cache directory: $XDG_CACHE_HOME or ~/.cache; on macOS
	// ~/Library/Caches, on Windows %LocalAppData%.
	Dir string
	// Budget is how many bytes everything in it may take together, also what
	// is only half written. 0 means $MINDREG_CACHE_SIZE (such as 500MB, 20GiB, 0),
	// or else DefaultBudget; less than 0 means that nothing is kept.
	Budget int64
	// Logger gets a warning if the cache cannot be used. nil: nothing.
	Logger *slog.Logger
}

// Cache is a directory that is shared with other processes. It may be used by
// many goroutines and registries at once, and holds nothing that must be closed.
type Cache struct {
	dir    string
	budget int64
	c      *cachestore.Cache
}

func init() {
	cachestore.Of = func(handle any) *cachestore.Cache {
		if c, _ := handle.(*Cache); c != nil {
			return c.c
		}
		return nil
	}
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
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	budget := max(o.Budget, 0)
	return &Cache{dir, budget, cachestore.New(dir, budget, o.Logger)}, nil
}

// ParseSize reads a number of bytes such as 500MB, 20GiB or 0.
func ParseSize(s string) (int64, error) {
	n, err := humanize.ParseBytes(s)
	if err != nil || n > 1<<62 {
		return 0, fmt.Errorf("%q is not a size; write something like 500MB, 20GiB or 0", s)
	}
	return int64(n), nil
}

// Dir returns the directory of the cache.
func (c *Cache) Dir() string { return c.dir }

// Budget returns how many bytes the cache may take.
func (c *Cache) Budget() int64 { return c.budget }

// Check reports why the directory of the cache cannot be used: it belongs to
// another user, or everybody may write to it, or this user may not read it (all
// fs.ErrPermission). One that does not exist yet can be used.
func (c *Cache) Check() error { return c.c.Check() }
