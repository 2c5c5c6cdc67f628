package lease

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/lock"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/memstore"
)

// Sixteen holders increment a counter by reading and writing it, and a third
// of them die with the lock. No increment is lost, epochs grow, and shared
// holders see the counter stand still.
func TestContenders(t *testing.T) {
	inBubble(t, func(t *testing.T, st *faultstore.Store) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		var mu sync.Mutex // of what follows; the lock under test guards the counter
		counter, counted, last := 0, 0, uint64(0)
		var wg sync.WaitGroup
		for i := range 16 {
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			wg.Go(func() {
				s := locksOn(st)
				for range 8 {
					if rng.IntN(3) == 0 {
						l := mustRLock(t, s, nil)
						mu.Lock()
						before := counter
						mu.Unlock()
						time.Sleep(time.Duration(rng.Int64N(int64(ttl))))
						mu.Lock()
						if l.Check() == nil && counter != before {
							t.Errorf("the counter went from %d to %d under a shared lock", before, counter)
						}
						mu.Unlock()
						if rng.IntN(3) == 0 {
							l.crash()
							continue
						}
						mustRelease(t, l)
						continue
					}
					l := mustLock(t, s, nil)
					mu.Lock()
					if l.Epoch() <= last {
						t.Errorf("epoch %d after %d", l.Epoch(), last)
					}
					last = l.Epoch()
					v := counter
					mu.Unlock()
					time.Sleep(time.Duration(rng.Int64N(int64(2 * ttl))))
					if rng.IntN(3) == 0 {
						l.crash()
						continue
					}
					mu.Lock()
					if l.Check() == nil {
						counter = v + 1
						counted++
					}
					mu.Unlock()
					mustRelease(t, l)
				}
			})
		}
		wg.Wait()
		if counter != counted || counted < 20 {
			t.Errorf("counted to %d in %d increments", counter, counted)
		}
	})
}

// A live lock is kept for as long as its holder lives.
func TestHeldForAnHour(t *testing.T) {
	inBubble(t, func(t *testing.T, st *faultstore.Store) {
		for _, shared := range []bool{false, true} {
			take := mustLock
			if shared {
				take = mustRLock
			}
			l := take(t, locksOn(st), nil)
			time.Sleep(time.Hour)
			_, err := locksOn(st).Lock(t.Context(), name, &Options{Timeout: NoWait})
			wantErr(t, err, ErrTimeout)
			if err := l.ctx.Err(); err != nil {
				t.Error(err)
			}
			mustRelease(t, l)
			if err := l.ctx.Err(); err == nil {
				t.Error("released, but its context goes on")
			}
			if got := l.Release(); got != nil {
				t.Errorf("second release: %v", got)
			}
			mustRelease(t, mustLock(t, locksOn(st), &Options{Timeout: NoWait}))
		}
	})
}

