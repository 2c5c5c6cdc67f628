package proofs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/cache"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// Verbs and conditions that TestEveryVerbThroughFaults leaves out, through the
// same network, by clients that often give up in the middle. After each attempt
// the test looks directly: what a verb says is so, and no version is half there.
func TestStoriesThroughFaults(t *testing.T) {
	stories(t, map[string]func(t *testing.T, s *story){
		"delete and undelete": deleteAndUndelete, "prune": prune, "purge": purge, "tags with conditions": tagsWithConditions,
		"copy": copyAll, "gc": collect, "repair": repair, "locks": locks, "checkout": checkout,
		"update, unversioned": updateUnversioned, "strict locking": strictLocking,
	})
}

func deleteAndUndelete(t *testing.T, s *story) {
	l := newLine(t, s, nil)
	book := l.fill("m", 2, 300<<10)
	for range 12 {
		l.until("delete", func(ctx context.Context) error {
			gone, err := l.net.Delete(ctx, "m@1.0.0", nil)
			if len(gone.Deleted) > 0 {
				return nil // what else may have failed came after it
			}
			return err
		}, func() bool { return errors.Is(l.has("m@1.0.0"), registry.ErrDeleted) })
		l.until("undelete", func(ctx context.Context) error { return errOf(l.net.Undelete(ctx, "m@1.0.0", nil)) },
			func() bool { return l.has("m@1.0.0") == nil })
		check(t, l.direct, book)
	}
}

func prune(t *testing.T, s *story) {
	l := newLine(t, s, nil)
	book := l.fill("m", 8, 300<<10)
	var rep *registry.PruneReport
	l.repeat("prune", func(ctx context.Context) (err error) {
		rep, err = l.net.Prune(ctx, &registry.PruneOptions{KeepLast: 2, Prefix: "m"})
		return err
	}, func(o outcome) {
		if rep != nil {
			for _, d := range rep.Deleted {
				book["m@"+d.Version.String()] = []int{0}
			}
		}
		for k := range 6 { // which the rules do not keep
			if ref := "m@" + version(k); o == done {
				book[ref] = []int{0}
			} else if book[ref][0] != 0 {
				book[ref] = []int{0, k + 1}
			}
		}
		check(t, l.direct, book)
	})
}

func purge(t *testing.T, s *story) {
	l := newLine(t, s, nil)
	book := l.fill("m", 6, 300<<10)
	for k := range 5 {
		ref := "m@" + version(k)
		if k%2 == 1 {
			if _, err := l.direct.Delete(t.Context(), ref, nil); err != nil {
				t.Fatal(err)
			}
		}
		l.until("purge", func(ctx context.Context) error {
			rep, err := l.net.Purge(ctx, ref, nil)
			if rep != nil && len(rep.Purged)+rep.Before > 0 {
				return nil
			}
			return err
		}, func() bool { return errors.Is(l.has(ref), registry.ErrPurged) })
		book[ref] = []int{0}
		check(t, l.direct, book)
	}
}

// tagsWithConditions moves a tag from version to version. Its history has each
// move once.
func tagsWithConditions(t *testing.T, s *story) {
	l := newLine(t, s, nil)
	l.fill("m", 8, 100)
	const last = 7
	if _, err := l.direct.Tag(t.Context(), "m@1.0.0", "prod", nil); err != nil {
		t.Fatal(err)
	}
	for k := 1; k <= last; k++ {
		l.until("tag", func(ctx context.Context) error {
			_, err := l.net.Tag(ctx, "m@"+version(k), "prod", &registry.TagOptions{IfVersion: version(k - 1)})
			if err != nil && classify(request{Op: "tag"}, err) == unknown {
				err = errors.Join(err, registry.ErrOutcomeUnknown) // it looks at the version again after the write
			}
			return err
		}, func() bool {
			i, err := l.direct.Info(t.Context(), "m@prod")
			return err == nil && i.Version.String() == version(k)
		})
	}
	moves, err := l.direct.TagHistory(t.Context(), "m", "prod")
	for i, m := range moves {
		if m.Version.String() != version(last-i) || m.Removed {
			err = errors.Join(err, fmt.Errorf("move %d is %+v", i, m))
		}
	}
	if err != nil || len(moves) != last+1 {
		t.Errorf("%d moves: %v", len(moves), err)
	}
	l.until("untag", func(ctx context.Context) error {
		return errOf(l.net.Untag(ctx, "m", "prod", &registry.UntagOptions{IfVersion: version(last)}))
	}, func() bool { return errors.Is(l.has("m@prod"), registry.ErrNotFound) })
}

