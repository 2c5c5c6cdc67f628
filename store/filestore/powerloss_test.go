package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/manifest"
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
	if !made {
		if err := st.MakeRoot(ctx); err != nil {
			return err
		}
	}
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
	if _, err := r.GC(ctx, nil); err != nil {
		return err
	}
	return w.verify(r, im.Moment)
}

func (w *world) verify(r *registry.Registry, moment int) error {
	v, err := r.Verify(context.Background(), "", nil)
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
	rounds, random := 4, 2
	if testing.Short() {
		rounds = 1
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
