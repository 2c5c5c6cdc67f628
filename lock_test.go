package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/tracestore"
)

var strict = &Options{Locking: "strict"}

func mustLock(t *testing.T, ctx context.Context, r *Registry, name string, o *LockOptions) (context.Context, func() error) {
	t.Helper()
	locked, unlock, err := r.Lock(ctx, name, o)
	if err != nil {
		t.Fatal(err)
	}
	return locked, unlock
}

func mustRLock(t *testing.T, ctx context.Context, r *Registry, name string, o *LockOptions) (context.Context, func() error) {
	t.Helper()
	locked, unlock, err := r.RLock(ctx, name, o)
	if err != nil {
		t.Fatal(err)
	}
	return locked, unlock
}

func mustUnlock(t *testing.T, unlock func() error) {
	t.Helper()
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

// What locks cost, request by request.
func TestRequestsForLocks(t *testing.T) {
	onEveryStore(t, func(t *testing.T, st store.Store) {
		trace := tracestore.New(st)
		var b strings.Builder
		nonces := regexp.MustCompile(`[0-9a-f]{32}`)
		step := func(title string, do func()) {
			trace.Reset()
			do()
			fmt.Fprintf(&b, "# %s\n%s\n", title, nonces.ReplaceAllString(trace.String(), "<nonce>"))
		}
		r := openOn(t, trace, strict)
		var unlock func() error
		step("lock for the first time", func() { _, unlock = mustLock(t, t.Context(), r, "job", nil) })
		step("unlock", func() { mustUnlock(t, unlock) })
		step("lock again", func() { _, unlock = mustLock(t, t.Context(), r, "job", nil) })
		step("list locks", func() { locksOf(t, r) })
		step("fail to lock", func() { r.RLock(t.Context(), "job", &LockOptions{Timeout: NoWait}) })
		mustUnlock(t, unlock)
		step("lock shared", func() { _, unlock = mustRLock(t, t.Context(), r, "job", nil) })
		step("unlock shared", func() { mustUnlock(t, unlock) })
		r = openOn(t, trace, nil)
		step("lock in another process", func() { _, unlock = mustLock(t, t.Context(), r, "job", nil) })
		step("break it", func() {
			if _, err := r.BreakLock(t.Context(), "job", nil); err != nil {
				t.Fatal(err)
			}
		})
		wantErr(t, unlock(), ErrLockLost)
		step("strict: first save of a process", func() { mustSave(t, r, "my:model", "first") })
		step("strict: later save", func() { mustSave(t, r, "my:model", "second") })
		step("strict: load the latest", func() { mustLoad[string](t, r, "my:model") })
		golden(t, "requests-locks.txt", b.String())
	})
}

func locksOf(t *testing.T, r *Registry) []LockInfo {
	t.Helper()
	var all []LockInfo
	for l, err := range r.Locks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

// Strict locking costs three requests a save and a load; the first save of
// a process reads the register, which is one more.
func TestStrictCostsThreeRequests(t *testing.T) {
	cost := func(o *Options) (saves, loads int) {
		trace := tracestore.New(newStore(t))
		r := openOn(t, trace, o)
		mustSave(t, r, "m", "first")
		trace.Reset()
		mustSave(t, r, "m", "second")
		saves = trace.Count("")
		trace.Reset()
		mustLoad[string](t, r, "m")
		return saves, trace.Count("")
	}
	saves, loads := cost(nil)
	strictSaves, strictLoads := cost(strict)
	if strictSaves != saves+3 || strictLoads != loads+3 {
		t.Errorf("a save costs %d and strictly %d requests, a load %d and %d", saves, strictSaves, loads, strictLoads)
	}
}

// With strict locking a save waits for a load under way and for a lock, and
// a load for a lock; without strict locking neither waits.
func TestStrictWaits(t *testing.T) {
	for _, o := range []*Options{strict, nil} {
		synctest.Test(t, func(t *testing.T) {
			st := newStore(t)
			r, other := openOn(t, st, o), openOn(t, st, o)
			mustSave(t, r, "m", "first")
			for what, take := range map[string]func(*testing.T, context.Context, *Registry, string, *LockOptions) (context.Context, func() error){
				"shared": mustRLock, "exclusive": mustLock,
			} {
				for op, do := range map[string]func(context.Context) error{
					"save": func(ctx context.Context) error { _, err := other.Save(ctx, "m", "second"); return err },
					"load": func(ctx context.Context) error { return other.Load(ctx, "m", new(string)) },
				} {
					_, unlock := take(t, t.Context(), r, "m", nil)
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					err := do(ctx)
					if waits := o == strict && (what == "exclusive" || op == "save"); waits {
						wantErr(t, err, context.DeadlineExceeded)
					} else if err != nil {
						t.Errorf("%s under a lock that is %s: %v", op, what, err)
					}
					cancel()
					mustUnlock(t, unlock)
					if err := do(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
			for _, l := range locksOf(t, r) {
				if l.State != "free" {
					t.Errorf("in the end %s is %s", l.Name, l.State)
				}
			}
		})
	}
}

// A load holds the shared lock until its last byte.
func TestStrictLoadHoldsToItsEnd(t *testing.T) {
	r, fst, _ := faultyStrict(t)
	body := noise(1, 1<<20)
	mustSave(t, r, "m", body)
	var mu sync.Mutex
	states := map[string]string{}
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		return faultstore.Fault{Do: func() {
			if c.Op == "list" || strings.HasPrefix(c.Key, "locks/") {
				return
			}
			dir, _, _ := strings.Cut(c.Key, "/")
			st, err := r.ledger.Locks.Status(context.Background(), "m")
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			states[c.Op+" "+dir] = st.State
		}}
	})
	check := func(want map[string]string) {
		t.Helper()
		for op, state := range want {
			if states[op] != state {
				t.Errorf("at %s the lock was %q, want %q", op, states[op], state)
			}
		}
		clear(states)
	}
	mustLoad[[]byte](t, r, "m")
	check(map[string]string{"get objects": "shared", "get packs": "shared"})
	mustSave(t, r, "m", noise(2, 1<<20))
	check(map[string]string{"get objects": "free", "put packs": "free", "put objects": "held"})
	fst.Plan(nil)
}

// The context of a lock takes part in what is done under it: nothing waits for
// itself, and what cannot work is an error instead.
func TestNestedLocks(t *testing.T) {
	st := newStore(t)
	r := openOn(t, st, strict)
	mustSave(t, r, "m", "first")
	again := openOn(t, st, strict) // the same registry
	ctx, unlock := mustLock(t, t.Context(), r, "m", nil)
	if LockEpoch(ctx) != 2 || LockEpoch(t.Context()) != 0 {
		t.Errorf("epochs %d and %d, want 2 and 0", LockEpoch(ctx), LockEpoch(t.Context()))
	}
	if _, err := r.Save(ctx, "m", "second"); err != nil {
		t.Error(err)
	}
	if err := again.Load(ctx, "m", new(string)); err != nil {
		t.Error(err)
	}
	inner, unlockInner := mustLock(t, ctx, again, "m", nil)
	mustUnlock(t, unlockInner)
	if err := inner.Err(); err != nil {
		t.Errorf("the inner unlock ended the outer lock: %v", err)
	}
	other, unlockOther := mustLock(t, ctx, r, "other", nil)
	if LockEpoch(other) != 1 {
		t.Errorf("the inner epoch is %d, want 1", LockEpoch(other))
	}
	mustUnlock(t, unlockOther)
	mustUnlock(t, unlock)
	_, err := r.Save(ctx, "m", "third")
	wantErr(t, err, context.Canceled)

	ctx, unlock = mustRLock(t, t.Context(), r, "m", nil)
	if err := r.Load(ctx, "m", new(string)); err != nil {
		t.Error(err)
	}
	if _, err := r.Save(ctx, "m", "third"); err == nil || !strings.Contains(err.Error(), "shared lock") {
		t.Errorf("save under a shared lock: %v", err)
	}
	mustUnlock(t, unlock)
	if got := mustLoad[string](t, r, "m"); got != "second" {
		t.Errorf("the object is %q", got)
	}
}

// A lock that is lost ends what is done under it, and the error says so.
func TestLockLostDuringStrictSave(t *testing.T) {
	r, fst, mem := faultyStrict(t)
	other := openOn(t, mem, nil)
	fst.Plan(nth(0, "objects/", faultstore.Fault{Before: store.ErrUnknown, Do: func() {
		if _, err := other.BreakLock(context.Background(), "m", &BreakLockOptions{Why: "test"}); err != nil {
			t.Error(err)
		}
		for _, l := range locksOf(t, other) {
			if l.State != "free" || l.Epoch != 2 || l.BrokenBy == nil || l.BrokenBy.Why != "test" {
				t.Errorf("broken, it is %+v", l)
			}
		}
	}}))
	// It is done before the next renewal: the commit is safe without the lock.
	mustSave(t, r, "m", "x")

	ctx, unlock := mustLock(t, t.Context(), r, "m", &LockOptions{TTL: 300 * time.Millisecond, minTTL: time.Millisecond})
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if strings.HasPrefix(c.Key, "locks/") {
			return faultstore.Fault{Before: store.ErrUnavailable}
		}
		return faultstore.Fault{}
	})
	<-ctx.Done()
	wantErr(t, context.Cause(ctx), ErrLockLost)
	_, err := r.Save(ctx, "m", "y")
	wantErr(t, err, ErrLockLost)
	wantErr(t, unlock(), ErrLockLost)
}

// A load that has to take a lock says that it needs permission to write
// (docs/attacks.md, A40).
func TestStrictLoadNeedsPermissionToWrite(t *testing.T) {
	r, fst, _ := faultyStrict(t)
	mustSave(t, r, "m", "x")
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op == "put" {
			return faultstore.Fault{Before: fs.ErrPermission}
		}
		return faultstore.Fault{}
	})
	err := r.Load(t.Context(), "m", new(string))
	wantErr(t, err, fs.ErrPermission)
	if err == nil || !strings.Contains(err.Error(), "load m: a shared lock writes to the registry") {
		t.Errorf("error %v does not say why", err)
	}
	obj, err := r.Object(t.Context(), "m") // it takes no lock
	if err != nil {
		t.Fatal(err)
	}
	if _, err := obj.ReadFile(obj.Files()[0].Path); err != nil {
		t.Error(err)
	}
}

