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
	"strings"
	"sync"
	"time"

	"github.com/mindtrace/registry/cache"
	"github.com/mindtrace/registry/internal/cachestore"
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/lease"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/plain"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/store"
	_ "github.com/mindtrace/registry/store/filestore" // the default location is a directory
)

// Version is a semantic version, such as 1.2.3 or 2.0.0-rc.1.
type Version = manifest.Version

// ParseVersion reads a version; "1", "1.2" and "v1.2.3" mean 1.0.0, 1.2.0
// and 1.2.3.
func ParseVersion(s string) (Version, error) {
	v, err := manifest.ParseVersion(s)
	return v, wrap(context.Background(), "parse version", s, err)
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
	// Locking, for a new registry: "", or "strict" to have every save take the
	// exclusive lock of the name around its commit, and every load the shared
	// one until its last byte, at three requests each. Neither needs it to be
	// safe, and loading then takes permission to write. An existing registry
	// stays what it is; to ask this of one that is not strict is ErrExists.
	Locking string
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
	Compression string
	// MemoryLimit is how many bytes all operations under way may use together
	// for the data they move; 0 means 256 MiB, or a quarter of what the machine
	// or the control group allow the process, or half of $GOMEMLIMIT, if that is less. An
	// operation waits for the least it can do with, 52 MiB for a large object to be
	// saved, and takes more, to be faster, while there is more. What is less
	// than chunk.MinMemory, 84 MiB, is an error.
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

// Registry is an open registry. It may be used by many goroutines, beside any
// number of other processes. It holds nothing that must be closed.
type Registry struct {
	url       string
	st        store.Store
	clock     *wrapstore.Clock
	cache     *cachestore.Cache // or nil
	offline   bool
	locks     *lease.Locks
	settings  *manifest.Settings
	materials material.Set
	log       *slog.Logger
	progress  func(Progress)

	compression string // as in Options
	memory      *chunk.Budget
	large       sync.Mutex                           // held while a large register is decoded
	pace        struct{ gets, puts *wrapstore.Pace } // nil for a directory

	probing chan struct{} // held while the store is probed
	probed  time.Time     // when it was last
}

// DefaultURL is where Open("") looks: $MINDREG_URL, or else a directory among
// the user's data ($XDG_DATA_HOME/mindreg, ~/.local/share/mindreg; on macOS
// ~/Library/Application Support/mindreg, on Windows %LocalAppData%\mindreg).
func DefaultURL() (string, error) {
	if url := os.Getenv("MINDREG_URL"); url != "" {
		return url, nil
	}
	dir, err := defaultDir()
	return dir, wrap(context.Background(), "find the default location", "", err)
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
			return nil, wrap(ctx, "open", "", err)
		}
		location = url
	}
	if o.Offline && o.Cache == nil {
		return nil, wrap(ctx, "open", "", errors.New("offline, what can be read is what is in a cache; give one (in Go: Options.Cache)"))
	}
	if o.Offline && !isLocal(location) {
		return open(ctx, cachestore.Of(o.Cache).Offline(location), location, o)
	}
	st, err := store.Open(ctx, location)
	if err != nil {
		return nil, wrap(ctx, "open", "", err)
	}
	return open(ctx, st, location, o)
}

// OpenStore is Open on a store that the caller has made. url is how the
// registry is called in messages, in Info.Path and in the cache.
// Options.Offline does nothing.
func OpenStore(ctx context.Context, st store.Store, url string, opts *Options) (*Registry, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.Offline = false
	return open(ctx, st, url, o)
}

