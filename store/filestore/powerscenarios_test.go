package filestore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	registry "github.com/mindtrace/registry"
)

var scenarios = []*scenario{small, packs, racing, mixed, interrupted, tagging, undeleting, collecting, setBack}

// small objects are inline, in their registers.
var small = &scenario{name: "small", run: func(w *world) {
	r := w.process(nil)
	one := w.save(r, "my:model", tree{"x": []byte("1")})
	two := w.save(r, "my:model", tree{"x": []byte("2")})
	w.tag(r, one, "prod")
	w.tag(r, two, "prod")
	w.delete(r, one)
	w.undelete(r, one)
	w.save(r, "your:data", tree{"y": []byte("3")})
	w.delete(r, one)
}}

// packs are staged, several at a time; of the last ones of each object, some
// are too small for that.
var packs = &scenario{name: "packs", run: func(w *world) {
	r := w.process(nil)
	first := newTree(1, 8, 20<<10)
	one := w.save(r, "my:model", first)
	second := tree{}
	for name, b := range first {
		second[name] = b
	}
	second["f02"], second["f99"] = []byte("changed"), newTree(2, 1, 5<<10)["f00"]
	w.save(r, "my:model", second)
	w.delete(r, one)
}}

// racing savers are two processes at one name.
var racing = &scenario{name: "racing", run: func(w *world) {
	var wg sync.WaitGroup
	for i := range 2 {
		r := w.process(nil)
		wg.Go(func() {
			w.save(r, "my:model", tree{"x": {byte(i)}})
			w.save(r, "my:model", newTree(uint64(10+i), 3, 20<<10))
		})
	}
	wg.Wait()
}}

// mixed are two processes at names of their own and one of both, at random.
var mixed = &scenario{name: "mixed", run: func(w *world) {
	var wg sync.WaitGroup
	for i := range 2 {
		r, rng := w.process(nil), rand.New(rand.NewPCG(w.rng.Uint64(), 0))
		wg.Go(func() {
			name := []string{"one", "two:parts"}[i]
			live, dead := []string{w.save(r, name, tree{"x": {byte(i)}})}, []string(nil)
			tags := 0 // none is set twice: deletions remove them
			for range 8 {
				at := rng.IntN(len(live))
				ref := live[at]
				switch n := rng.IntN(7); {
				case n == 0 && len(live) > 1:
					w.delete(r, ref)
					live, dead = slices.Delete(live, at, at+1), append(dead, ref)
				case n == 1 && len(dead) > 0:
					w.undelete(r, dead[0])
					live, dead = append(live, dead[0]), dead[1:]
				case n == 2:
					w.save(r, "my:model", newTree(rng.Uint64(), 1+rng.IntN(5), 20<<10))
				case n == 3:
					live = append(live, w.save(r, name, newTree(rng.Uint64(), 1+rng.IntN(3), 20<<10)))
				case n == 4:
					w.tag(r, ref, fmt.Sprintf("t%d", tags))
					tags++
				default:
					live = append(live, w.save(r, name, tree{"x": {byte(rng.Uint64()), 'x'}}))
				}
			}
		})
	}
	wg.Wait()
}}

// hanging is a process that stops before it flushes a name, of those that
// match. It runs op until the end of meanwhile.
func (w *world) hanging(match func(name string) bool, op func(ctx context.Context, r *registry.Registry), meanwhile func()) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var armed atomic.Bool
	named, done := make(chan struct{}), make(chan struct{})
	hang := sync.OnceFunc(func() { close(named) })
	r := w.process(func(pending []string) {
		if armed.Load() && slices.ContainsFunc(pending, match) {
			hang()
			<-ctx.Done()
		}
	})
	armed.Store(true)
	go func() {
		defer close(done)
		op(ctx, r)
	}()
	<-named
	meanwhile()
	cancel()
	<-done
}

func isRegister(name string) bool { return strings.HasSuffix(name, ".json") }

// interrupted: a process has named its packs, and hangs before it flushes
// the names. Another saves the same.
var interrupted = &scenario{name: "interrupted", run: func(w *world) {
	same := newTree(1, 3, 20<<10)
	w.hanging(func(name string) bool { return len(name) == 64 }, func(ctx context.Context, r *registry.Registry) {
		r.Save(ctx, "my:model", same, registry.WithMaterializer(trees))
	}, func() {
		w.save(w.process(nil), "my:model", same)
	})
}}

// tagging a version that another process has not flushed yet, and setting the
// tag that another is setting.
var tagging = &scenario{name: "tagging", run: func(w *world) {
	r := w.process(nil)
	one := w.save(r, "my:model", tree{"x": []byte("1")})
	w.hanging(isRegister, func(_ context.Context, slow *registry.Registry) {
		w.save(slow, "my:model", tree{"x": []byte("2")})
	}, func() {
		w.tag(r, "my:model@1.0.1", "prod")
	})
	w.hanging(isRegister, func(_ context.Context, slow *registry.Registry) {
		w.tag(slow, one, "prod")
	}, func() {
		w.tag(r, one, "prod")
	})
}}

// undeleting what another process is bringing back.
var undeleting = &scenario{name: "undeleting", run: func(w *world) {
	r := w.process(nil)
	one := w.save(r, "my:model", newTree(1, 3, 20<<10))
	w.delete(r, one)
	w.hanging(isRegister, func(_ context.Context, slow *registry.Registry) {
		w.undelete(slow, one)
	}, func() {
		w.undelete(r, one)
	})
}}

// collecting frees packs of a deleted version, and prunes directories that
// are needed again.
var collecting = &scenario{name: "collecting", collects: true, run: func(w *world) {
	w.shift = &shift{of: map[string]time.Duration{}}
	if under := w.wrap; under == nil {
		w.wrap = w.shift.wrap
	}
	r := w.process(nil)
	one := w.save(r, "my:model", newTree(1, 4, 20<<10))
	w.save(r, "my:model", newTree(2, 2, 20<<10))
	gone := w.save(r, "gone", tree{"x": []byte("1")})
	w.delete(r, one)
	w.delete(r, gone)
	w.shift.advance(48 * time.Hour)
	rep, err := r.GC(context.Background(), nil)
	if err != nil || rep.Freed.Packs == 0 || rep.Versions.Purging == 0 {
		w.Errorf("collected %+v, %v", rep, err)
	}
	w.shift.advance(48 * time.Hour)
	rep, err = r.GC(context.Background(), nil)
	if err != nil || rep.Leftovers.Dirs == 0 {
		w.Errorf("collected %+v, %v", rep, err)
	}
	w.save(r, "my:model", newTree(1, 4, 20<<10))
}}

// setBack: the clock has been set back since the registers were written, and
// new ones get later times all the same.
var setBack = &scenario{name: "clock set back", before: func(w *world) {
	r := w.process(nil)
	w.save(r, "my:model", tree{"x": []byte("1")})
	w.save(r, "my:model", tree{"x": []byte("2")})
	w.tag(r, "my:model@1.0.0", "prod")
	later := time.Now().Add(time.Hour)
	err := filepath.Walk(w.dir, func(path string, fi os.FileInfo, err error) error {
		if err != nil || !strings.HasSuffix(path, ".json") {
			return err
		}
		return os.Chtimes(path, time.Time{}, later)
	})
	if err != nil {
		w.Fatal(err)
	}
}, run: func(w *world) {
	r := w.process(nil)
	w.tag(r, "my:model@1.0.1", "prod")
	w.delete(r, "my:model@1.0.0")
	w.undelete(r, "my:model@1.0.0")
}}
