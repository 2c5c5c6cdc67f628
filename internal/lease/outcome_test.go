package lease

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

// The answer to any write of a lock's life is lost, or the request lands late.
// The lock is taken, kept and given back all the same, exactly once
// (docs/attacks.md, A41).
func TestLockSurvivesLostAnswers(t *testing.T) {
	for what, fault := range map[string]faultstore.Fault{
		"applied, answer lost": {After: store.ErrUnknown},
		"request lost":         {Before: store.ErrUnknown},
		"late":                 {Late: true},
		"busy":                 {Before: store.ErrRetry},
	} {
		for n := range 4 { // take, renew, renew, release
			for _, shared := range []bool{false, true} {
				inBubble(t, func(t *testing.T, st *faultstore.Store) {
					first := mustLock(t, locksOn(st), nil)
					mustRelease(t, first)
					take := mustLock
					if shared {
						take = mustRLock
					}
					st.Plan(atPut(n, "locks/", fault))
					l := take(t, locksOn(st), nil)
					if want := first.Epoch() + 1; !shared && l.Epoch() != want {
						t.Errorf("%s at write %d: epoch %d, want %d", what, n, l.Epoch(), want)
					}
					time.Sleep(ttl*2/3 + ttl/6)
					mustRelease(t, l)
					st.Plan(nil)
					st.Release()
					if reg := read(t, st); reg.State != manifest.LockFree {
						t.Errorf("%s at write %d: in the end it is %s", what, n, reg.State)
					}
					timeout := NoWait
					if shared && fault.Late && n == 0 {
						timeout = 2 * ttl // a mark that lands after its removal ends with its TTL
					}
					mustRelease(t, mustLock(t, locksOn(st), &Options{Timeout: timeout}))
				})
			}
		}
	}
}

// A renewal is undecided when the lock is released. It lands before, between or
// after what the release does, or never (docs/attacks.md, A41).
func TestReleaseOverAnUndecidedRenewal(t *testing.T) {
	for _, lands := range []string{"never", "before", "between", "after"} {
		inBubble(t, func(t *testing.T, st *faultstore.Store) {
			l := mustLock(t, locksOn(st), nil)
			st.Plan(always(faultstore.Fault{Late: true}))
			time.Sleep(ttl/3 + time.Millisecond)
			if lands == "before" {
				st.Plan(nil)
				st.Release()
			}
			plan := atPut(0, "x.json", faultstore.Fault{Do: st.Release})
			if lands != "between" {
				plan = nil
			}
			done := make(chan error)
			go func() { done <- l.Release() }()
			st.Plan(plan)
			if err := <-done; err != nil {
				t.Errorf("%s: %v", lands, err)
			}
			if lands == "after" {
				st.Release()
			}
			if reg := read(t, st); reg.State != manifest.LockFree || reg.Epoch != 1 {
				t.Errorf("%s: it is %s in epoch %d", lands, reg.State, reg.Epoch)
			}
		})
	}
}

// A caller that gives up while it is undecided whether the lock was taken gives
// it back if it was (docs/attacks.md, A41).
func TestGivingUpFreesTheLock(t *testing.T) {
	for _, shared := range []bool{false, true} {
		inBubble(t, func(t *testing.T, st *faultstore.Store) {
			s := locksOn(st)
			ctx, cancel := context.WithCancel(t.Context())
			st.Plan(atPut(0, "locks/", faultstore.Fault{After: store.ErrUnknown, Do: cancel}))
			take := s.Lock
			if shared {
				take = s.RLock
			}
			_, err := take(ctx, name, nil)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, store.ErrUnknown) {
				t.Errorf("error %v, want one that says cancelled and unknown", err)
			}
			mustRelease(t, mustLock(t, locksOn(st), &Options{Timeout: NoWait}))
		})
	}
}

// Any request of taking, keeping and releasing fails for good: an error or
// a lock, and never one that stays for longer than its TTL.
func TestFailureAtEveryCall(t *testing.T) {
	boom := errors.New("boom")
	for _, shared := range []bool{false, true} {
		for n := range 6 {
			inBubble(t, func(t *testing.T, st *faultstore.Store) {
				s := locksOn(st)
				st.Plan(func(c faultstore.Call) faultstore.Fault {
					if c.N == n {
						return faultstore.Fault{Before: boom}
					}
					return faultstore.Fault{}
				})
				take := s.Lock
				if shared {
					take = s.RLock
				}
				l, err := take(t.Context(), name, nil)
				if err == nil {
					time.Sleep(ttl / 2)
					mustRelease(t, l)
				} else {
					wantErr(t, err, boom)
				}
				st.Plan(nil)
				mustRelease(t, mustLock(t, locksOn(st), &Options{Timeout: NoWait}))
			})
		}
	}
}

