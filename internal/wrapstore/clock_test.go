package wrapstore

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/mindtrace/registry/store"
)

// storeClock is the time of a store whose clock is far from ours.
var storeClock = time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)

// clockStore answers with the times it is given, and counts the requests for
// the time.
type clockStore struct {
	store.Store // the methods that no test calls
	now         time.Time
	err         error
	asked       int
}

func (s *clockStore) Now(context.Context) (time.Time, error) {
	s.asked++
	return s.now, s.err
}

func (s *clockStore) info() store.Info { return store.Info{Key: "k", Now: s.now} }

func (s *clockStore) Get(context.Context, string, *store.GetOptions) ([]byte, store.Info, error) {
	return []byte("body"), s.info(), s.err
}

func (s *clockStore) Stat(context.Context, string) (store.Info, error) { return s.info(), s.err }

func (s *clockStore) Put(context.Context, string, []byte, store.Token) (store.Info, error) {
	return s.info(), s.err
}

func (s *clockStore) Delete(context.Context, string) error { return s.err }

func (s *clockStore) List(context.Context, string, string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for range 3 {
			if !yield(s.info(), nil) {
				return
			}
			s.now = s.now.Add(time.Minute)
		}
		yield(store.Info{}, s.err)
	}
}

func TestClockKnowsNothingAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		c.Observe(time.Time{}) // an answer that did not say
		time.Sleep(time.Hour)
		if at, ago := c.Last(); !at.IsZero() || ago != 0 {
			t.Errorf("last %s, %s ago", at, ago)
		}
		if now := c.Now(); !now.IsZero() {
			t.Errorf("now %s, which nobody said", now)
		}
		st := &clockStore{now: storeClock}
		if at, err := c.Fresh(t.Context(), st, time.Hour); at != storeClock || err != nil || st.asked != 1 {
			t.Errorf("fresh %s, %v, with %d requests", at, err, st.asked)
		}
	})
}

func TestClockAdvances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		c.Observe(storeClock)
		for passed := time.Duration(0); passed < 10*time.Second; passed += time.Second {
			if at, ago := c.Last(); !at.Equal(storeClock) || ago != passed {
				t.Errorf("after %s: last %s, %s ago", passed, at, ago)
			}
			if now := c.Now(); !now.Equal(storeClock.Add(passed)) {
				t.Errorf("after %s: now %s", passed, now)
			}
			time.Sleep(time.Second)
		}
		c.Observe(time.Time{}) // says nothing, and forgets nothing
		if now := c.Now(); !now.Equal(storeClock.Add(10 * time.Second)) {
			t.Errorf("now %s", now)
		}
		c.Observe(storeClock.Add(time.Minute))
		time.Sleep(time.Second)
		if now := c.Now(); !now.Equal(storeClock.Add(61 * time.Second)) {
			t.Errorf("after a later answer: now %s", now)
		}
	})
}

// Fresh asks only if what it knows is older than allowed, and never makes up
// a time: it returns what the store said.
func TestFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		c.Observe(storeClock)
		st := &clockStore{now: storeClock.Add(time.Hour)}
		time.Sleep(time.Minute)
		if at, err := c.Fresh(t.Context(), st, time.Minute); !at.Equal(storeClock) || err != nil || st.asked != 0 {
			t.Errorf("after a minute: %s, %v, with %d requests", at, err, st.asked)
		}
		time.Sleep(time.Nanosecond)
		if at, err := c.Fresh(t.Context(), st, time.Minute); !at.Equal(st.now) || err != nil || st.asked != 1 {
			t.Errorf("after more than a minute: %s, %v, with %d requests", at, err, st.asked)
		}
		if at, err := c.Fresh(t.Context(), st, time.Minute); !at.Equal(st.now) || err != nil || st.asked != 1 {
			t.Errorf("once more: %s, %v, with %d requests", at, err, st.asked)
		}
		time.Sleep(time.Nanosecond)
		if _, err := c.Fresh(t.Context(), st, 0); err != nil || st.asked != 2 {
			t.Errorf("afresh: %v, with %d requests", err, st.asked)
		}
		time.Sleep(time.Hour)
		st.err = errors.New("no answer")
		before := c.Now()
		if at, err := c.Fresh(t.Context(), st, time.Minute); !errors.Is(err, st.err) || !at.IsZero() || !c.Now().Equal(before) {
			t.Errorf("without an answer: %s, %v", at, err)
		}
	})
}

// setMonotonic returns t with its monotonic reading moved by d, the wall
// clock left alone. Package time has no way to make the times that
// a suspended or reset machine sees; its layout is checked before use.
func setMonotonic(t *testing.T, at time.Time, d time.Duration) time.Time {
	t.Helper()
	layout := (*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&at))
	before := at
	layout.ext += int64(d)
	if unsafe.Sizeof(at) != unsafe.Sizeof(*layout) || at.Sub(before) != d || at.Round(0).Sub(before.Round(0)) != 0 {
		t.Fatal("time.Time has another layout than this test knows")
	}
	return at
}

// Attack A21: the monotonic clock stands still while a machine sleeps, and
// the wall clock may be set. The longer of both counts: evidence must not
// look younger than it is.
func TestElapsedIsTheLongerOfBothClocks(t *testing.T) {
	from := time.Now()
	for _, c := range []struct {
		why             string
		wall, monotonic time.Duration
		want            time.Duration
	}{
		{"awake", time.Minute, time.Minute, time.Minute},
		{"asleep for an hour", time.Hour + time.Minute, time.Minute, time.Hour + time.Minute},
		{"wall clock set back", -time.Hour, time.Minute, time.Minute},
		{"wall clock set forward", time.Hour, time.Minute, time.Hour},
		{"both behind", -time.Hour, -time.Minute, 0},
		{"no time at all", 0, 0, 0},
	} {
		to := setMonotonic(t, from.Add(c.wall), c.monotonic-c.wall)
		if got := Elapsed(from, to); got != c.want {
			t.Errorf("%s: %s, want %s", c.why, got, c.want)
		}
	}
}

