package registry_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mindtrace/registry"
	"github.com/mindtrace/registry/cache"
	"github.com/mindtrace/registry/internal/servers"
	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/store"
	_ "github.com/mindtrace/registry/store/gcsstore"
	_ "github.com/mindtrace/registry/store/s3store"
)

// One table uses everything that the library can do on every backend: what
// comes of it, to the byte, is the same.
func TestEveryVerbOnEveryBackend(t *testing.T) {
	if testing.Short() {
		t.Skip("real servers")
	}
	var mu sync.Mutex
	results := map[string][]string{}
	t.Run("on", func(t *testing.T) {
		for _, b := range servers.Backends {
			t.Run(b.Name, func(t *testing.T) {
				t.Parallel()
				w := &world{ctx: t.Context(), urlA: b.URL(t, "a"), urlB: b.URL(t, "b"), urlC: b.URL(t, "c"), dir: t.TempDir()}
				w.files(t)
				for _, s := range verbs {
					w.out.Reset()
					s.do(w)
					mu.Lock()
					results[b.Name] = append(results[b.Name], "# "+s.uses+"\n"+w.normal(w.out.String()))
					mu.Unlock()
				}
			})
		}
	})
	want := results["file"]
	path, text := filepath.Join("testdata", "verbs.txt"), strings.Join(want, "\n")
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	pinned, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(pinned), "\n"), strings.Split(text, "\n")); d != "" {
		t.Errorf("what came of it on file is not what %s says (rewrite it with -update):\n%s", path, d)
	}
	for name, got := range results {
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Errorf("on %s:\n%s\nbut on file:\n%s", name, strings.Join(got[i:min(i+1, len(got))], ""), want[i])
			}
		}
	}
}

// environment is held while $MINDREG_URL is set.
var environment sync.Mutex

