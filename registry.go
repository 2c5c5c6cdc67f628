package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"time"

	"github.com/mindtrace/registry/cache"
	"github.com/mindtrace/registry/internal/cachestore"
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/lease"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/memory"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/store"

	_ "github.com/mindtrace/registry/store/filestore"
	"github.com/mindtrace/registry/version"
)

// the default location is a directory

// Version is a semantic version, such as 1.2.3 or 2.0.0-rc.1.
type Version = version.Version

// ParseVersion reads a version; "1", "1.2" and "v1.2.3" mean 1.0.0, 1.2.0
// and 1.2.3.
func ParseVersion(s string) (Version, error) {
	v, err := version.Parse(s)
	return v, wrap(context.Background(), OpParseVersion, s, err)
}

// Path is a file or directory on disk, as a value to save or the target of
// a load.
type Path = material.Path

// Options adjust Open. nil means the zero value.
type Options struct {
	// Create makes a new registry where there is none.
	Create bool
	// CreateBucket makes the bucket of the registry if it does not exist. It
	// does nothing for a directory. It implies Create.
	CreateBucket bool
	// Unversioned, for a new registry: a save replaces the object. An existing
	// registry stays what it is; to ask this of one that keeps versions is
	// ErrExists.
	Unversioned bool
	// Locking, for a new registry: LockingNone, or LockingStrict to have every save take the
	// exclusive lock of the name around its commit, and every load the shared
	// one until its last byte, at three requests each. Neither needs it to be
	// safe, and loading then takes permission to write. An existing registry
	// stays what it is; to ask this of one that is not strict is ErrExists.
	Locking Locking
	// Cache keeps what is read from the registry on the local disk, and serves
	// it from there the next time, verified. nil: none. A registry in a local
	// directory is not read through it; Checkout uses it there too.
	Cache *cache.Cache
	// Offline does not ask the registry at all, unless it is a local directory:
	// what the Cache has is all there is. It may be old: versions may have been
	// saved or deleted since, and tags moved. What it does not have, and every
	// change, is ErrOffline.
	Offline bool
	// Compression is how saves store what they put: CompressionAuto, the
	// default, or CompressionNone. It concerns only what is written; both are
	// read, and their digests are the same.
	Compression Compression
	// MemoryLimit is how many bytes all operations under way may use together
	// for the data they move; 0 means 256 MiB, or a quarter of what the machine
	// or the control group allow the process, or half of $GOMEMLIMIT, if that is less. An
	// operation waits for the least it can do with, 52 MiB for a large object to be
	// saved, and takes more, to be faster, while there is more. What is less
	// than MinMemoryLimit, 84 MiB, is an error.
	//
	// Beside it there are the first MiB of an object being saved, lists of
	// files, what materializers hold, and what Go has not collected yet. A
	// materializer that saves into the same registry while it is saving needs
	// a limit that leaves the least for each.
	MemoryLimit int64
	// Logger gets what happens, at levels Debug and Info. nil: nothing.
	Logger *slog.Logger
	// Progress is called as data moves, for all operations that are not given
	// a callback of their own. Calls for one operation do not overlap.
	Progress func(Progress)

	times manifest.Times // shrunk in tests
}

// Locking says whether saves and loads of a registry take locks.
type Locking string

// The ways to lock.
const (
	LockingNone   Locking = ""       // they take none, and need none to be safe
	LockingStrict Locking = "strict" // every save takes the exclusive lock of its name, every load the shared one
)

// MinMemoryLimit is the least that Options.MemoryLimit may be, in bytes.
const MinMemoryLimit = chunk.MinMemory

// Registry is an open registry. It may be used by many goroutines, beside any
// number of other processes. It holds nothing that must be closed.
type Registry struct {
	ledger    *ledger.Ledger
	cache     *cachestore.Cache // or nil
	materials material.Set
	progress  func(Progress)
}

// DefaultURL is where Open("") looks: $MINDREG_URL, or else a directory among
// the user's data ($XDG_DATA_HOME/mindreg, ~/.local/share/mindreg; on macOS
// ~/Library/Application Support/mindreg, on Windows %LocalAppData%\mindreg).
func DefaultURL() (string, error) {
	if url := os.Getenv("MINDREG_URL"); url != "" {
		return url, nil
	}
	dir, err := defaultDir()
	return dir, wrap(context.Background(), OpDefaultURL, "", err)
}

