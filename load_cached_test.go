package registry

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mindtrace/registry/cache"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/tracestore"
)

func newCache(t testing.TB, dir string, budget int64) *cache.Cache {
	t.Helper()
	return must[*cache.Cache](t)(cache.Open(&cache.Options{Dir: dir, Budget: budget}))
}

func usage(t testing.TB, c *cache.Cache) *cache.Usage {
	t.Helper()
	return must[*cache.Usage](t)(c.Usage())
}

// offlineOn opens the registry that openOn has opened, from the cache alone.
func offlineOn(t testing.TB, c *cache.Cache) *Registry {
	t.Helper()
	return must[*Registry](t)(Open(t.Context(), "test:", &Options{Cache: c, Offline: true}))
}

// packGets counts the reads of packs, and the other requests.
func packGets(trace *tracestore.Store) (packs, others int) {
	for _, c := range trace.Calls() {
		if strings.HasPrefix(c.Key, "packs/") {
			packs++
		} else {
			others++
		}
	}
	return packs, others
}

// cachedFiles returns the paths of everything cached of a kind.
func cachedFiles(t testing.TB, c *cache.Cache, kind string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(filepath.Join(c.Dir(), kind), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func someTree() fstest.MapFS {
	return fstest.MapFS{
		"big.bin":      {Data: noise(1, 5<<20)},
		"a/small.txt":  {Data: []byte("small\n")},
		"a/run":        {Data: []byte("#!/bin/sh\n"), Mode: 0o755},
		"a/other":      {Data: noise(2, 100<<10)},
		"b/empty":      {},
		"b/nothing":    {Mode: fs.ModeDir},
		"b/link":       {Data: []byte("../a/small.txt"), Mode: fs.ModeSymlink},
		"c/deep/er/on": {Data: noise(3, 1<<20)},
	}
}

// What a load has fetched, no later one fetches again: the registers are all
// that is asked for, since they may change.
func TestSecondLoadCostsNoPacks(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		trace := tracestore.New(st)
		mustSave(t, openOn(t, st, nil), "my:tree", fs.FS(someTree()))
		c := newCache(t, t.TempDir(), 1<<30)
		open := func() *Registry {
			r := openOn(t, trace, &Options{Cache: c})
			trace.Reset()
			return r
		}
		check := func(what string, wantPacks bool, wantOthers int) {
			t.Helper()
			packs, others := packGets(trace)
			if (packs > 0) != wantPacks || others != wantOthers {
				t.Errorf("%s cost %d requests of packs and %d others, want %d others and packs: %t\n%s", what, packs, others, wantOthers, wantPacks, trace)
			}
			trace.Reset()
		}
		load := func(r *Registry) {
			t.Helper()
			var got fs.FS
			if err := r.Load(t.Context(), "my:tree@1.0.0", &got); err != nil {
				t.Fatal(err)
			}
			if b, err := fs.ReadFile(got, "big.bin"); err != nil || !bytes.Equal(b, noise(1, 5<<20)) {
				t.Errorf("big.bin: %d bytes, %v", len(b), err)
			}
			if err := r.Load(t.Context(), "my:tree@1.0.0", Path(filepath.Join(t.TempDir(), "out"))); err != nil {
				t.Fatal(err)
			}
		}
		load(open())
		check("the first load", true, 2)
		r := open()
		load(r)
		check("the second load", false, 2)
		if _, err := r.Checkout(t.Context(), "my:tree@1.0.0", nil); err != nil {
			t.Fatal(err)
		}
		check("a checkout after it", false, 1)
		if _, err := r.Checkout(t.Context(), "my:tree@1.0.0", nil); err != nil {
			t.Fatal(err)
		}
		check("another one", false, 1)
		load(offlineOn(t, c))
		check("a load offline", false, 0)
		// Verify reads the store, not the cache.
		if _, err := r.Verify(t.Context(), "my:tree", nil); err != nil {
			t.Fatal(err)
		}
		if packs, _ := packGets(trace); packs == 0 {
			t.Error("Verify has read the cache in place of the store")
		}
	})
}