// Bad names and options are refused before anything is sent.
func TestBadOptions(t *testing.T) {
	inBubble(t, func(t *testing.T, st *faultstore.Store) {
		s := locksOn(st)
		for _, c := range []struct {
			name string
			o    *Options
		}{
			{"my_model", nil},
			{name, &Options{TTL: -time.Second}},
			{name, &Options{TTL: manifest.MaxLockTTL + time.Second}},
			{name, &Options{Why: string(make([]byte, manifest.MaxLockWhy+1))}},
		} {
			for _, take := range []func(context.Context, string, *Options) (*Lease, error){s.Lock, s.RLock} {
				if l, err := take(t.Context(), c.name, c.o); err == nil {
					t.Errorf("%s with %+v is locked", c.name, c.o)
					l.Release()
				}
			}
		}
		wantErr(t, errOf(s.Break(t.Context(), "my_model", "")), manifest.ErrInvalidName)
		if n := st.Calls(); n != 0 {
			t.Errorf("%d requests were made", n)
		}
	})
}

// twice puts everything a second time behind the caller's back, as some load
// balancers do, and tells what came of that.
type twice struct{ store.Store }

func (s twice) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	if info, err := s.Store.Put(ctx, key, body, match); err != nil {
		return info, err
	}
	return s.Store.Put(ctx, key, body, match)
}

// Writes that a network repeats are refused because of themselves. The lock is
// taken at once, kept and given back all the same.
func TestRepeatedWrites(t *testing.T) {
	for _, shared := range []bool{false, true} {
		inBubble(t, func(t *testing.T, st *faultstore.Store) {
			locks := locksOn(twice{st})
			mustRelease(t, mustLock(t, locks, nil))
			take := mustLock
			if shared {
				take = mustRLock
			}
			start := time.Now()
			l := take(t, locks, nil)
			if waited := time.Since(start); waited > 0 {
				t.Errorf("it was had after %s", waited)
			}
			time.Sleep(ttl * 2)
			mustRelease(t, l)
			if reg := read(t, st); reg.State != manifest.LockFree {
				t.Errorf("in the end it is %s", reg.State)
			}
		})
	}
}

// A release whose answer is lost has succeeded also if another process has the
// lock by the time it is repeated (attack A41).
func TestReleasedThenTakenByAnother(t *testing.T) {
	inBubble(t, func(t *testing.T, st *faultstore.Store) {
		l := mustLock(t, locksOn(st), nil)
		var next *Lease
		puts := 0
		st.Plan(func(c faultstore.Call) (f faultstore.Fault) {
			if c.Op != "put" {
				return f
			}
			switch puts++; puts {
			case 1:
				f.After = store.ErrUnknown
			case 2:
				f.Do = func() { next = mustLock(t, locksOn(st), nil) }
			}
			return f
		})
		mustRelease(t, l)
		mustRelease(t, next)
	})
}

// A holder that is in doubt of its last renewal, and releases the lock after it
// was broken and taken by another process, leaves it to that process.
func TestReleaseAfterAnotherHasTheLock(t *testing.T) {
	inBubble(t, func(t *testing.T, st *faultstore.Store) {
		mine := faultstore.New(st, nil)
		l := mustLock(t, locksOn(mine), nil)
		cut := true
		mine.Plan(func(c faultstore.Call) (f faultstore.Fault) {
			if c.Op == "get" {
				cut = false // the release looks: the store can be reached again
			}
			if cut {
				f.Before = store.ErrUnknown
			}
			return f
		})
		time.Sleep(ttl/3 + time.Millisecond)
		wantErr(t, errOf(locksOn(st).Break(t.Context(), name, "")), nil)
		next := mustLock(t, locksOn(st), &Options{Timeout: NoWait})
		wantErr(t, l.Release(), ErrLost)
		if reg := read(t, st); reg.State != manifest.LockHeld || reg.Epoch != next.Epoch() {
			t.Errorf("then it is %s in epoch %d", reg.State, reg.Epoch)
		}
		mustRelease(t, next)
	})
}

// Who gives up while it is undecided whether the lock was taken does not give
// back the lock of another holder.
func TestGivingUpWhileAnotherTakesTheLock(t *testing.T) {
	inBubble(t, func(t *testing.T, st *faultstore.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		var other *Lease
		st.Plan(atPut(0, "locks/", faultstore.Fault{Before: store.ErrUnknown, Do: func() {
			cancel()
			other = mustLock(t, locksOn(st), nil)
		}}))
		_, err := locksOn(st).Lock(ctx, name, nil)
		wantErr(t, err, context.Canceled)
		if reg := read(t, st); reg.State != manifest.LockHeld || reg.Epoch != other.Epoch() {
			t.Errorf("then it is %s in epoch %d", reg.State, reg.Epoch)
		}
		mustRelease(t, other)
	})
}