// A process that was suspended asks for the time again. (The fake clock of
// a bubble has no monotonic reading, so this one is in real time.)
func TestFreshAfterSuspend(t *testing.T) {
	var c Clock
	c.Observe(storeClock)
	// Two hours ago, of which the machine was awake for one second.
	c.here = setMonotonic(t, c.here.Add(-2*time.Hour), 2*time.Hour-time.Second)
	if now := c.Now(); now.Before(storeClock.Add(2 * time.Hour)) {
		t.Errorf("now %s", now)
	}
	st := &clockStore{now: storeClock.Add(2 * time.Hour)}
	if at, err := c.Fresh(t.Context(), st, time.Minute); !at.Equal(st.now) || err != nil || st.asked != 1 {
		t.Errorf("fresh %s, %v, with %d requests", at, err, st.asked)
	}
}

// Every answer tells the time, also one that says no.
func TestObserveClock(t *testing.T) {
	ctx := t.Context()
	for name, call := range map[string]func(store.Store){
		"get":  func(st store.Store) { st.Get(ctx, "k", nil) },
		"stat": func(st store.Store) { st.Stat(ctx, "k") },
		"put":  func(st store.Store) { st.Put(ctx, "k", nil, store.Absent) },
		"now":  func(st store.Store) { st.Now(ctx) },
	} {
		for _, err := range []error{nil, store.ErrNotExist, store.ErrPrecondition} {
			synctest.Test(t, func(t *testing.T) {
				var c Clock
				call(ObserveClock(&clockStore{now: storeClock, err: err}, &c))
				if now := c.Now(); !now.Equal(storeClock) {
					t.Errorf("%s, %v: now %s", name, err, now)
				}
				time.Sleep(time.Second)
				call(ObserveClock(&clockStore{err: store.ErrUnavailable}, &c)) // no answer, no time
				if now := c.Now(); !now.Equal(storeClock.Add(time.Second)) {
					t.Errorf("%s, %v, then no answer: now %s", name, err, now)
				}
			})
		}
	}
	var c Clock
	if err := ObserveClock(&clockStore{now: storeClock, err: store.ErrRetry}, &c).Delete(ctx, "k"); !errors.Is(err, store.ErrRetry) || !c.Now().IsZero() {
		t.Errorf("delete: %v, now %s", err, c.Now())
	}
}

func TestObserveClockPassesAnswersOn(t *testing.T) {
	ctx, c := t.Context(), new(Clock)
	st := ObserveClock(&clockStore{now: storeClock, err: store.ErrRetry}, c)
	want := store.Info{Key: "k", Now: storeClock}
	if body, info, err := st.Get(ctx, "k", nil); string(body) != "body" || info != want || err != store.ErrRetry {
		t.Errorf("get: %q, %+v, %v", body, info, err)
	}
	if info, err := st.Stat(ctx, "k"); info != want || err != store.ErrRetry {
		t.Errorf("stat: %+v, %v", info, err)
	}
	if info, err := st.Put(ctx, "k", nil, store.Absent); info != want || err != store.ErrRetry {
		t.Errorf("put: %+v, %v", info, err)
	}
	if at, err := st.Now(ctx); at != storeClock || err != store.ErrRetry {
		t.Errorf("now: %s, %v", at, err)
	}
}

// A listing tells the time with every page.
func TestObserveClockOncePerPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		st := &clockStore{now: storeClock, err: store.ErrUnavailable}
		var seen []time.Time
		var last error
		for info, err := range ObserveClock(st, &c).List(t.Context(), "", "") {
			if last = err; err == nil {
				seen = append(seen, c.Now())
				if !c.Now().Equal(info.Now) {
					t.Errorf("now %s, the page said %s", c.Now(), info.Now)
				}
			}
		}
		if want := []time.Time{storeClock, storeClock.Add(time.Minute), storeClock.Add(2 * time.Minute)}; !slices.EqualFunc(seen, want, time.Time.Equal) {
			t.Errorf("seen %s, want %s", seen, want)
		}
		if !errors.Is(last, store.ErrUnavailable) || !c.Now().Equal(storeClock.Add(2*time.Minute)) {
			t.Errorf("ended with %v, now %s", last, c.Now())
		}
	})
	// Keys of one page were answered at one time: what was learnt with the
	// first must not look newer with the last.
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		page := pageStore{clockStore{now: storeClock}}
		for range ObserveClock(&page, &c).List(t.Context(), "", "") {
			time.Sleep(time.Minute) // what the caller does with a key
		}
		if now := c.Now(); !now.Equal(storeClock.Add(3 * time.Minute)) {
			t.Errorf("now %s", now)
		}
	})
	var c Clock
	for range ObserveClock(&clockStore{now: storeClock}, &c).List(t.Context(), "", "") {
		break
	}
	if c.Now().IsZero() {
		t.Error("a listing that was broken off has not told the time")
	}
}

// pageStore lists three keys in one page.
type pageStore struct{ clockStore }

func (s *pageStore) List(context.Context, string, string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for range 3 {
			if !yield(s.info(), nil) {
				return
			}
		}
	}
}