// The error of a lock that timed out names the holder.
func TestTimeoutNamesTheHolder(t *testing.T) {
	inBubble(t, func(t *testing.T, st *faultstore.Store) {
		l := mustLock(t, locksOn(st), &Options{Why: "training"})
		since := time.Now().UTC().Format(time.RFC3339)
		for _, timeout := range []time.Duration{NoWait, 90 * time.Second} {
			start := time.Now()
			_, err := locksOn(st).Lock(t.Context(), name, &Options{Timeout: timeout})
			wantErr(t, err, ErrTimeout)
			te := (*lock.TimeoutError)(nil)
			if !errors.As(err, &te) || te.Holder.Why != "training" || !strings.Contains(err.Error(), "training, since "+since) {
				t.Errorf("error %v does not tell who, why and since when", err)
			}
			if took := time.Since(start); took != max(timeout, 0) {
				t.Errorf("a timeout of %s took %s", timeout, took)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := locksOn(st).RLock(ctx, name, nil)
		wantErr(t, err, context.DeadlineExceeded)
		if err == nil || !strings.Contains(err.Error(), "training") {
			t.Errorf("error %v does not tell for whom was waited", err)
		}
		mustRelease(t, l)
		r := mustRLock(t, locksOn(st), &Options{Why: "reading"})
		_, err = locksOn(st).Lock(t.Context(), name, &Options{Timeout: time.Minute})
		if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "shared by") || !strings.Contains(err.Error(), "reading") {
			t.Errorf("error %v does not tell who shares", err)
		}
		mustRelease(t, r)
		if reg := read(t, st); reg.State != manifest.LockFree {
			t.Errorf("after a timeout the lock is %s", reg.State)
		}
	})
}

// Readers share. A writer waits for those that are there, and those that come
// later wait for it.
func TestWriterPreference(t *testing.T) {
	inBubble(t, func(t *testing.T, st *faultstore.Store) {
		r1, r2 := mustRLock(t, locksOn(st), nil), mustRLock(t, locksOn(st), nil)
		var order []string
		var mu sync.Mutex
		say := func(s string) { mu.Lock(); order = append(order, s); mu.Unlock() }
		var wg sync.WaitGroup
		wg.Go(func() {
			w := mustLock(t, locksOn(st), nil)
			say("writer")
			time.Sleep(time.Minute)
			say("writer ends")
			mustRelease(t, w)
		})
		time.Sleep(time.Minute)
		wg.Go(func() {
			r := mustRLock(t, locksOn(st), nil)
			say("late reader")
			mustRelease(t, r)
		})
		time.Sleep(time.Minute)
		say("first reader ends")
		mustRelease(t, r1)
		time.Sleep(time.Minute)
		say("second reader ends")
		mustRelease(t, r2)
		wg.Wait()
		if got, want := strings.Join(order, ", "), "first reader ends, second reader ends, writer, writer ends, late reader"; got != want {
			t.Errorf("%s; want %s", got, want)
		}
	})
}

// Two waiters see that a lock has expired, or want to break it. The slower one
// does not take it from the faster one (docs/attacks.md, A34).
func TestSlowerOfTwoWaitersTakesNothing(t *testing.T) {
	for _, breaks := range []bool{false, true} {
		inBubble(t, func(t *testing.T, st *faultstore.Store) {
			mustLock(t, locksOn(st), nil).crash()
			time.Sleep(ttl + time.Second)
			slow, fast := locksOn(st), locksOn(st)
			var l *Lease
			st.Plan(atPut(0, "x.json", faultstore.Fault{Do: func() {
				if breaks {
					if _, err := fast.Break(t.Context(), name, ""); err != nil {
						t.Error(err)
					}
				}
				l = mustLock(t, fast, nil)
			}}))
			if breaks {
				wantErr(t, errOf(slow.Break(t.Context(), name, "")), ErrChanged)
			} else {
				_, err := slow.Lock(t.Context(), name, &Options{Timeout: NoWait})
				wantErr(t, err, ErrTimeout)
			}
			time.Sleep(2 * ttl)
			mustRelease(t, l)
		})
	}
}

// The epoch is not forgotten when the lock is released, expires or is broken
// (docs/attacks.md, A35).
func TestEpochSurvivesReleaseExpiryAndBreak(t *testing.T) {
	inBubble(t, func(t *testing.T, st *faultstore.Store) {
		s := locksOn(st)
		want := uint64(0)
		take := func() *Lease {
			want++
			l := mustLock(t, s, nil)
			if l.Epoch() != want {
				t.Errorf("epoch %d, want %d", l.Epoch(), want)
			}
			return l
		}
		mustRelease(t, take())
		mustRelease(t, take()) // from what the process remembers
		s = locksOn(st)
		mustRelease(t, take())
		take().crash()
		l := take()
		if _, err := locksOn(st).Break(t.Context(), name, ""); err != nil {
			t.Error(err)
		}
		want++
		wantErr(t, l.Release(), ErrLost)
		mustRelease(t, take())
		r := mustRLock(t, s, nil)
		if r.Epoch() != want {
			t.Errorf("a shared holder has epoch %d, want %d", r.Epoch(), want)
		}
		mustRelease(t, r)
	})
}

// Neither the client's clock nor its distance from the store's decides whether
// a lock has expired (docs/attacks.md, A36).
func TestClientClockDoesNotDecideExpiry(t *testing.T) {
	for _, skew := range []time.Duration{-1000 * time.Hour, 1000 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			st := memstore.New(&memstore.Options{Now: func() time.Time { return time.Now().Add(skew) }})
			l := mustLock(t, locksOn(st), nil)
			time.Sleep(ttl)
			_, err := locksOn(st).Lock(t.Context(), name, &Options{Timeout: NoWait})
			wantErr(t, err, ErrTimeout)
			l.crash()
			mustRelease(t, mustLock(t, locksOn(st), &Options{Timeout: 2 * ttl}))
		})
	}
}

// A waiter writes nothing, and reads rarely (docs/attacks.md, A39).
func TestWaitersOnlyRead(t *testing.T) {
	inBubble(t, func(t *testing.T, st *faultstore.Store) {
		l := mustLock(t, locksOn(st), nil)
		calls := map[string]int{}
		wst := faultstore.New(st, func(c faultstore.Call) faultstore.Fault {
			calls[c.Op]++
			return faultstore.Fault{}
		})
		_, err := locksOn(wst).Lock(t.Context(), name, &Options{Timeout: 10 * time.Minute})
		wantErr(t, err, ErrTimeout)
		if calls["put"] != 0 || calls["get"] < 60 || calls["get"] > 150 {
			t.Errorf("waiting for ten minutes took %v", calls)
		}
		mustRelease(t, l)
	})
}
