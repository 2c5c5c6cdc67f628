package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/filestore"
)

// tree is a value to save: files.
type tree map[string][]byte

var trees = material.Func("power-tree",
	func(_ context.Context, dst material.Sink, v tree) error {
		for _, name := range slices.Sorted(maps.Keys(v)) {
			w, err := dst.Create(name)
			if err != nil {
				return err
			}
			if _, err := w.Write(v[name]); err != nil {
				return err
			}
			if err := w.Close(); err != nil {
				return err
			}
		}
		return nil
	},
	func(_ context.Context, src fs.FS) (tree, error) {
		v := tree{}
		entries, err := fs.ReadDir(src, ".")
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if v[e.Name()], err = fs.ReadFile(src, e.Name()); err != nil {
				return nil, err
			}
		}
		return v, nil
	})

// newTree returns n files of a size, different for every seed.
func newTree(seed uint64, n, size int) tree {
	v := tree{}
	for i := range n {
		b := make([]byte, size)
		rand.NewChaCha8([32]byte{byte(seed), byte(i)}).Read(b)
		v[fmt.Sprintf("f%02d", i)] = b
	}
	return v
}

func (v tree) equal(w tree) bool {
	return maps.EqualFunc(v, w, func(a, b []byte) bool { return string(a) == string(b) })
}

// fact is what one operation makes of a version or tag, and between which
// moments.
type fact struct {
	key        string // name@version, or name@tag
	value      string // absent, deleted, live <content>, or the version of a tag
	begin, ack int
}

// world is a registry on a recorded disk.
type world struct {
	*testing.T
	dir   string // of the registry
	disk  *filestore.Disk
	rng   *rand.Rand
	bytes bool                          // compare the bytes under every key
	wrap  func(store.Store) store.Store // or nil
	shift *shift

	mu    sync.Mutex
	facts []fact
	trees []tree
}

// process opens the registry as another process does.
func (w *world) process(before func(pending []string)) *registry.Registry {
	w.Helper()
	st, err := filestore.New(w.dir)
	if err != nil {
		w.Fatal(err)
	}
	w.disk.Watch(st, earlySize, before)
	if err := st.MakeRoot(context.Background()); err != nil {
		w.Fatal(err)
	}
	r, err := openOn(st, w.wrap, true)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func openOn(st store.Store, wrap func(store.Store) store.Store, create bool) (*registry.Registry, error) {
	if wrap != nil {
		st = wrap(st)
	}
	knobs := knob.Default()
	knobs.MaxInline, knobs.MaxPack, knobs.ProbeEvery = 4<<10, packSize, -1 // kilobytes take the ways of gigabytes
	ctx := knob.With(context.Background(), knobs)
	if _, _, err := st.Get(ctx, manifest.SettingsKey, nil); create && errors.Is(err, fs.ErrNotExist) {
		now, err := st.Now(ctx)
		if err != nil {
			return nil, err
		}
		body, err := manifest.NewSettings(now, powerTimes).Encode()
		if err != nil {
			return nil, err
		}
		if _, err := st.Put(ctx, manifest.SettingsKey, body, store.Absent); err != nil {
			return nil, err
		}
	}
	r, err := registry.OpenStore(ctx, st, "test:", nil)
	if err != nil {
		return nil, err
	}
	return r, r.RegisterMaterializer(trees)
}

// did adds a fact.
func (w *world) did(key, value string, begin int) {
	ack := w.disk.Mark()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.facts = append(w.facts, fact{key, value, begin, ack})
}

func (w *world) save(r *registry.Registry, name string, v tree, opts ...registry.SaveOption) string {
	w.Helper()
	w.mu.Lock()
	id := slices.IndexFunc(w.trees, v.equal)
	if id < 0 {
		id = len(w.trees)
		w.trees = append(w.trees, v)
	}
	w.mu.Unlock()
	begin := w.disk.Mark()
	version, err := r.Save(context.Background(), name, v, append(opts, registry.WithMaterializer(trees))...)
	if err != nil {
		w.Errorf("save %s: %v", name, err)
	}
	ref := name + "@" + version.String()
	w.did(ref, fmt.Sprint("live ", id), begin)
	return ref
}

func (w *world) do(key, value string, op func() error) {
	w.Helper()
	begin := w.disk.Mark()
	if err := op(); err != nil {
		w.Errorf("%s, to become %s: %v", key, value, err)
	}
	w.did(key, value, begin)
}

// delete deletes a version, and after it the tags that point at it.
func (w *world) delete(r *registry.Registry, ref string) {
	begin := w.disk.Mark()
	_, err := r.Delete(context.Background(), ref, &registry.DeleteOptions{Force: true})
	if err != nil {
		w.Errorf("delete %s: %v", ref, err)
	}
	w.did(ref, "deleted", begin)
	w.mu.Lock()
	defer w.mu.Unlock()
	end := w.facts[len(w.facts)-1].ack
	name, version, _ := strings.Cut(ref, "@")
	points := map[string]string{}
	for _, f := range w.facts {
		points[f.key] = f.value
	}
	for key, at := range points {
		if strings.HasPrefix(key, name+"@") && at == version {
			w.facts = append(w.facts, fact{key, "dangling", begin, end}, fact{key, "absent", begin, end})
		}
	}
}

// undelete brings back what was saved as value.
func (w *world) undelete(r *registry.Registry, ref string) {
	w.mu.Lock()
	i := slices.IndexFunc(w.facts, func(f fact) bool { return f.key == ref })
	value := w.facts[i].value
	w.mu.Unlock()
	w.do(ref, value, func() error { _, err := r.Undelete(context.Background(), ref, nil); return err })
}

func (w *world) tag(r *registry.Registry, ref, tag string) {
	name, version, _ := strings.Cut(ref, "@")
	w.do(name+"@"+tag, version, func() error { _, err := r.Tag(context.Background(), ref, tag, nil); return err })
}

// allowed returns what may be there of a key after a failure at a moment.
func (w *world) allowed(key string, moment int) []string {
	last, values := fact{value: "absent", ack: -2}, []string(nil)
	for _, f := range w.facts {
		if f.key == key && f.ack < moment && f.ack >= last.ack {
			last = f
		}
	}
	for _, f := range w.facts {
		if f.key == key && f.begin < moment && f.ack >= moment {
			values = append(values, f.value)
		}
	}
	return append(values, last.value)
}

// value returns what is there of a key.
func (w *world) value(r *registry.Registry, key string) (string, error) {
	ctx := context.Background()
	_, selector, _ := strings.Cut(key, "@")
	if _, err := registry.ParseVersion(selector); err != nil { // a tag
		info, err := r.Info(ctx, key)
		switch {
		case errors.Is(err, registry.ErrDangling):
			return "dangling", nil
		case errors.Is(err, registry.ErrNotFound):
			return "absent", nil
		case err != nil:
			return "", err
		}
		return info.Version.String(), nil
	}
	v, err := registry.Load[tree](ctx, r, key)
	switch {
	case errors.Is(err, registry.ErrDeleted):
		return "deleted", nil
	case errors.Is(err, registry.ErrNotFound):
		return "absent", nil
	case err != nil:
		return "", err
	}
	i := slices.IndexFunc(w.trees, v.equal)
	return fmt.Sprint("live ", i), nil
}