// Data that may change is answered from the cache only in offline mode
// (docs/attacks.md, A18).
func TestCachedRegistersAreNotBelieved(t *testing.T) {
	other, st := inMemory(t)
	c := newCache(t, t.TempDir(), 1<<30)
	r := openOn(t, st, &Options{Cache: c})
	mustSave(t, other, "my:model", "one")
	mustSave(t, other, "my:model", "two")
	tag := func(v string) {
		t.Helper()
		if _, err := other.Tag(t.Context(), "my:model@"+v, "prod", nil); err != nil {
			t.Fatal(err)
		}
	}
	want := func(r *Registry, ref, want string) {
		t.Helper()
		if got := mustLoad[string](t, r, ref); got != want {
			t.Errorf("%s is %q, want %q", ref, got, want)
		}
	}
	tag("1.0.0")
	want(r, "my:model@prod", "one")
	want(r, "my:model@latest", "two")
	tag("1.0.1")
	want(offlineOn(t, c), "my:model@prod", "one") // which may be old, as it says
	want(r, "my:model@prod", "two")
	want(offlineOn(t, c), "my:model@prod", "two")

	if _, err := r.Checkout(t.Context(), "my:model@1.0.0", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Delete(t.Context(), "my:model@1.0.0", nil); err != nil {
		t.Fatal(err)
	}
	want(offlineOn(t, c), "my:model@1.0.0", "one")
	wantErr(t, r.Load(t.Context(), "my:model@1.0.0", new(string)), ErrDeleted)
	_, err := r.Checkout(t.Context(), "my:model@1.0.0", nil)
	wantErr(t, err, ErrDeleted)
	wantErr(t, offlineOn(t, c).Load(t.Context(), "my:model@1.0.0", new(string)), ErrDeleted) // seen meanwhile

	// Another registry at the same place has nothing to do with the first.
	st = newStore(t)
	openOn(t, st, nil)
	r = openOn(t, st, &Options{Cache: c})
	mustSave(t, r, "my:model", "new")
	mustLoad[string](t, r, "my:model")
	want(offlineOn(t, c), "my:model", "new")
	wantErr(t, offlineOn(t, c).Load(t.Context(), "my:model@1.0.1", new(string)), ErrOffline)
}

// Offline, what is missing is neither absent nor damaged, and nothing changes.
func TestOfflineSaysWhatIsMissing(t *testing.T) {
	c := newCache(t, t.TempDir(), 1<<30)
	if _, err := Open(t.Context(), "test:", &Options{Cache: c, Offline: true}); err == nil || !strings.Contains(err.Error(), "registry.json is not in the cache") {
		t.Errorf("Open of a registry never seen: %v", err)
	}
	if _, err := Open(t.Context(), "test:", &Options{Offline: true}); err == nil {
		t.Error("Open without a cache succeeded")
	}
	other, st := inMemory(t)
	mustSave(t, other, "my:model", noise(1, 1<<20))
	mustSave(t, other, "other", "x")
	online := openOn(t, st, &Options{Cache: c})
	off := offlineOn(t, c)
	mustLoad[[]byte](t, online, "my:model")
	mustLoad[[]byte](t, off, "my:model")
	for _, ref := range []string{"my:model@2", "my:model@prod", "other", "other@1.0.0", "nothing"} {
		err := off.Load(t.Context(), ref, new([]byte))
		wantErr(t, err, ErrOffline)
		if ledger.IsDamaged(err) || ledger.IsNotFound(err) {
			t.Errorf("%s: %v is not about the registry", ref, err)
		}
	}
	for _, path := range cachedFiles(t, c, "packs") {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	err := off.Load(t.Context(), "my:model", new([]byte))
	wantErr(t, err, ErrOffline)
	if ledger.IsDamaged(err) {
		t.Errorf("%v", err)
	}
	_, err = off.Save(t.Context(), "my:model", "x")
	wantErr(t, err, ErrOffline)
	_, err = off.Delete(t.Context(), "my:model@1.0.0", nil)
	wantErr(t, err, ErrOffline)
	wantErr(t, errOf(off.Tag(t.Context(), "my:model@1.0.0", "prod", nil)), ErrOffline)
}

// Whatever happens to cached bytes, what is loaded is right, and the cache is
// again afterwards.
func TestDamagedCacheIsHealed(t *testing.T) {
	for what, harm := range map[string]func(b []byte) []byte{
		"flipped": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"zeroed":  func(b []byte) []byte { clear(b); return b },
		"cut off": func(b []byte) []byte { return b[:len(b)/2] },
		"empty":   func([]byte) []byte { return nil },
		"longer":  func(b []byte) []byte { return append(b, 0) },
	} {
		t.Run(what, func(t *testing.T) {
			other, st := inMemory(t)
			trace := tracestore.New(st)
			c := newCache(t, t.TempDir(), 1<<30)
			mustSave(t, other, "my:tree", fs.FS(someTree()))
			out := t.TempDir()
			for _, to := range []string{"first", "second", "third"} {
				trace.Reset()
				r := openOn(t, trace, &Options{Cache: c})
				if err := r.Load(t.Context(), "my:tree", Path(filepath.Join(out, to))); err != nil {
					t.Fatal(err)
				}
				if b, err := os.ReadFile(filepath.Join(out, to, "big.bin")); err != nil || !bytes.Equal(b, noise(1, 5<<20)) {
					t.Errorf("%s load: %d bytes, %v", to, len(b), err)
				}
				packs, _ := packGets(trace)
				if (packs > 0) != (to != "third") {
					t.Errorf("%s load: %d requests of packs", to, packs)
				}
				if to != "first" {
					continue
				}
				paths := append(cachedFiles(t, c, "packs"), cachedFiles(t, c, "seen")...)
				for _, path := range paths {
					b := harm(must[[]byte](t)(os.ReadFile(path)))
					if err := os.WriteFile(path, b, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			if v, err := c.Verify(); err != nil || v.Dropped.Entries != 0 || v.Checked.Entries == 0 {
				t.Errorf("afterwards the cache is %+v, %v", v, err)
			}
		})
	}
}

// A cache that cannot be written to costs nothing but its use.
func TestCacheThatCannotBeWritten(t *testing.T) {
	other, st := inMemory(t)
	mustSave(t, other, "big", noise(1, 1<<20))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]*cache.Cache{
		"in a file":      newCache(t, filepath.Join(file, "cache"), 1<<30),
		"without budget": newCache(t, t.TempDir(), -1),
		"of few bytes":   newCache(t, t.TempDir(), 5000),
	} {
		r := openOn(t, st, &Options{Cache: c})
		if b := mustLoad[[]byte](t, r, "big"); !bytes.Equal(b, noise(1, 1<<20)) {
			t.Errorf("%s: loaded something else", what)
		}
		if rep, err := r.Checkout(t.Context(), "big", nil); err == nil {
			t.Errorf("%s: checked out to %s", what, rep.Dir)
		}
	}
	_, err := other.Checkout(t.Context(), "big", nil)
	wantErr(t, err, ErrNoCache)
}