// verbs use everything that is exported, in one story. What a step uses it
// names: methods with their type, functions by their names.
var verbs = []struct {
	uses string
	do   func(w *world)
}{
	{"Open of what is not there", func(w *world) {
		_, err := registry.Open(w.ctx, w.urlA, nil)
		w.is(err, registry.ErrNoRegistry)
	}},
	{"Open Registry.URL Registry.ID Registry.Unversioned Registry.Locking", func(w *world) {
		var err error
		w.a, err = registry.Open(w.ctx, w.urlA, &registry.Options{Create: true})
		w.say(err)
		w.b, err = registry.Open(w.ctx, w.urlB, &registry.Options{Create: true, Locking: "strict"})
		w.say(err, w.a.URL(), w.a.ID(), w.a.Unversioned(), w.a.Locking(), w.b.Locking(), w.a.ID() != w.b.ID())
	}},
	{"OpenStore", func(w *world) {
		st, err := store.Open(w.ctx, w.urlA)
		w.say(err)
		again, err := registry.OpenStore(w.ctx, st, w.urlA, nil)
		w.say(err, again.ID() == w.a.ID())
		_, err = registry.OpenStore(w.ctx, st, w.urlA, &registry.Options{Unversioned: true})
		w.say(err)
	}},
	{"DefaultURL", func(w *world) {
		environment.Lock()
		defer environment.Unlock()
		os.Setenv("MINDREG_URL", w.urlA)
		defer os.Unsetenv("MINDREG_URL")
		w.say(registry.DefaultURL())
		r, err := registry.Open(w.ctx, "", nil)
		w.say(err, r.ID() == w.a.ID())
	}},
	{"Registry.Save WithMetadata WithClass WithReport WithProgress", func(w *world) {
		var report registry.SaveReport
		var last registry.Progress
		w.say(w.a.Save(w.ctx, "my:model", trainedModel, registry.WithMetadata(map[string]any{"accuracy": 0.93}), registry.WithReport(&report)))
		w.say(report)
		w.say(w.a.Save(w.ctx, "my:model", large(1), registry.WithClass("weights"), registry.WithReport(&report),
			registry.WithProgress(func(p registry.Progress) { last = p })))
		w.say(report, last)
		w.say(w.a.Save(w.ctx, "my:model", registry.Path(w.dir+"/tree")))
		w.say(w.a.Save(w.ctx, "my:model", strings.NewReader("a stream")))
	}},
	{"Registry.Save refuses WithDereference", func(w *world) {
		_, err := w.a.Save(w.ctx, "invalid_name", 1)
		w.is(err, registry.ErrInvalidName)
		_, err = w.a.Save(w.ctx, "my:model", make(chan int))
		w.is(err, registry.ErrNoMaterializer)
		_, err = w.a.Save(w.ctx, "my:model", registry.Path(w.dir+"/nothing"))
		w.is(err, fs.ErrNotExist)
		_, err = w.a.Save(w.ctx, "my:model", "text", registry.WithDereference())
		w.is(err, registry.ErrType)
	}},
	{"WithVersion", func(w *world) {
		w.say(w.a.Save(w.ctx, "my:model", "two", registry.WithVersion("2")))
		_, err := w.a.Save(w.ctx, "my:model", "two", registry.WithVersion("2.0.0"))
		w.is(err, registry.ErrExists)
		w.say(w.a.Save(w.ctx, "my:model", "candidate", registry.WithVersion("3.0.0-rc.1")))
	}},
	{"WithBase WithoutReuse", func(w *world) {
		var report registry.SaveReport
		w.say(w.a.Save(w.ctx, "copy", large(1), registry.WithBase("my:model@1.0.1"), registry.WithReport(&report)))
		w.say(report)
		w.say(w.a.Save(w.ctx, "copy", large(1), registry.WithoutReuse(), registry.WithReport(&report)))
		w.say(report)
	}},
	{"WithCompression", func(w *world) {
		var report registry.SaveReport
		text := bytes.Repeat([]byte("so many words, so little said\n"), 50_000)
		for _, how := range []registry.Compression{registry.CompressionAuto, registry.CompressionNone} {
			w.say(w.a.Save(w.ctx, "text", text, registry.WithCompression(how), registry.WithoutReuse(), registry.WithReport(&report)))
			w.say(report)
		}
		_, err := w.a.Save(w.ctx, "text", text, registry.WithCompression("lots"))
		w.say(err)
	}},
	{"Registry.Checkout", func(w *world) {
		_, err := w.a.Checkout(w.ctx, "my:model@1.0.0", nil)
		w.is(err, registry.ErrNoCache)
		c, err := cache.Open(&cache.Options{Dir: w.dir + "/cache"})
		w.say(err)
		r, err := registry.Open(w.ctx, w.urlA, &registry.Options{Cache: c})
		w.say(err)
		for range 2 {
			rep, err := r.Checkout(w.ctx, "my:model@1.0.0", nil)
			w.say(err)
			entries, err := os.ReadDir(rep.Dir)
			for _, e := range entries {
				w.say(e.Name(), err)
			}
		}
	}},
	{"WithIfLatest WithIfAbsent", func(w *world) {
		w.say(w.a.Save(w.ctx, "copy", "next", registry.WithIfLatest("1.0.1")))
		_, err := w.a.Save(w.ctx, "copy", "next", registry.WithIfLatest("1.0.1"))
		w.is(err, registry.ErrConflict)
		_, err = w.a.Save(w.ctx, "copy", "next", registry.WithIfAbsent())
		w.is(err, registry.ErrConflict)
	}},
	{"Load Registry.Load WithLoadReport", func(w *world) {
		for _, ref := range []string{"my:model@1.0.0", "my:model@latest", "my:model@^1 <1.0.1", "my:model@3.0.0-rc.1"} {
			var report registry.LoadReport
			var v any
			w.say(ref, w.a.Load(w.ctx, ref, &v, registry.WithLoadReport(&report)), v, report)
		}
		b, err := registry.Load[[]byte](w.ctx, w.a, "my:model@1.0.1")
		w.say(err, bytes.Equal(b, large(1)))
		var out bytes.Buffer
		w.say(w.a.Load(w.ctx, "my:model@1.0.3", &out), out.String())
		w.is(w.a.Load(w.ctx, "my:model@9", &out), registry.ErrNotFound)
		w.is(w.a.Load(w.ctx, "nothing", &out), registry.ErrNotFound)
		w.is(w.a.Load(w.ctx, "my:model@1.0.0", new(int)), registry.ErrType)
	}},
	{"Registry.Load of a Path", func(w *world) {
		w.say(w.a.Load(w.ctx, "my:model@1.0.2", registry.Path(w.dir+"/out")))
		w.say(filepath.WalkDir(w.dir+"/out", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				w.say(path, err)
				return err
			}
			body, err := os.ReadFile(path)
			w.say(path, err, len(body), d.Type().String())
			return err
		}))
		w.say(os.RemoveAll(w.dir + "/out"))
	}},
	{"WithMaterializer Register Registry.RegisterMaterializer", func(w *world) {
		tensors := material.Func("tensor", saveTensor, loadTensor)
		w.say(w.a.Save(w.ctx, "tensor", &Tensor{[]float32{1}}, registry.WithMaterializer(tensors)))
		_, err := registry.Load[*Tensor](w.ctx, w.a, "tensor")
		w.is(err, registry.ErrNoMaterializer)
		w.say(w.a.RegisterMaterializer(tensors), registry.Register[*Tensor](w.b, tensors))
		t, err := registry.Load[*Tensor](w.ctx, w.a, "tensor")
		w.say(err, t.data)
		w.say(w.b.Save(w.ctx, "tensors:b", &Tensor{[]float32{2}}))
	}},
	{"Registry.Info Registry.Has", func(w *world) {
		w.say(w.a.Info(w.ctx, "my:model@1.0.1"))
		w.say(w.a.Info(w.ctx, "my:model"))
		w.say(w.a.Has(w.ctx, "my:model@1.0.0"))
		w.say(w.a.Has(w.ctx, "my:model@4"))
	}},
	{"Registry.Resolve", func(w *world) {
		for _, ref := range []string{"my:model", "my:model@1.0.1", "my:model@^1"} {
			w.say(w.a.Resolve(w.ctx, ref))
		}
		_, err := w.a.Resolve(w.ctx, "my:model@4")
		w.is(err, registry.ErrNotFound)
	}},
	{"Registry.Objects Registry.Latest Registry.Versions", func(w *world) {
		all(w, w.a.Objects(w.ctx, ""))
		all(w, w.a.Latest(w.ctx, "my:"))
		all(w, w.a.Versions(w.ctx, "my:model"))
		all(w, w.a.Versions(w.ctx, "nothing"))
	}},
	{"Registry.Load WithExact WithNoClobber WithMaxSize Clean", func(w *world) {
		to := registry.Path(w.dir + "/exact")
		for range 2 {
			w.say(w.a.Load(w.ctx, "my:model@1.0.2", to, registry.WithExact()))
		}
		body, err := os.ReadFile(w.dir + "/exact/b.bin")
		w.say(err, len(body))
		w.is(w.a.Load(w.ctx, "my:model@1.0.3", to+"/b.bin", registry.WithNoClobber()), fs.ErrExist)
		w.is(w.a.Load(w.ctx, "my:model@1.0.2", registry.Path(w.dir+"/none"), registry.WithMaxSize(1)), registry.ErrTooLarge)
		report, err := registry.Clean(w.ctx, w.dir, nil)
		w.say(err, len(report.Leftovers))
	}},
	{"Registry.Object Object.Info Object.Files Object.Entries", func(w *world) {
		var err error
		w.obj, err = w.a.Object(w.ctx, "my:model@1.0.2")
		w.say(err, w.obj.Info(), w.obj.Files(), slices.Equal(w.obj.Files(), slices.Collect(w.obj.Entries())))
	}},
	{"Object.Open Object.ReadFile Object.ReadDir Object.ReadLink Object.Stat Object.Lstat", func(w *world) {
		f, err := w.obj.Open("b.bin")
		w.say(err)
		b := make([]byte, 8)
		n, err := f.(io.ReaderAt).ReadAt(b, 2<<20)
		w.say(n, err, b, f.Close())
		w.say(w.obj.ReadFile("link"))
		w.say(w.obj.ReadLink("link"))
		_, err = w.obj.ReadFile("nothing")
		w.is(err, fs.ErrNotExist)
		entries, err := w.obj.ReadDir(".")
		w.say(err)
		for _, e := range entries {
			w.say(e.Name(), e.Type().String())
		}
		for _, stat := range []func(string) (fs.FileInfo, error){w.obj.Stat, w.obj.Lstat} {
			info, err := stat("link")
			w.say(err, info.Name(), info.Size(), info.Mode().String())
		}
	}},
	{"Registry.Tag WithTag", func(w *world) {
		w.say(w.a.Tag(w.ctx, "my:model@1.0.0", "prod", &registry.TagOptions{IfAbsent: true}))
		w.is(errOf(w.a.Tag(w.ctx, "my:model@1.0.1", "prod", &registry.TagOptions{IfAbsent: true})), registry.ErrConflict)
		w.say(w.a.Tag(w.ctx, "my:model@1.0.1", "prod", &registry.TagOptions{IfVersion: "1.0.0"}))
		w.is(errOf(w.a.Tag(w.ctx, "my:model@1.0.0", "prod", &registry.TagOptions{IfVersion: "1.0.0"})), registry.ErrConflict)
		w.is(errOf(w.a.Tag(w.ctx, "my:model@1.0.0", "1.x", nil)), registry.ErrInvalidTag)
		w.say(w.a.Save(w.ctx, "my:model", "tagged", registry.WithTag("staging", "nightly")))
		w.say(registry.Load[string](w.ctx, w.a, "my:model@staging"))
	}},
	{"Registry.Tags Registry.TagHistory Registry.Untag", func(w *world) {
		w.say(w.a.Untag(w.ctx, "my:model", "nightly", nil))
		w.is(errOf(w.a.Untag(w.ctx, "my:model", "nightly", nil)), registry.ErrNotFound)
		all(w, w.a.Tags(w.ctx, "my:model"))
		w.say(w.a.TagHistory(w.ctx, "my:model", "prod"))
	}},
	{"Update", func(w *world) {
		for range 3 {
			w.say(registry.Update(w.ctx, w.a, "counter", func(old int, from *registry.Info) (int, error) { return old + 1, nil }))
		}
		w.say(registry.Load[int](w.ctx, w.a, "counter"))
		_, err := registry.Update(w.ctx, w.a, "counter", func(int, *registry.Info) (int, error) { return 0, io.ErrUnexpectedEOF })
		w.is(err, io.ErrUnexpectedEOF)
	}},
	{"Registry.Lock Registry.RLock Registry.Locks Registry.BreakLock LockEpoch", func(w *world) {
		ctx, unlock, err := w.a.Lock(w.ctx, "job", &registry.LockOptions{Why: "training"})
		w.say(err, registry.LockEpoch(ctx))
		_, _, err = w.a.RLock(w.ctx, "job", &registry.LockOptions{Timeout: registry.NoWait})
		w.say(errors.Is(err, registry.ErrLockTimeout))
		all(w, func(yield func(string, error) bool) {
			for l, err := range w.a.Locks(w.ctx) {
				yield(fmt.Sprint(l.Name, l.Epoch), err)
			}
		})
		w.say(w.a.BreakLock(w.ctx, "job", &registry.BreakLockOptions{Why: "it hangs"}))
		w.say(errors.Is(unlock(), registry.ErrLockLost))
		w.is(errOf(w.a.BreakLock(w.ctx, "job", &registry.BreakLockOptions{Why: "it hangs"})), registry.ErrNotFound)
		ctx, unlock, err = w.a.RLock(w.ctx, "job", nil)
		w.say(err, registry.LockEpoch(ctx), unlock())
	}},
	{"Registry.Delete", func(w *world) {
		_, err := w.a.Delete(w.ctx, "my:model", nil)
		w.say(err)
		w.say(w.a.Delete(w.ctx, "my:model@<1.0.1", &registry.DeleteOptions{DryRun: true}))
		w.say(w.a.Delete(w.ctx, "my:model@<1.0.1", nil))
		_, err = w.a.Delete(w.ctx, "my:model@1.0.1", nil)
		w.is(err, registry.ErrTagged)
		w.say(w.a.Delete(w.ctx, "my:model@1.0.1", &registry.DeleteOptions{Force: true}))
		w.is(w.a.Load(w.ctx, "my:model@1.0.1", new([]byte)), registry.ErrDeleted)
	}},
	{"Registry.AllVersions Registry.Undelete", func(w *world) {
		all(w, w.a.AllVersions(w.ctx, "my:model"))
		w.say(w.a.Undelete(w.ctx, "my:model@1.0.1", nil))
		w.is(errOf(w.a.Undelete(w.ctx, "my:model@7.0.0", nil)), registry.ErrNotFound)
		all(w, w.a.Versions(w.ctx, "my:model"))
	}},
	{"Registry.Purge", func(w *world) {
		w.say(w.a.Save(w.ctx, "personal", "data"))
		w.say(w.a.Purge(w.ctx, "personal@*", &registry.PurgeOptions{DryRun: true}))
		w.say(w.a.Purge(w.ctx, "personal@1.0.0", nil))
		w.say(w.a.Purge(w.ctx, "personal@1.0.0", nil))
		w.is(errOf(w.a.Undelete(w.ctx, "personal@1.0.0", nil)), registry.ErrPurged)
	}},
	{"Registry.Prune", func(w *world) {
		w.say(w.a.Prune(w.ctx, &registry.PruneOptions{KeepLast: 1, Names: []string{"counter"}, DryRun: true}))
		w.say(w.a.Prune(w.ctx, &registry.PruneOptions{KeepLast: 2, KeepTagged: true, Prefix: "cou"}))
		w.say(w.a.Prune(w.ctx, &registry.PruneOptions{KeepWithin: time.Hour}))
		_, err := w.a.Prune(w.ctx, &registry.PruneOptions{})
		w.say(err)
	}},
	{"Registry.GC", func(w *world) {
		w.say(w.a.GC(w.ctx, &registry.GCOptions{DryRun: true}))
		finished := false
		w.say(w.a.GC(w.ctx, &registry.GCOptions{Progress: func(p registry.Progress) { finished = p.Finished }}))
		w.say(finished)
	}},
	{"Copy", func(w *world) {
		w.say(registry.Copy(w.ctx, w.b, w.a, "my:model@1.0.2", &registry.CopyOptions{Name: "other", Version: "5"}))
		w.say(registry.Copy(w.ctx, w.b, w.a, "", nil))
		w.say(registry.Copy(w.ctx, w.b, w.a, "", nil))
		all(w, w.b.Latest(w.ctx, ""))
		_, err := w.b.Save(w.ctx, "collision", 1)
		w.say(err)
		_, err = w.a.Save(w.ctx, "collision", 2)
		w.say(err)
		_, err = registry.Copy(w.ctx, w.b, w.a, "collision", nil)
		w.is(err, registry.ErrExists)
	}},
	{"Registry.Verify Registry.Repair", func(w *world) {
		w.say(w.a.Verify(w.ctx, "", nil))
		w.say(w.damagePack(w.ctx, w.urlA))
		report, err := w.a.Verify(w.ctx, "", nil)
		w.say(err, len(report.Damage), report.Problems)
		for _, p := range report.Problems {
			w.say(p.Err)
		}
		repaired, err := w.a.Repair(w.ctx, "", w.b, nil)
		w.say(err, len(repaired.Packs), repaired.Problems)
		w.say(w.b.Verify(w.ctx, "", nil))
	}},
	{"ParseRef ParseVersion", func(w *world) {
		w.say(registry.ParseRef("my:model@^1"))
		w.say(registry.ParseVersion("v1.2"))
		_, err := registry.ParseRef("my_model@1")
		w.is(err, registry.ErrInvalidName)
	}},
	{"Open Registry.Save of an unversioned registry", func(w *world) {
		r, err := registry.Open(w.ctx, w.urlC, &registry.Options{Create: true, Unversioned: true})
		w.say(err)
		w.say(r.Save(w.ctx, "model", "old"))
		w.say(r.Save(w.ctx, "model", "new"))
		w.say(registry.Load[string](w.ctx, r, "model"))
		all(w, r.Versions(w.ctx, "model"))
		w.say(r.Tag(w.ctx, "model@1.0.1", "prod", nil))
	}},
}
