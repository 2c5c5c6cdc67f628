package filestore_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	registry "github.com/mindtrace/registry"
)

var scenarios = []*scenario{small, packs, racing, interrupted, collecting, setBack}

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

// interrupted: a process has named its packs, and hangs before it flushes
// the names. Another saves the same.
var interrupted = &scenario{name: "interrupted", run: func(w *world) {
	ctx, cancel := context.WithCancel(context.Background())
	named := make(chan struct{})
	hang := sync.OnceFunc(func() { close(named) })
	slow := w.process(func(pending []string) {
		for _, name := range pending {
			if len(name) == 64 { // a pack
				hang()
				<-ctx.Done()
			}
		}
	})
	same := newTree(1, 3, 20<<10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		slow.Save(ctx, "my:model", same, registry.WithMaterializer(trees))
	}()
	<-named
	w.save(w.process(nil), "my:model", same)
	cancel()
	<-done
}}

// collecting frees packs of a deleted version, and prunes directories that
// are needed again.
var collecting = &scenario{name: "collecting", collects: true, run: func(w *world) {
	w.shift = &shift{of: map[string]time.Duration{}}
	w.wrap = w.shift.wrap
	r := w.process(nil)
	one := w.save(r, "my:model", newTree(1, 4, 20<<10))
	w.save(r, "my:model", newTree(2, 2, 20<<10))
	gone := w.save(r, "gone", tree{"x": []byte("1")})
	w.delete(r, one)
	w.delete(r, gone)
	w.shift.advance(48 * time.Hour)
	rep, err := r.GC(context.Background())
	if err != nil || rep.Freed.Packs == 0 || rep.Versions.Purging == 0 {
		w.Errorf("collected %+v, %v", rep, err)
	}
	w.shift.advance(48 * time.Hour)
	rep, err = r.GC(context.Background())
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
