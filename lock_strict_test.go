package registry

import (
	"context"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/tracestore"
)

var strict = &Options{Locking: "strict"}

// Strict locking costs three requests a save and a load, and both an update; the
// first save of a process reads the register, which is one more.
func TestStrictCostsThreeRequests(t *testing.T) {
	cost := func(o *Options) (saves, loads, updates int) {
		trace := tracestore.New(newStore(t))
		r := openOn(t, trace, o)
		mustSave(t, r, "m", "first")
		trace.Reset()
		mustSave(t, r, "m", "second")
		saves = trace.Count("")
		trace.Reset()
		mustLoad[string](t, r, "m")
		loads = trace.Count("")
		trace.Reset()
		must[Version](t)(Update(t.Context(), r, "m", func(old string, _ *Info) (string, error) { return old + "!", nil }))
		return saves, loads, trace.Count("")
	}
	saves, loads, updates := cost(nil)
	strictSaves, strictLoads, strictUpdates := cost(strict)
	if strictUpdates != updates+6 {
		t.Errorf("an update costs %d and strictly %d requests", updates, strictUpdates)
	}
	if strictSaves != saves+3 || strictLoads != loads+3 {
		t.Errorf("a save costs %d and strictly %d requests, a load %d and %d", saves, strictSaves, loads, strictLoads)
	}
}

// With strict locking a save waits for a load under way and for a lock, and
// a load for a lock; without it nobody waits.
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

// A lock that is lost ends what is done under it, and the error says so.
func TestLockLostDuringStrictSave(t *testing.T) {
	r, fst, mem := faultyStrict(t)
	other := openOn(t, mem, nil)
	fst.Plan(atPut(0, "objects/", faultstore.Fault{Before: store.ErrUnknown, Do: func() {
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
	obj, err := r.Object(t.Context(), "m") // takes none
	if err != nil {
		t.Fatal(err)
	}
	if _, err := obj.ReadFile(obj.Files()[0].Path); err != nil {
		t.Error(err)
	}
}

// If the store never says whether it applied a write to a lock, taking, releasing
// and breaking the lock say that too.
func TestLocksSayThatTheOutcomeIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fst := faultstore.New(newStore(t), nil)
		r := openOn(t, fst, nil)
		_, unlock := mustLock(t, t.Context(), r, "held", nil)
		fst.Plan(func(c faultstore.Call) faultstore.Fault {
			if c.Op == "put" && strings.HasPrefix(c.Key, "locks/") {
				return faultstore.Fault{Before: store.ErrUnknown}
			}
			return faultstore.Fault{}
		})
		_, _, err := r.Lock(t.Context(), "free", nil)
		wantErr(t, err, ErrOutcomeUnknown)
		wantErr(t, errOf(r.BreakLock(t.Context(), "held", nil)), ErrOutcomeUnknown)
		wantErr(t, unlock(), ErrOutcomeUnknown)
	})
}
