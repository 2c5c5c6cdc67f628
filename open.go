package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/mindtrace/registry/cache"
	"github.com/mindtrace/registry/internal/cachestore"
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/lease"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/memory"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"

	_ "github.com/mindtrace/registry/store/filestore" // the default location is a directory
)

// Options adjust Open. nil means the zero value.
type Options struct {
	// Create makes a new registry if there is none.
	Create bool
	// CreateBucket makes the bucket of the registry if it does not exist, and implies
	// Create. For a directory it only implies Create.
	CreateBucket bool
	// Unversioned, for a new registry, keeps only the last version of an object: a
	// save replaces it. An existing registry stays as it is; if it keeps versions, the
	// error is ErrExists.
	Unversioned bool
	// Locking, for a new registry, says whether saves and loads take locks. With
	// LockingStrict each save holds the exclusive lock of its name while it commits,
	// and each load the shared lock until its last byte. That costs three requests
	// each, loads then need permission to write, and it is not needed for safety. An
	// existing registry stays as it is; if it has another Locking than LockingStrict
	// asks for, the error is ErrExists.
	Locking Locking
	// Cache keeps what is read from the registry on the local disk, and reads it from
	// there the next time, verified. nil: no cache. For a registry in a local
	// directory only Checkout uses it.
	Cache *cache.Cache
	// Offline reads only from Cache and sends no request to the registry. What it
	// reads may be old: versions may have been saved or deleted since, and tags moved.
	// Everything that the cache does not have, and every change, is ErrOffline.
	// Offline has no effect on a registry in a local directory.
	Offline bool
	// Compression says whether saves compress new data: CompressionAuto, which is the
	// default, or CompressionNone. Loads read both, and digests do not depend on it.
	Compression Compression
	// MemoryLimit is how many bytes of memory all running operations together may use
	// for the data that they move, at least MinMemoryLimit. 0 means 256 MiB, or a
	// quarter of the memory that the machine or its control group allows, or half of
	// $GOMEMLIMIT, whichever is least. An operation waits until it gets the least that
	// it needs, which is 52 MiB for saving a large object. It takes more while there
	// is more, and is faster then.
	//
	// Not counted are the first MiB of an object that is saved, lists of files, what
	// materializers hold, and garbage that Go has not collected. A materializer that
	// saves into the same registry during a save needs a limit that is enough for
	// both.
	MemoryLimit int64
	// Logger gets messages at the levels Debug and Info, and warnings. nil: no log.
	Logger *slog.Logger
	// Progress is called as data moves, by all operations that have no callback of
	// their own. Calls for one operation do not overlap.
	Progress func(Progress)

	times manifest.Times // shorter in tests
}

// Locking says whether the saves and loads of a registry take locks.
type Locking string

// Whether saves and loads take locks.
const (
	LockingNone   Locking = ""       // they take no locks, and need none to be safe
	LockingStrict Locking = "strict" // saves take the exclusive lock of the name, loads the shared one
)

// MinMemoryLimit is the least Options.MemoryLimit: 84 MiB.
const MinMemoryLimit = chunk.MinMemory

// Open opens the registry at a location: a directory, as a path or file:/// URL, or
// a bucket, as the URL of a backend that the program imports:
//
//	import _ "github.com/mindtrace/registry/store/s3store" // s3:
//
// "" means DefaultURL. Open creates a registry only with Options.Create. It sends
// one request if the registry exists.
//
// Errors: ErrNoRegistry, ErrNotEmpty, ErrExists, ErrNewer, ErrOffline, and those of
// the store.
func Open(ctx context.Context, location string, opts *Options) (*Registry, error) {
	o := value(opts)
	if location == "" {
		url, err := DefaultURL()
		if err != nil {
			return nil, wrap(ctx, OpOpen, "", err)
		}
		location = url
	}
	if o.Offline && o.Cache == nil {
		return nil, wrap(ctx, OpOpen, "", errors.New("offline mode reads only from a cache; give one (in Go: Options.Cache)"))
	}
	if o.Offline && !isLocal(location) {
		if o.Create || o.CreateBucket {
			return nil, wrap(ctx, OpOpen, location, errors.New("Options.Offline and Options.Create contradict each other: offline mode makes no registry"))
		}
		return open(ctx, cachestore.Of(o.Cache).Offline(location), location, o)
	}
	st, err := store.Open(ctx, location)
	if err != nil {
		return nil, wrap(ctx, OpOpen, "", err)
	}
	return open(ctx, st, location, o)
}