func defaultDir() (string, error) {
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		dir, err := os.UserConfigDir()
		if local := os.Getenv("LocalAppData"); runtime.GOOS == "windows" && local != "" {
			dir, err = local, nil
		}
		return filepath.Join(dir, "mindreg"), err
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "mindreg"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no registry location given, and no home directory to put one in: %w", err)
	}
	return filepath.Join(home, ".local", "share", "mindreg"), nil
}

// Open opens the registry at a location: a directory, as a path or file:///
// URL, or the URL of a bucket if the program imports its backend:
//
//	import _ "github.com/mindtrace/registry/store/memstore" // mem:
//
// An empty location means DefaultURL. Nothing is created unless Options.Create
// says so.
//
// It costs one request.
func Open(ctx context.Context, location string, opts *Options) (*Registry, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if location == "" {
		url, err := DefaultURL()
		if err != nil {
			return nil, wrap(ctx, OpOpen, "", err)
		}
		location = url
	}
	if o.Offline && o.Cache == nil {
		return nil, wrap(ctx, OpOpen, "", errors.New("offline, what can be read is what is in a cache; give one (in Go: Options.Cache)"))
	}
	if o.Offline && !isLocal(location) {
		return open(ctx, cachestore.Of(o.Cache).Offline(location), location, o)
	}
	st, err := store.Open(ctx, location)
	if err != nil {
		return nil, wrap(ctx, OpOpen, "", err)
	}
	return open(ctx, st, location, o)
}

// OpenStore is Open on a store that the caller has made. url is how the
// registry is called in messages, in Info.Path and in the cache.
// Options.Offline is an error: the store is there.
func OpenStore(ctx context.Context, st store.Store, url string, opts *Options) (*Registry, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Offline {
		return nil, wrap(ctx, OpOpen, url, errors.New("Options.Offline is for Open; a store that was given is not offline"))
	}
	return open(ctx, st, url, o)
}

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
		l.Store, o.Create = st, false
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
		return nil, wrap(ctx, OpOpen, url, fmt.Errorf("a registry %w here that keeps versions, and that is fixed; make an unversioned one at another place", ErrExists))
	}
	if o.Locking != LockingNone && o.Locking != Locking(l.Settings.Locking) {
		return nil, wrap(ctx, OpOpen, url, fmt.Errorf("a registry %w here that was not made with locking %q, and that is fixed; make one at another place", ErrExists, o.Locking))
	}
	l.Log.DebugContext(ctx, "registry opened", "url", url, "id", l.Settings.ID, "unversioned", l.Settings.Unversioned)
	return r, nil
}

// URL returns the location that the registry was opened with.
func (r *Registry) URL() string { return r.ledger.URL }

// ID returns the random number that the registry got when it was created.
func (r *Registry) ID() string { return string(r.ledger.Settings.ID) }

// Unversioned reports whether a save replaces the object.
func (r *Registry) Unversioned() bool { return r.ledger.Settings.Unversioned }

// Locking returns LockingStrict if saves and loads take locks, and LockingNone if not.
func (r *Registry) Locking() Locking { return Locking(r.ledger.Settings.Locking) }

// localDir returns the directory that the registry is in, or "".
func (r *Registry) localDir() string {
	if u, err := store.ParseURL(r.ledger.URL); err == nil && u.Scheme == "file" {
		return u.Path
	}
	return ""
}

// isLocal tells a registry in a directory, whose packs are on this disk
// already, from those that are far away.
func isLocal(location string) bool {
	u, err := store.ParseURL(location)
	return err == nil && u.Scheme == "file"
}

// Register makes m the materializer for values of type T, and for objects
// that were saved with m's name. A T is saved as it is; register T and *T if
// both are used.
func Register[T any](r *Registry, m material.Materializer) error {
	return wrap(context.Background(), OpRegisterMaterializer, m.Name(), r.materials.Register(reflect.TypeFor[T](), m))
}

// RegisterMaterializer makes m known by its name, for loading.
func (r *Registry) RegisterMaterializer(m material.Materializer) error {
	return wrap(context.Background(), OpRegisterMaterializer, m.Name(), r.materials.Register(nil, m))
}
