package registry

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/filestore"
	"github.com/mindtrace/registry/store/memstore"
)

// lostRoots are what can happen to the directory of a registry that is open.
// Each returns where its objects are afterwards, if anywhere.
var lostRoots = map[string]func(t *testing.T, dir string) (old string){
	"removed": func(t *testing.T, dir string) string {
		removeTree(t, dir)
		return ""
	},
	"emptied": func(t *testing.T, dir string) string {
		entries, err := os.ReadDir(dir)
		check(t, err)
		for _, e := range entries {
			removeTree(t, filepath.Join(dir, e.Name()))
		}
		return ""
	},
	"renamed": func(t *testing.T, dir string) string {
		check(t, os.Rename(dir, dir+"-old"))
		return dir + "-old"
	},
	"replaced by another registry": func(t *testing.T, dir string) string {
		check(t, os.Rename(dir, dir+"-old"))
		_, err := Open(t.Context(), dir, &Options{Create: true})
		check(t, err)
		return dir + "-old"
	},
	"filled with another registry": func(t *testing.T, dir string) string {
		old := t.TempDir()
		entries, err := os.ReadDir(dir)
		check(t, err)
		for _, e := range entries {
			check(t, os.Rename(filepath.Join(dir, e.Name()), filepath.Join(old, e.Name())))
		}
		_, err = Open(t.Context(), dir, &Options{Create: true})
		check(t, err)
		return old
	},
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// removeTree removes a directory that a process may be writing to.
func removeTree(t *testing.T, dir string) {
	t.Helper()
	err := os.RemoveAll(dir)
	for try := 0; err != nil && try < 100; try++ {
		err = os.RemoveAll(dir)
	}
	check(t, err)
}

// allNames returns the names of all that is below a directory.
func allNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	if _, err := os.Lstat(dir); err != nil {
		return nil
	}
	check(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	}))
	return names
}