// OpenStore opens the registry in a store that the caller has made. url is the name
// of the registry in messages, in Info.Path and in the cache. Options.Offline is
// refused. Errors are those of Open.
func OpenStore(ctx context.Context, st store.Store, url string, opts *Options) (*Registry, error) {
	o := value(opts)
	if o.Offline {
		return nil, wrap(ctx, OpOpen, url, errors.New("Options.Offline works only with Open, not with a store that is given"))
	}
	return open(ctx, st, url, o)
}

// open opens the registry in a store, or makes a new one there.
func open(ctx context.Context, st store.Store, url string, o Options) (*Registry, error) {
	if err := checkCompression(o.Compression); err != nil {
		return nil, wrap(ctx, OpOpen, url, err)
	}
	budget, err := memory.New(o.MemoryLimit)
	if err != nil {
		return nil, wrap(ctx, OpOpen, url, err)
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if b, ok := store.As[store.BucketMaker](st); ok && o.CreateBucket {
		if err := b.MakeBucket(ctx); err != nil {
			return nil, wrap(ctx, OpOpen, url, err)
		}
	}
	o.Create = o.Create || o.CreateBucket
	l := ledger.New(url, budget, log)
	l.Compress = o.Compression != CompressionNone
	r := &Registry{ledger: l, cache: cachestore.Of(o.Cache), progress: o.Progress}
	if log.Enabled(ctx, slog.LevelDebug) {
		st = wrapstore.Log(st, log)
	}
	if !isLocal(url) {
		st = l.Paced(st)
	}
	l.Store = wrapstore.ObserveClock(wrapstore.Retry(st, wrapstore.RetryPolicy{}), l.Clock)
	if l.Offline = o.Offline && !isLocal(url); l.Offline {
		l.Store = st
	} else if r.cache != nil && !isLocal(url) {
		l.Store = r.cache.Wrap(l.Store, url)
	}
	l.Locks = lease.New(l.Store, l.Clock)
	fresh := (*manifest.Settings)(nil)
	if o.Create {
		fresh = manifest.NewSettings(time.Time{}, o.times)
		fresh.Unversioned, fresh.Locking = o.Unversioned, manifest.Locking(o.Locking)
	}
	body, _, err := l.Store.Get(cachestore.Use(ctx), manifest.SettingsKey, nil)
	if err := l.Begin(ctx, body, err, fresh); err != nil {
		return nil, wrap(ctx, OpOpen, url, err)
	}
	if o.Unversioned && !l.Settings.Unversioned {
		return nil, wrap(ctx, OpOpen, url, fmt.Errorf("a registry %w here and keeps versions, which cannot be changed; make an unversioned one at another place", ErrExists))
	}
	if o.Locking != LockingNone && o.Locking != Locking(l.Settings.Locking) {
		return nil, wrap(ctx, OpOpen, url, fmt.Errorf("a registry %w here and was not made with locking %q, which cannot be changed; make one at another place", ErrExists, o.Locking))
	}
	l.Log.DebugContext(ctx, "registry opened", "url", url, "id", l.Settings.ID, "unversioned", l.Settings.Unversioned)
	return r, nil
}

// isLocal reports whether a registry is in a directory. Its packs are on this disk
// already, so they are not cached.
func isLocal(location string) bool {
	u, err := store.ParseURL(location)
	return err == nil && u.Scheme == "file"
}