// The kind of locking is fixed when a registry is made.
func TestLockingIsFixed(t *testing.T) {
	st := newStore(t)
	if _, err := OpenStore(t.Context(), st, "test:", &Options{Create: true, Locking: "loose"}); err == nil {
		t.Error("a registry with unknown locking was made")
	}
	if n := len(keysOf(t, st)); n != 0 {
		t.Errorf("%d keys were written", n)
	}
	if got := openOn(t, st, nil).Locking(); got != "" {
		t.Errorf("locking is %q", got)
	}
	if _, err := OpenStore(t.Context(), st, "test:", strict); err == nil {
		t.Error("a registry without locking was opened as a strict one")
	}
	if got := openOn(t, newStore(t), strict).Locking(); got != "strict" {
		t.Errorf("locking is %q", got)
	}
}

func TestLockErrors(t *testing.T) {
	r, st := inMemory(t)
	for _, lock := range []func(context.Context, string, *LockOptions) (context.Context, func() error, error){r.Lock, r.RLock} {
		for _, c := range []struct {
			name string
			o    *LockOptions
			want error
		}{
			{"my_model", nil, ErrInvalidName},
			{"m", &LockOptions{TTL: time.Second}, nil},
			{"m", &LockOptions{TTL: 25 * time.Hour}, nil},
			{"m", &LockOptions{Why: strings.Repeat("x", manifest.MaxLockWhy+1)}, nil},
		} {
			_, unlock, err := lock(t.Context(), c.name, c.o)
			if err == nil || unlock != nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("locking %s with %+v: %v", c.name, c.o, err)
			}
		}
	}
	wantErr(t, errOf(r.BreakLock(t.Context(), "m", nil)), ErrNotFound)
	wantErr(t, errOf(r.BreakLock(t.Context(), "my_model", nil)), ErrInvalidName)
	_, unlock := mustLock(t, t.Context(), r, "m", nil)
	_, _, err := openOn(t, st, nil).Lock(t.Context(), "m", &LockOptions{Timeout: NoWait})
	wantErr(t, err, ErrLockTimeout)
	if te := (*LockTimeoutError)(nil); !errors.As(err, &te) || te.Holder.PID == 0 {
		t.Errorf("error %v does not tell who", err)
	}
	mustUnlock(t, unlock)
	overwrite(t, st, manifest.LockKey("m"), func(b []byte) []byte { return b[:10] })
	_, _, err = r.RLock(t.Context(), "m", nil)
	wantErr(t, err, ErrIntegrity)
}

// faultyStrict is faulty with strict locking.
func faultyStrict(t *testing.T) (*Registry, *faultstore.Store, store.Store) {
	mem := newStore(t)
	fst := faultstore.New(mem, nil)
	return openOn(t, fst, strict), fst, mem
}
