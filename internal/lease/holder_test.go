package lease

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

// A holder that cannot renew the lock learns that it has lost it before another
// client can have it (docs/attacks.md, A37).
func TestHolderLearnsOfItsLossInTime(t *testing.T) {
	for what, pause := range map[string]func(*faultstore.Store, *hanging){
		"unreachable": func(st *faultstore.Store, _ *hanging) {
			st.Plan(always(faultstore.Fault{Before: store.ErrUnavailable}))
		},
		"requests lost": func(st *faultstore.Store, _ *hanging) {
			st.Plan(always(faultstore.Fault{Before: store.ErrUnknown}))
		},
		"hanging": func(_ *faultstore.Store, h *hanging) { h.on.Store(true) },
	} {
		for _, shared := range []bool{false, true} {
			inBubble(t, func(t *testing.T, st *faultstore.Store) {
				mine := faultstore.New(st, nil)
				hang := &hanging{Store: mine}
				take := mustLock
				if shared {
					take = mustRLock
				}
				l := take(t, locksOn(hang), nil)
				time.Sleep(ttl + ttl/2)
				pause(mine, hang)
				lost := make(chan time.Time, 1)
				go func() {
					wantErr(t, cause(l), ErrLost)
					lost <- time.Now()
				}()
				next := mustLock(t, locksOn(st), &Options{Poll: 50 * time.Millisecond})
				got := time.Now()
				synctest.Wait()
				select {
				case at := <-lost:
					if early := got.Sub(at); early < ttl/4 {
						t.Errorf("%s: the holder noticed the loss only %s before another process had the lock", what, early)
					}
				default:
					t.Errorf("%s: two have the lock", what)
				}
				wantErr(t, l.Release(), ErrLost)
				mustRelease(t, next)
			})
		}
	}
}

// A machine that sleeps stops timers and the monotonic clock. The wall clock
// shows it: at once to a holder that asks, soon to one that only has the
// context (docs/attacks.md, A37).
func TestSuspendedHolderLearnsOfItsLoss(t *testing.T) {
	inBubble(t, func(t *testing.T, st *faultstore.Store) {
		for _, asks := range []bool{true, false} {
			s := locksOn(st)
			var mu sync.Mutex
			slept := time.Duration(0)
			s.now = func() time.Time {
				mu.Lock()
				defer mu.Unlock()
				return time.Now().Round(0).Add(slept)
			}
			l := mustLock(t, s, nil)
			mu.Lock()
			slept = time.Hour
			mu.Unlock()
			if asks {
				wantErr(t, l.Check(), ErrLost)
			}
			time.Sleep(time.Second)
			wantErr(t, context.Cause(l.ctx), ErrLost)
			wantErr(t, l.Release(), ErrLost)
		}
	})
}

// A renewal that is answered too late does not bring the lock back
// (docs/attacks.md, A37).
func TestLateRenewalDoesNotBringTheLockBack(t *testing.T) {
	inBubble(t, func(t *testing.T, st *faultstore.Store) {
		l := mustLock(t, locksOn(st), nil)
		st.Plan(atPut(0, "x.json", faultstore.Fault{Do: func() { time.Sleep(ttl) }}))
		wantErr(t, cause(l), ErrLost)
		time.Sleep(ttl)
		wantErr(t, l.Release(), ErrLost)
	})
}

// A crashed holder is in the way for its TTL, and not longer; Break ends it at
// once (docs/attacks.md, A38).
func TestCrashedHolderBlocksForItsTTL(t *testing.T) {
	for what, end := range map[string]func(t *testing.T, st store.Store){
		"wait": func(t *testing.T, st store.Store) { time.Sleep(ttl) },
		"break": func(t *testing.T, st store.Store) {
			_, err := locksOn(st).Break(t.Context(), name, "dead")
			wantErr(t, err, nil)
		},
	} {
		for _, shared := range []bool{false, true} {
			inBubble(t, func(t *testing.T, st *faultstore.Store) {
				take := mustLock
				if shared {
					take = mustRLock
				}
				take(t, locksOn(st), nil).crash()
				_, err := locksOn(st).Lock(t.Context(), name, &Options{Timeout: ttl - time.Second})
				wantErr(t, err, ErrTimeout)
				end(t, st)
				l, err := locksOn(st).Lock(t.Context(), name, &Options{Timeout: 2 * time.Second})
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				mustRelease(t, l)
				for info := range st.List(t.Context(), manifest.SharedLocksPrefix(name), "") {
					t.Errorf("%s: %s is left", what, info.Key)
				}
			})
		}
	}
}

