package cachestore

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
)

const (
	url      = "s3://bucket/registry"
	register = "objects/m/@/a1.a0.a0~.json"
)

// far is a registry that is far away, with a cache before it.
type far struct {
	t       *testing.T
	c       *Cache
	st      store.Store
	through store.Store // st, by way of the cache
}

func newFar(t *testing.T, c *Cache) *far {
	st := memstore.New(nil)
	f := &far{t, c, st, c.Wrap(st, url)}
	settings, err := manifest.NewSettings(time.Now(), manifest.Times{}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	f.put(manifest.SettingsKey, settings)
	f.put(register, []byte("the register"))
	return f
}

func (f *far) put(key string, body []byte) {
	f.t.Helper()
	if _, err := f.st.Put(f.t.Context(), key, body, store.Absent); err != nil {
		f.t.Fatal(err)
	}
}

// read reads a key by way of the cache, in a context in which it is used.
func (f *far) read(use func(context.Context) context.Context, key string, o *store.GetOptions) error {
	_, _, err := f.through.Get(use(f.t.Context()), key, o)
	return err
}

// offline returns what the cache alone has of a key, or nil.
func (f *far) offline(key string) []byte {
	f.t.Helper()
	body, _, err := f.c.Offline(url).Get(f.t.Context(), key, nil)
	if err != nil && !errors.Is(err, ErrOffline) {
		f.t.Fatal(err)
	}
	return body
}

func (f *far) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// A register is kept as it was read last, whole.
func TestRegistersAreKept(t *testing.T) {
	f := newFar(t, open(t, t.TempDir(), 1<<20))
	f.must(f.read(func(ctx context.Context) context.Context { return ctx }, register, nil))
	if b := f.offline(register); b != nil {
		t.Errorf("what was read without the cache is in it: %q", b)
	}
	f.must(f.read(Use, register, &store.GetOptions{Offset: 4}))
	if b := f.offline(register); b != nil {
		t.Errorf("a part is kept as all: %q", b)
	}
	f.must(f.read(Use, register, nil))
	if b := f.offline(register); string(b) != "the register" {
		t.Errorf("it is kept as %q", b)
	}
	f.must(f.st.Delete(t.Context(), register))
	if err := f.read(Use, register, nil); !errors.Is(err, store.ErrNotExist) {
		t.Error(err)
	}
	if b := f.offline(register); b != nil {
		t.Errorf("it is gone, and still kept as %q", b)
	}
}

// The registers of another registry that was at the same place are forgotten as
// soon as that shows.
func TestRegistersOfAnotherRegistry(t *testing.T) {
	c := open(t, t.TempDir(), 1<<20)
	old := newFar(t, c)
	for range 2 { // its own settings, again
		old.must(old.read(Use, manifest.SettingsKey, nil))
		old.must(old.read(Use, register, nil))
	}
	if old.offline(register) == nil {
		t.Fatal("nothing is kept")
	}
	now := newFar(t, c)
	now.must(now.read(Use, manifest.SettingsKey, nil))
	if b := now.offline(register); b != nil {
		t.Errorf("the register of another registry is still there: %q", b)
	}
}

// A register that was damaged on the disk is none, and is fetched again.
func TestDamagedRegisterIsForgotten(t *testing.T) {
	f := newFar(t, open(t, t.TempDir(), 1<<20))
	f.must(f.read(Use, register, nil))
	path := filepath.Join(f.c.dir, seenOf(url), register)
	b, err := os.ReadFile(path)
	f.must(err)
	b[10] ^= 1
	f.must(os.WriteFile(path, b, 0o600))
	if b := f.offline(register); b != nil {
		t.Errorf("damaged as it is, it is returned: %q", b)
	}
	f.must(f.read(Use, register, nil))
	if b := f.offline(register); string(b) != "the register" {
		t.Errorf("it is kept as %q", b)
	}
}

// What is not in the cache is not taken for absent.
func TestOfflineListingOfNothing(t *testing.T) {
	c := open(t, t.TempDir(), 1<<20)
	n := 0
	for _, err := range c.Offline(url).List(t.Context(), "objects/", "") {
		if n++; !errors.Is(err, ErrOffline) {
			t.Errorf("got %v", err)
		}
	}
	if n != 1 {
		t.Error("it lists nothing, as if there were nothing")
	}
}

// Bytes of packs that go somewhere else on the disk are not kept twice.
func TestPacksAreKeptOnce(t *testing.T) {
	f := newFar(t, open(t, t.TempDir(), 1<<20))
	body := bytes.Repeat([]byte("0123456789"), 10)
	f.put(packKey(1), body)
	o := &store.GetOptions{Offset: 10, Length: 50}
	f.must(f.read(Look, packKey(1), o))
	if b, ok := f.c.readPack(packKey(1), 10, 50, nil); ok {
		t.Errorf("%q is kept, too", b)
	}
	f.must(f.read(Use, packKey(1), o))
	if b, ok := f.c.readPack(packKey(1), 10, 50, nil); !ok || !bytes.Equal(b, body[10:60]) {
		t.Errorf("%q is kept", b)
	}
}