func copyAll(t *testing.T, s *story) {
	l, dest := newLine(t, s, nil), onMinIO(t, nil)
	book := l.fill("m", 5, 700<<10)
	if _, err := l.direct.Tag(t.Context(), "m@1.0.2", "prod", nil); err != nil {
		t.Fatal(err)
	}
	to, has := l.reach(dest, nil), ledger{}
	if to == nil {
		return
	}
	var rep *registry.CopyReport
	l.repeat("copy", func(ctx context.Context) (err error) {
		rep, err = registry.Copy(ctx, to, l.net, "", nil)
		return err
	}, func(o outcome) {
		if rep != nil {
			for _, c := range rep.Copied {
				ref := c.Name + "@" + c.Version.String()
				has[ref] = book[ref]
			}
		}
		if o == done {
			has = book
			has["m@prod"] = book["m@1.0.2"]
		}
		for ref, may := range book {
			if has[ref] == nil {
				may = []int{0, may[0]}
			} else {
				may = has[ref]
			}
			checkOne(t, dest.direct, ref, may)
		}
	})
	check(t, dest.direct, has)
}

// collect runs collections in a registry where a deleted version is freed
// after seconds.
func collect(t *testing.T, s *story) {
	at := onMinIO(t, nil)
	st, err := store.Open(t.Context(), at.url)
	if err != nil {
		t.Fatal(err)
	}
	_, old, err := st.Get(t.Context(), manifest.SettingsKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := manifest.NewSettings(time.Now(), manifest.Times{Era: 1, Window: 3, Retain: 1, Margin: 1}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Put(t.Context(), manifest.SettingsKey, settings, old.Token); err != nil {
		t.Fatal(err)
	}
	if at.direct, err = registry.Open(t.Context(), at.url, nil); err != nil {
		t.Fatal(err)
	}
	l := connect(t, s, at, nil)
	book := l.fill("m", 6, 600<<10)
	for k := range 4 {
		if _, err := l.direct.Delete(t.Context(), "m@"+version(k), nil); err != nil {
			t.Fatal(err)
		}
		book["m@"+version(k)] = []int{0}
	}
	for range 200 {
		o, err := l.attempt(func(ctx context.Context) error { _, err := l.net.GC(ctx, nil); return err })
		if o != done && o != failed && o != unknown {
			t.Errorf("gc: %v", err)
		}
		check(t, l.direct, book)
		if _, packs := l.packs(); len(packs) <= 2 {
			return // of the two versions that are live
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("nothing is freed")
}

func repair(t *testing.T, s *story) {
	l, dest := newLine(t, s, nil), onMinIO(t, nil)
	book := l.fill("m", 3, 700<<10)
	if _, err := registry.Copy(t.Context(), dest.direct, l.direct, "", nil); err != nil {
		t.Fatal(err)
	}
	mirror := l.reach(dest, nil)
	if mirror == nil {
		return
	}
	st, packs := l.packs()
	for i, key := range packs {
		if i == 0 {
			if err := st.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			continue
		}
		b, info, err := st.Get(t.Context(), key, nil)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if _, err := st.Put(t.Context(), key, b, info.Token); err != nil {
			t.Fatal(err)
		}
	}
	l.repeat("repair", func(ctx context.Context) error {
		rep, err := l.net.Repair(ctx, "", mirror, nil)
		if err == nil && !rep.OK() {
			err = fmt.Errorf("%v", rep.Problems)
		}
		return err
	}, func(o outcome) {
		if o == done {
			check(t, l.direct, book)
		}
	})
}

// locks has two clients want one lock. Never do both have it, and its epoch
// grows.
func locks(t *testing.T, s *story) {
	at := onMinIO(t, nil)
	var holders, epoch atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		l := connect(t, s, at, nil)
		wg.Go(func() {
			for range 8 {
				ctx, unlock, err := l.net.Lock(t.Context(), "job", nil)
				if err != nil {
					t.Errorf("a patient client: %v", err)
					continue
				}
				before, mine := holders.Add(1), int64(registry.LockEpoch(ctx))
				if old := epoch.Swap(mine); before != 1 || old >= mine {
					t.Errorf("%d holders, epoch %d after %d", before, mine, old)
				}
				holders.Add(-1)
				if err := unlock(); err != nil {
					t.Errorf("unlock: %v", err)
				}
				l.n[done]++
			}
		})
	}
	wg.Wait()
	held := func() bool {
		for state, err := range at.direct.Locks(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if state.Held() {
				return true
			}
		}
		return false
	}
	if held() {
		t.Error("both have given it back, and it is held")
	}
	l := connect(t, s, at, nil)
	ctx, unlock, err := at.direct.Lock(t.Context(), "job", nil)
	if err != nil || int64(registry.LockEpoch(ctx)) <= epoch.Load() {
		t.Fatal(err, registry.LockEpoch(ctx))
	}
	l.until("break", func(ctx context.Context) error {
		_, err := l.net.BreakLock(ctx, "job", &registry.BreakLockOptions{Why: "test"})
		return err
	}, func() bool { return !held() })
	if err := unlock(); !errors.Is(err, registry.ErrLockLost) {
		t.Errorf("unlock of a broken lock: %v", err)
	}
}

func checkout(t *testing.T, s *story) {
	c, err := cache.Open(&cache.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	opts := &registry.Options{Cache: c}
	l := newLine(t, s, opts)
	const n = 6
	l.fill("m", n, 700<<10)
	var offline *registry.Registry
	for k := range n {
		ref, dir := "m@"+version(k), ""
		l.repeat("checkout", func(ctx context.Context) error {
			rep, err := l.net.Checkout(ctx, ref, nil)
			if err == nil {
				dir = rep.Dir
			}
			return err
		}, func(o outcome) {
			if o != done && offline != nil { // what is half there is not given out
				if rep, err := offline.Checkout(t.Context(), ref, nil); err == nil {
					dir = rep.Dir
				}
			}
			if dir == "" {
				return
			}
			files, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil || len(files) != 1 {
				t.Fatalf("%s: %q, %v", ref, files, err)
			}
			if b, err := os.ReadFile(files[0]); err != nil || contentOf(b) != k+1 {
				t.Errorf("%s: content %d, %v", ref, contentOf(b), err)
			}
		})
		if offline == nil {
			offline, err = registry.Open(t.Context(), l.net.URL(), &registry.Options{Cache: c, Offline: true})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// updateUnversioned has two clients count. None of what was acknowledged is
// lost, and nothing is counted twice.
func updateUnversioned(t *testing.T, s *story) {
	at := onMinIO(t, &registry.Options{Unversioned: true})
	sure, maybe := count(t, s, at, func(l *line, ctx context.Context) error {
		_, err := registry.Update(ctx, l.net, "n", func(n int, _ *registry.Info) (int, error) { return n + 1, nil })
		return err
	})
	n, err := registry.Load[int](t.Context(), at.direct, "n")
	if err != nil || n < sure || n > sure+maybe {
		t.Errorf("the counter is %d (%v) after %d increments and %d perhaps", n, err, sure, maybe)
	}
}

// strictLocking has two clients save under the locks that a strict registry
// asks for.
func strictLocking(t *testing.T, s *story) {
	at := onMinIO(t, &registry.Options{Locking: "strict"})
	sure, maybe := count(t, s, at, func(l *line, _ context.Context) error {
		// A client that gives up while it takes the lock may leave it held for
		// as long as it lasts. This one has patience.
		_, err := l.net.Save(t.Context(), "n", "x")
		return err
	})
	n := 0
	for info, err := range at.direct.Versions(t.Context(), "n") {
		if err == nil {
			_, err = registry.Load[string](t.Context(), at.direct, "n@"+info.Version.String())
		}
		if err != nil {
			t.Error(err)
		}
		n++
	}
	if n < sure || n > sure+maybe {
		t.Errorf("%d versions, after %d saves and %d perhaps", n, sure, maybe)
	}
}

// errOf returns the error of a call alone.
func errOf[T any](_ T, err error) error { return err }