// The holder of a lock that was broken learns it with its next renewal, and
// who did it.
func TestBrokenHolderLearnsIt(t *testing.T) {
	for _, shared := range []bool{false, true} {
		inBubble(t, func(t *testing.T, st *faultstore.Store) {
			take := mustLock
			if shared {
				take = mustRLock
			}
			l := take(t, locksOn(st), nil)
			time.Sleep(ttl)
			start := time.Now()
			wantErr(t, errOf(locksOn(st).Break(t.Context(), name, "it hangs")), nil)
			err := cause(l)
			wantErr(t, err, ErrLost)
			if !shared && !strings.Contains(err.Error(), "it hangs") {
				t.Errorf("%v does not tell why", err)
			}
			if took := time.Since(start); took > ttl/3 {
				t.Errorf("learnt after %s", took)
			}
			wantErr(t, l.Release(), ErrLost)
			wantErr(t, errOf(locksOn(st).Break(t.Context(), name, "")), ErrNotHeld)
		})
	}
}

// A store that does not tell the time with its answers is asked for it.
func TestSilentStore(t *testing.T) {
	for _, shared := range []bool{false, true} {
		inBubble(t, func(t *testing.T, fst *faultstore.Store) {
			st := silent{fst}
			take := mustLock
			if shared {
				take = mustRLock
			}
			l := take(t, locksOn(st), nil)
			time.Sleep(2 * ttl)
			_, err := locksOn(st).Lock(t.Context(), name, &Options{Timeout: 2 * ttl})
			wantErr(t, err, ErrTimeout)
			l.crash()
			mustRelease(t, mustLock(t, locksOn(st), &Options{Timeout: ttl + time.Minute}))
		})
	}
}

// A lease is good from the moment at which the request for it was sent, not
// from that of the answer: the store may have dated it any time between.
func TestLeaseCountsFromTheRequest(t *testing.T) {
	for slow, want := range []time.Duration{ttl * 2 / 3, ttl/3 + ttl*2/3} { // the first put takes it, the second renews it
		inBubble(t, func(t *testing.T, st *faultstore.Store) {
			puts := 0
			st.Plan(func(c faultstore.Call) (f faultstore.Fault) {
				if c.Op != "put" {
					return f
				}
				switch puts++; {
				case puts-1 == slow:
					f.Do = func() { time.Sleep(ttl / 7) }
				case puts-1 > slow:
					f.Before = store.ErrUnavailable
				}
				return f
			})
			start := time.Now()
			wantErr(t, cause(mustLock(t, locksOn(st), nil)), ErrLost)
			if took := time.Since(start); took < want || took > want+time.Second {
				t.Errorf("put %d was slow: the lock is lost %s after it was asked for, want %s", slow, took, want)
			}
		})
	}
}

// A lock that is lost while it waits for the shared holders is not handed out,
// though they are gone by then: the machine may have been asleep meanwhile.
func TestLeaseLostWhileItWaitsForSharedHolders(t *testing.T) {
	inBubble(t, func(t *testing.T, st *faultstore.Store) {
		s := locksOn(st)
		var mu sync.Mutex
		slept := time.Duration(0)
		s.now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Round(0).Add(slept)
		}
		st.Plan(func(c faultstore.Call) (f faultstore.Fault) {
			if c.Op == "list" {
				f.Do = func() {
					mu.Lock()
					defer mu.Unlock()
					slept = time.Hour
				}
			}
			return f
		})
		l, err := s.Lock(t.Context(), name, nil)
		wantErr(t, err, ErrLost)
		if l != nil {
			t.Error("a lock that is lost is handed out")
		}
	})
}