func open(ctx context.Context, st store.Store, url string, o Options) (*Registry, error) {
	if err := checkCompression(o.Compression); err != nil {
		return nil, wrap(ctx, "open", url, err)
	}
	r := &Registry{
		url: url, clock: new(wrapstore.Clock), log: o.Logger, progress: o.Progress, probing: make(chan struct{}, 1),
		cache: cachestore.Of(o.Cache), compression: o.Compression,
	}
	var err error
	if r.memory, err = newMemory(o.MemoryLimit); err != nil {
		return nil, wrap(ctx, "open", url, err)
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if b, ok := store.As[store.BucketMaker](st); ok && o.CreateBucket {
		if err := b.MakeBucket(ctx); err != nil {
			return nil, wrap(ctx, "open", url, err)
		}
	}
	o.Create = o.Create || o.CreateBucket
	if r.log.Enabled(ctx, slog.LevelDebug) {
		st = wrapstore.Log(st, r.log)
	}
	if !isLocal(url) {
		st = r.paced(st)
	}
	r.st = wrapstore.Watch(wrapstore.Retry(st, wrapstore.RetryPolicy{}), r.clock)
	if r.offline = o.Offline && !isLocal(url); r.offline {
		r.st, o.Create = st, false
	} else if r.cache != nil && !isLocal(url) {
		r.st = r.cache.Wrap(r.st, url)
	}
	r.locks = lease.New(r.st, r.clock)
	body, _, err := r.st.Get(cachestore.Use(ctx), manifest.SettingsKey, nil)
	switch {
	case notFound(err) && o.Create:
		if r.settings, err = r.create(ctx, o); err != nil {
			return nil, wrap(ctx, "open", url, err)
		}
	case notFound(err):
		return nil, wrap(ctx, "open", url, fmt.Errorf("%w; to make one, run mindreg init %s (in Go: Options.Create)", ErrNoRegistry, plain.ShellWord(url)))
	case err != nil:
		return nil, wrap(ctx, "open", url, err)
	default:
		if r.settings, err = manifest.DecodeSettings(body); err != nil {
			return nil, wrap(ctx, "open", url, err)
		}
	}
	r.probed = r.settings.Probed
	if a, ok := store.As[store.Anchorer](r.st); ok {
		a.Anchor(manifest.SettingsKey, r.mine)
	}
	if o.Unversioned && !r.settings.Unversioned {
		return nil, wrap(ctx, "open", url, fmt.Errorf("a registry %w here that keeps versions, and that is fixed; make an unversioned one at another place", ErrExists))
	}
	if o.Locking != "" && o.Locking != string(r.settings.Locking) {
		return nil, wrap(ctx, "open", url, fmt.Errorf("a registry %w here that was not made with locking %q, and that is fixed; make one at another place", ErrExists, o.Locking))
	}
	r.log.DebugContext(ctx, "registry opened", "url", url, "id", r.settings.ID, "unversioned", r.settings.Unversioned)
	return r, nil
}

// create makes a new registry, unless somebody else does so at the same time.
func (r *Registry) create(ctx context.Context, o Options) (*manifest.Settings, error) {
	if m, ok := store.As[store.RootMaker](r.st); ok {
		if err := m.MakeRoot(ctx); err != nil {
			return nil, err
		}
	}
	for info, err := range r.st.List(ctx, "", "") {
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(info.Key, manifest.ProbePrefix) {
			continue // left by a probe that was killed
		}
		return r.occupied(ctx, info.Key)
	}
	if s, ok := store.As[store.Shared](r.st); ok {
		if name, err := s.Foreign(ctx); err != nil || name != "" {
			return nil, errors.Join(err, notEmpty(name))
		}
	}
	now, err := r.probe(ctx)
	if err != nil {
		return nil, err
	}
	s := manifest.NewSettings(now, o.times)
	s.Probed = s.Created
	s.Unversioned = o.Unversioned
	s.Locking = manifest.Locking(o.Locking)
	body, err := s.Encode()
	if err != nil {
		return nil, err
	}
	_, err = r.writeUnprobed(ctx, manifest.SettingsKey, body, store.Absent, s.Nonce)
	if errors.Is(err, ErrConflict) {
		if body, _, err = r.st.Get(ctx, manifest.SettingsKey, nil); err != nil {
			return nil, err
		}
		return manifest.DecodeSettings(body)
	}
	if err != nil {
		return nil, err
	}
	r.reserve(ctx)
	r.log.InfoContext(ctx, "registry created", "url", r.url, "id", s.ID)
	return s, nil
}

// URL returns the location that the registry was opened with.
func (r *Registry) URL() string { return r.url }

// ID returns the random number that the registry got when it was created.
func (r *Registry) ID() string { return string(r.settings.ID) }

// Unversioned reports whether a save replaces the object.
func (r *Registry) Unversioned() bool { return r.settings.Unversioned }

// Locking returns "strict" if saves and loads take locks, and "" if not.
func (r *Registry) Locking() string { return string(r.settings.Locking) }

// Register makes m the materializer for values of type T, and for objects
// that were saved with m's name. A T is saved as it is; register T and *T if
// both are used.
func Register[T any](r *Registry, m material.Materializer) error {
	return wrap(context.Background(), "register materializer", m.Name(), r.materials.Register(reflect.TypeFor[T](), m))
}

// RegisterMaterializer makes m known by its name, for loading.
func (r *Registry) RegisterMaterializer(m material.Materializer) error {
	return wrap(context.Background(), "register materializer", m.Name(), r.materials.Register(nil, m))
}