// Once the directory that was opened is not at its place any more, every verb
// says so, and nothing is written to the directory that took its place.
func TestRegistryIsNotWhatWasOpened(t *testing.T) {
	verbs := map[string]func(r *Registry, dir string) error{
		"save":     func(r *Registry, _ string) error { _, err := r.Save(t.Context(), "a", "2"); return err },
		"save new": func(r *Registry, _ string) error { _, err := r.Save(t.Context(), "b", "1"); return err },
		"save numbers": func(r *Registry, _ string) error {
			_, err := r.Save(t.Context(), "a", "2", WithVersion("3.0.0"))
			return err
		},
		"save large": func(r *Registry, _ string) error {
			_, err := r.Save(t.Context(), "c", noise(7, 20<<20))
			return err
		},
		"update": func(r *Registry, _ string) error {
			_, err := Update(t.Context(), r, "a", func(s string, _ *Info) (string, error) { return s + "2", nil })
			return err
		},
		"load":         func(r *Registry, _ string) error { _, err := Load[string](t.Context(), r, "a"); return err },
		"load version": func(r *Registry, _ string) error { _, err := Load[string](t.Context(), r, "a@1.0.0"); return err },
		"load tag":     func(r *Registry, _ string) error { _, err := Load[string](t.Context(), r, "a@prod"); return err },
		"load nothing": func(r *Registry, _ string) error { _, err := Load[string](t.Context(), r, "nothing"); return err },
		"has":          func(r *Registry, _ string) error { _, err := r.Has(t.Context(), "a"); return err },
		"resolve":      func(r *Registry, _ string) error { _, err := r.Resolve(t.Context(), "a"); return err },
		"info":         func(r *Registry, _ string) error { _, err := r.Info(t.Context(), "a"); return err },
		"objects":      func(r *Registry, _ string) error { return last(r.Objects(t.Context(), "")) },
		"latest":       func(r *Registry, _ string) error { return last(r.Latest(t.Context(), "")) },
		"versions":     func(r *Registry, _ string) error { return last(r.Versions(t.Context(), "a")) },
		"tag":          func(r *Registry, _ string) error { return errOf(r.Tag(t.Context(), "a@1.0.0", "prod", nil)) },
		"untag":        func(r *Registry, _ string) error { return errOf(r.Untag(t.Context(), "a", "prod", nil)) },
		"delete": func(r *Registry, _ string) error {
			_, err := r.Delete(t.Context(), "a@*", &DeleteOptions{Force: true})
			return err
		},
		"prune": func(r *Registry, _ string) error {
			_, err := r.Prune(t.Context(), &PruneOptions{KeepLast: 1})
			return err
		},
		"collect":       func(r *Registry, _ string) error { _, err := r.GC(t.Context(), nil); return err },
		"would collect": func(r *Registry, _ string) error { _, err := r.GC(t.Context(), &GCOptions{DryRun: true}); return err },
		"verify":        func(r *Registry, _ string) error { _, err := r.Verify(t.Context(), "", nil); return err },
		"lock":          func(r *Registry, _ string) error { _, _, err := r.Lock(t.Context(), "a", nil); return err },
		"copy to it": func(r *Registry, _ string) error {
			src, _ := inMemory(t)
			mustSave(t, src, "d", "1")
			_, err := Copy(t.Context(), r, src, "d", nil)
			return err
		},
		"copy from it": func(r *Registry, _ string) error {
			dst, _ := inMemory(t)
			_, err := Copy(t.Context(), dst, r, "", nil)
			return err
		},
	}
	for how, lose := range lostRoots {
		for verb, do := range verbs {
			dir := filepath.Join(t.TempDir(), "registry")
			r, err := Open(t.Context(), dir, &Options{Create: true})
			check(t, err)
			mustSave(t, r, "a", "1")
			check(t, errOf(r.Tag(t.Context(), "a", "prod", nil)))
			old := lose(t, dir)
			before := allNames(t, dir)
			var was []string
			if old != "" {
				was = allNames(t, old)
			}
			err = do(r, dir)
			if !errors.Is(err, ErrNoRegistry) || errors.Is(err, ErrNotFound) {
				t.Errorf("%s after the root was %s: %v, want ErrNoRegistry", verb, how, err)
			}
			if after := allNames(t, dir); !slices.Equal(after, before) {
				t.Errorf("%s after the root was %s: at its place there were %q and are %q", verb, how, before, after)
			}
			if old == "" {
				continue
			}
			if now := allNames(t, old); !slices.Equal(now, was) {
				t.Errorf("%s after the root was %s: it has become %q", verb, how, now)
			}
		}
	}
}

// losing is a reader in the midst of which something happens.
type losing struct {
	io.Reader
	left int
	lose func()
}

func (l *losing) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if l.left -= n; l.left <= 0 && l.lose != nil {
		l.lose()
		l.lose = nil
	}
	return n, err
}

// A long save, in the midst of which the directory goes, is not acknowledged:
// wherever that is in it.
func TestRootIsLostDuringALongSave(t *testing.T) {
	const size = 150 << 20
	for how, lose := range lostRoots {
		if how == "filled with another registry" {
			continue // beside a writer, that cannot be made
		}
		for _, at := range []int{1, size / 2, size} {
			if testing.Short() && at != size/2 {
				continue
			}
			dir := filepath.Join(t.TempDir(), "registry")
			r, err := Open(t.Context(), dir, &Options{Create: true})
			check(t, err)
			mustSave(t, r, "a", "1")
			var before []string
			body := &losing{io.LimitReader(rand.NewChaCha8([32]byte{1}), size), at, func() {
				lose(t, dir)
				before = allNames(t, dir)
			}}
			v, err := r.Save(t.Context(), "large", io.Reader(body))
			// What is removed piece by piece may be missed before all of it is.
			if err == nil || !errors.Is(err, ErrNoRegistry) && how != "removed" && how != "emptied" {
				t.Errorf("root %s after %d bytes: %v, %v, want ErrNoRegistry", how, at, v, err)
			}
			if after := allNames(t, dir); !slices.Equal(after, before) && how != "emptied" {
				t.Errorf("root %s after %d bytes: at its place there were %q and are %q", how, at, before, after)
			}
		}
	}
}

