package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/filestore"
	"github.com/mindtrace/registry/store/memstore"
)

// newStore returns a new, empty store in memory.
func newStore(testing.TB) store.Store { return memstore.New(nil) }

// newStoreAt returns a new, empty store in memory whose clock the test moves.
func newStoreAt(_ testing.TB, now func() time.Time) store.Store {
	return memstore.New(&memstore.Options{Now: now})
}

// onEachStore runs a test on a memory store and on a directory.
func onEachStore(t *testing.T, test func(t *testing.T, st store.Store)) {
	t.Run("mem", func(t *testing.T) { test(t, newStore(t)) })
	t.Run("file", func(t *testing.T) {
		st, err := filestore.New(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		test(t, st)
	})
}

// openOn opens a registry on st, creating it if need be.
func openOn(t testing.TB, st store.Store, opts *Options) *Registry {
	t.Helper()
	o := Options{Create: true}
	if opts != nil {
		o = *opts
		o.Create = true
	}
	r, err := OpenStore(context.Background(), st, "test:", &o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// inMemory returns a registry on a new memory store, and that store.
func inMemory(t testing.TB) (*Registry, store.Store) {
	st := newStore(t)
	return openOn(t, st, nil), st
}

// testClock is a store's clock that stands still until it is moved.
type testClock struct {
	mu sync.Mutex
	at time.Time
}

func newTestClock() *testClock {
	// The middle of an era.
	era := time.Duration(manifest.DefaultTimes.Era) * time.Second
	return &testClock{at: time.Unix(0, 0).Add(2967*era + era/2).UTC()}
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func mustSave(t testing.TB, r *Registry, name string, v any, opts ...SaveOption) Version {
	t.Helper()
	version, err := r.Save(t.Context(), name, v, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func mustLoad[T any](t testing.TB, r *Registry, ref string) T {
	t.Helper()
	v, err := Load[T](t.Context(), r, ref)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// noise returns n random bytes that depend on seed alone.
func noise(seed uint64, n int) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	b := make([]byte, n)
	rand.NewChaCha8(key).Read(b)
	return b
}

// writeFiles makes files below a new directory and returns it.
func writeFiles(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, body, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// packKeys returns the keys of all packs in a store.
func packKeys(t testing.TB, st store.Store) []string {
	t.Helper()
	var keys []string
	for info, err := range st.List(t.Context(), manifest.PacksPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

// overwrite replaces the body of a key, as damage does.
func overwrite(t testing.TB, st store.Store, key string, edit func([]byte) []byte) {
	t.Helper()
	body, info, err := st.Get(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Put(t.Context(), key, edit(bytes.Clone(body)), info.Token); err != nil {
		t.Fatal(err)
	}
}

// errOf returns the error of a call alone.
func errOf[T any](_ T, err error) error { return err }

const (
	day   = 24 * time.Hour
	grace = 7*day + day + time.Hour // R+W+ε
)

func mustDelete(t testing.TB, r *Registry, ref string) {
	t.Helper()
	must[*DeleteReport](t)(r.Delete(t.Context(), ref, nil))
}

func mustVerify(t testing.TB, r *Registry) *VerifyReport {
	t.Helper()
	rep := must[*VerifyReport](t)(r.Verify(t.Context(), "", nil))
	if !rep.OK() {
		t.Errorf("verify found %v", rep.Problems)
	}
	return rep
}

func mustGC(t testing.TB, r *Registry) *GCReport {
	t.Helper()
	return must[*GCReport](t)(r.GC(t.Context(), nil))
}

func liveVersions(t *testing.T, r *Registry, name string) []string {
	t.Helper()
	var vs []string
	for i, err := range r.Versions(t.Context(), name) {
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		vs = append(vs, i.Version.String())
	}
	return vs
}

func manifestOf(t *testing.T, r *Registry, ref string) *ledger.Record {
	t.Helper()
	f := must[*ledger.Record](t)(r.ledger.Resolve(t.Context(), must[ledger.Ref](t)(ledger.ParseRef(ref))))
	if err := r.ledger.Complete(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	return f
}

func keysOf(t testing.TB, st store.Store) []string {
	t.Helper()
	var keys []string
	for info, err := range st.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

// oneFile returns the path of a file with these bytes, called name.
func oneFile(t testing.TB, name, body string) Path {
	return Path(filepath.Join(writeFiles(t, map[string][]byte{name: []byte(body)}), name))
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	if b, err := os.ReadFile(path); err != nil || string(b) != want {
		t.Errorf("%s has %.40q, %v; want %.40q", path, b, err, want)
	}
}

func symlink(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Skip(err)
	}
}

// manyFiles is a tree whose list of files does not fit its register.
func manyFiles(t *testing.T, seed uint64) string {
	files := map[string][]byte{}
	for i := range 8000 {
		files[fmt.Sprintf("a/long/name/to/make/the/table/large/%s/%06d", strings.Repeat("x", 60), i)] = noise(seed+uint64(i), 40)
	}
	return writeFiles(t, files)
}
