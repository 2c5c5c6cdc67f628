// Package cache keeps on the local disk what was read from a remote registry: parts
// of packs, checked-out versions, and the registers that were last read. A later
// load of the same version reads them from the disk.
//
// A program calls [Open] and passes the [Cache] to the registries that it opens:
//
//	c, err := cache.Open(nil)
//	...
//	reg, err := registry.Open(ctx, "s3://bucket/models", &registry.Options{Cache: c})
//
// The other methods are upkeep: [Cache.Usage], [Cache.Prune], [Cache.Verify] and
// [Cache.Check].
//
// Many processes can share a cache; they need no lock. Nothing in it is trusted:
// the digests in a manifest verify the bytes of packs. Wrong bytes are dropped and
// read from the registry again.
//
// A cache that cannot be used does not make reads fail. They go to the registry,
// and a warning is logged once. That is the case if the directory cannot be written
// to, belongs to another user, or if everybody may write to it. If the disk is full
// before the budget is used up, old entries make room for new ones.
package cache

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"github.com/mindtrace/registry/internal/cachestore"
)

// DefaultBudget is how many bytes a cache may hold by default: 10 GiB.
const DefaultBudget = 10 << 30

// Options adjust Open. nil means the zero value.
type Options struct {
	// Dir is the directory of the cache. "" means $MINDREG_CACHE_DIR; or, if that
	// is not set, mindreg in the user's cache directory: $XDG_CACHE_HOME or
	// ~/.cache, on macOS ~/Library/Caches, on Windows %LocalAppData%.
	Dir string
	// Budget is how many bytes all entries may take together, including those that
	// are being written. 0 means $MINDREG_CACHE_SIZE (for example 500MB, 20GiB or
	// 0); or, if that is not set, DefaultBudget. With less than 0, nothing is kept.
	Budget int64
	// Logger gets a warning if the cache cannot be used. nil discards it.
	Logger *slog.Logger
}

// Cache is a directory that is shared with other processes. Many goroutines and
// registries may use it at once. It need not be closed.
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

// Open returns the cache in a directory. It does not read or make anything yet, so
// it fails only if an environment variable cannot be understood, or if there is no
// directory for the cache.
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

// ParseSize reads a number of bytes such as 500MB (500 million), 20GiB (20·2³⁰) or
// 0.
func ParseSize(s string) (int64, error) {
	n, err := humanize.ParseBytes(s)
	if err != nil || n > 1<<62 {
		return 0, fmt.Errorf("%q is not a size; write something like 500MB, 20GiB or 0", s)
	}
	return int64(n), nil
}

// Dir returns the directory of the cache.
func (c *Cache) Dir() string { return c.dir }

// Budget returns how many bytes the cache may take. 0 means that nothing is kept.
func (c *Cache) Budget() int64 { return c.budget }

// Check returns why the directory of the cache cannot be used, or nil. With
// fs.ErrPermission, it belongs to another user, everybody may write to it, or this
// user may not read it. A directory that does not exist yet can be used.
func (c *Cache) Check() error { return c.c.Check() }
