package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/manifest"
	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/filestore"
)

// powerEnv is how many times the power tests are run with other random
// images, and more of them at a time:
//
//	MINDREG_POWER=20 go test ./store/filestore -run TestPowerLoss -timeout 0 -v
const powerEnv = "MINDREG_POWER"

const (
	packSize  = 64 << 10 // of full packs
	earlySize = 8 << 10  // from which bodies are staged
	place     = "new/registry"
)

// powerTimes make a collection free what was deleted days ago.
var powerTimes = manifest.Times{Era: 4 * 3600, Window: 2 * 3600, Retain: 3 * 3600, Margin: 600}

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
	ctx := context.Background()
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
	_, err := r.Delete(context.Background(), ref, registry.WithForce())
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
	w.do(ref, value, func() error { return r.Undelete(context.Background(), ref) })
}

func (w *world) tag(r *registry.Registry, ref, tag string) {
	name, version, _ := strings.Cut(ref, "@")
	w.do(name+"@"+tag, version, func() error { return r.Tag(context.Background(), ref, tag) })
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

// check opens what the power failure has left, in dir.
func (w *world) check(im *filestore.Image, dir string, collect bool) error {
	ctx := context.Background()
	st, err := filestore.New(filepath.Join(dir, place))
	if err != nil {
		return err
	}
	filestore.NoFlush(st)
	for key, err := range st.Keys(ctx, "", "") {
		if err != nil {
			return err
		}
		body, info, err := st.Get(ctx, key, nil)
		if err != nil {
			return err
		}
		if w.bytes && !w.disk.Whole(place, key, body, info.Token) {
			return fmt.Errorf("%s shows %d bytes, token %s, that nobody has put there", key, len(body), info.Token)
		}
	}
	made := len(w.facts) > 0 && w.facts[0].ack < im.Moment
	r, err := openOn(st, w.wrap, !made)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, f := range w.facts {
		if seen[f.key] {
			continue
		}
		seen[f.key] = true
		value, err := w.value(r, f.key)
		if err != nil {
			return fmt.Errorf("%s: %w", f.key, err)
		}
		if may := w.allowed(f.key, im.Moment); !slices.Contains(may, value) {
			return fmt.Errorf("%s is %s; it should be one of %q", f.key, value, may)
		}
	}
	if err := w.verify(r, im.Moment); err != nil {
		return err
	}
	for _, v := range []tree{{"x": []byte("next")}, w.trees[len(w.trees)-1]} {
		version, err := r.Save(ctx, "my:model", v, registry.WithMaterializer(trees))
		if err != nil {
			return fmt.Errorf("the next save: %w", err)
		}
		got, err := registry.Load[tree](ctx, r, "my:model@"+version.String())
		if err != nil || !v.equal(got) {
			return fmt.Errorf("the next save is loaded differently: %w", err)
		}
	}
	if !collect {
		return nil
	}
	if _, err := r.GC(ctx); err != nil {
		return err
	}
	return w.verify(r, im.Moment)
}

func (w *world) verify(r *registry.Registry, moment int) error {
	v, err := r.Verify(context.Background(), "")
	if err != nil {
		return err
	}
	for _, p := range v.Problems {
		if errors.Is(p.Err, registry.ErrDangling) && slices.Contains(w.allowed(p.Ref, moment), "dangling") {
			continue // its version was being deleted
		}
		return fmt.Errorf("%s (%s): %w", p.Key, p.Ref, p.Err)
	}
	return nil
}

// scenario is a course of operations.
type scenario struct {
	name string
	// before, if not nil, comes before the disk is recorded.
	before func(w *world)
	run    func(w *world)
	// collects: what is left is collected, too.
	collects bool
}

type powerOptions struct {
	seed    uint64
	random  int // images of each moment with many changes
	broken  filestore.Break
	wrap    func(store.Store) store.Store
	noBytes bool // what is there is seen through a registry only
}

// powerLoss runs a scenario and returns the first thing that is wrong after
// a power failure, and how many were tried.
func powerLoss(t *testing.T, sc *scenario, o powerOptions) (int, error) {
	if runtime.GOOS == "windows" {
		t.Skip("directories are not flushed here")
	}
	base := memoryDir(t)
	rng := rand.New(rand.NewPCG(o.seed, 0))
	w := &world{T: t, dir: filepath.Join(base, "disk", place), wrap: o.wrap, rng: rng, bytes: !o.noBytes}
	for _, dir := range []string{"disk", "pool"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	w.disk = filestore.NewDisk(t, filepath.Join(base, "disk"), o.broken)
	if sc.before != nil {
		sc.before(w)
		w.disk = filestore.NewDisk(t, filepath.Join(base, "disk"), o.broken)
		for i := range w.facts {
			w.facts[i].begin, w.facts[i].ack = -1, -1
		}
	}
	sc.run(w)
	if t.Failed() {
		t.FailNow()
	}
	pool := filestore.NewPool(filepath.Join(base, "pool"))
	dir := filepath.Join(base, "image")
	n := 0
	for im := range w.disk.Images(rng, 0, o.random) {
		n++
		if err := im.Build(pool, dir); err != nil {
			t.Fatal(err)
		}
		if err := w.check(im, dir, sc.collects); err != nil {
			return n, fmt.Errorf("%w\n%s", err, im)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	return n, nil
}

// memoryDir returns a new directory, in memory if there is a file system for
// that.
func memoryDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "mindreg-power-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestPowerLoss(t *testing.T) {
	smallPacks(t)
	rounds, random := 4, 2
	if testing.Short() {
		rounds = 2
	}
	if s := os.Getenv(powerEnv); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
		random = 50
	}
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			images := 0
			for round := range rounds {
				seed := uint64(1)
				if seed += uint64(round); os.Getenv(powerEnv) != "" {
					seed = rand.Uint64()
				}
				n, err := powerLoss(t, sc, powerOptions{seed: seed, random: random})
				if err != nil {
					t.Fatalf("image %d of seed %d: %v", n, seed, err)
				}
				images += n
			}
			t.Logf("%d images", images)
		})
	}
}

// smallPacks makes objects of some kilobytes go the ways of gigabytes.
func smallPacks(t *testing.T) {
	inline, pack, probe := knob.MaxInline, knob.MaxPack, knob.ProbeEvery
	knob.MaxInline, knob.MaxPack, knob.ProbeEvery = 4<<10, packSize, -1
	t.Cleanup(func() { knob.MaxInline, knob.MaxPack, knob.ProbeEvery = inline, pack, probe })
}