// Between any two requests to the store the root may go. What was acknowledged
// before is at its place if the registry is.
func TestRootIsLostBetweenRequests(t *testing.T) {
	for how, lose := range lostRoots {
		for n := 1; ; n++ {
			dir := filepath.Join(t.TempDir(), "registry")
			st, err := filestore.New(dir)
			check(t, err)
			cut := &cutting{Store: st}
			r, err := OpenStore(t.Context(), cut, dir, &Options{Create: true})
			check(t, err)
			mustSave(t, r, "a", "1")
			cut.left, cut.cut = n, func() { lose(t, dir) }
			_, err = r.Save(t.Context(), "a", noise(8, 3<<20))
			if err == nil {
				_, err = r.Delete(t.Context(), "a@1.0.0", nil)
			}
			if err == nil {
				_, err = r.Tag(t.Context(), "a", "prod", nil)
			}
			if cut.cut != nil {
				if err != nil || n < 5 {
					t.Errorf("after %d requests: %v", n, err)
				}
				break
			}
			if !errors.Is(err, ErrNoRegistry) || errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) {
				t.Errorf("root %s before request %d: %v, want ErrNoRegistry", how, n, err)
			}
		}
	}
}

// cutting is a store that calls a function before each request. It passes on the
// optional interfaces of the store.
type cutting struct {
	store.Store
	mu   sync.Mutex
	left int
	cut  func()
}

func (c *cutting) Unwrap() store.Store { return c.Store }

func (c *cutting) count() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 && c.cut != nil {
		c.cut()
		c.cut = nil
	}
}

func (c *cutting) Get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	c.count()
	return c.Store.Get(ctx, key, opts)
}

func (c *cutting) Stat(ctx context.Context, key string) (store.Info, error) {
	c.count()
	return c.Store.Stat(ctx, key)
}

func (c *cutting) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	c.count()
	return c.Store.Put(ctx, key, body, match)
}

// A bucket is known by its name alone. That it was emptied or made anew is
// found out with the probe of the day, and wherever something is gone that
// should be there.
func TestBucketIsNotWhatWasOpened(t *testing.T) {
	for how, put := range map[string]func(t *testing.T, st store.Store){
		"emptied": func(*testing.T, store.Store) {},
		"another": func(t *testing.T, st store.Store) { openOn(t, st, nil) },
	} {
		clock := newTestClock()
		st := memstore.New(&memstore.Options{Now: clock.now})
		r := openOn(t, st, nil)
		mustSave(t, r, "a", noise(9, 1<<20))
		mustSave(t, r, "m", "1")
		check(t, errOf(r.Tag(t.Context(), "m", "prod", nil)))
		obj, err := r.Object(t.Context(), "a")
		check(t, err)
		tag, err := r.ledger.ReadTag(t.Context(), "m", "prod")
		check(t, err)
		for info, err := range st.List(t.Context(), "", "") {
			check(t, err)
			check(t, st.Delete(t.Context(), info.Key))
		}
		put(t, st)
		wantErr(t, r.ledger.DeletedMeanwhile(t.Context(), obj.f, loadErr(t, obj)), ErrNoRegistry)
		_, err = r.ledger.PutTag(t.Context(), tag, tag.Removed())
		wantErr(t, err, ErrNoRegistry)
		_, _, err = r.ledger.Best(t.Context(), ledger.Ref{Name: "m"}, []Version{{Major: 1}})
		wantErr(t, err, ErrNoRegistry)
		_, err = r.GC(t.Context(), nil)
		wantErr(t, err, ErrNoRegistry)

		r.ledger.Probed = r.ledger.Probed.AddDate(0, 0, -2)
		before := keysOf(t, st)
		_, err = r.Save(t.Context(), "new", "1")
		wantErr(t, err, ErrNoRegistry)
		if after := keysOf(t, st); !slices.Equal(after, before) {
			t.Errorf("%s: there were %q and are %q", how, before, after)
		}
	}
}

func loadErr(t *testing.T, obj *Object) error {
	t.Helper()
	var b []byte
	err := obj.r.materialize(t.Context(), obj, &b, loadOptions{})
	if err == nil {
		t.Fatal("what was emptied is still read")
	}
	return err
}
