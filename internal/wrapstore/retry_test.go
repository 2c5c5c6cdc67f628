package wrapstore_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/memstore"
)

// calls are the ways to ask a store, by the name of the fault store.
var calls = map[string]func(ctx context.Context, st store.Store) error{
	"get":  func(ctx context.Context, st store.Store) error { _, _, err := st.Get(ctx, "k", nil); return err },
	"stat": func(ctx context.Context, st store.Store) error { _, err := st.Stat(ctx, "k"); return err },
	"put": func(ctx context.Context, st store.Store) error {
		_, err := st.Put(ctx, "new", []byte("x"), store.Absent)
		return err
	},
	"delete": func(ctx context.Context, st store.Store) error { return st.Delete(ctx, "gone") },
	"list": func(ctx context.Context, st store.Store) error {
		for _, err := range st.List(ctx, "", "") {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"now": func(ctx context.Context, st store.Store) error { _, err := st.Now(ctx); return err },
}

// one returns a store with one key in it, its faults, and Retry on top.
func one(t *testing.T) (*faultstore.Store, store.Store) {
	fst := faultstore.New(memstore.New(nil), nil)
	if _, err := fst.Put(t.Context(), "k", []byte("body"), store.Absent); err != nil {
		t.Fatal(err)
	}
	fst.Plan(nil)
	return fst, wrapstore.Retry(fst, wrapstore.RetryPolicy{})
}

// first makes a plan that fails the first n calls.
func first(n int, err error) func(faultstore.Call) faultstore.Fault {
	return func(c faultstore.Call) faultstore.Fault {
		if c.N < n {
			return faultstore.Fault{Before: err}
		}
		return faultstore.Fault{}
	}
}

func TestRetryWhatPasses(t *testing.T) {
	boom := errors.New("boom")
	for name, call := range calls {
		for _, tt := range []struct {
			err     error
			repeats bool
		}{
			{store.ErrUnavailable, true},
			{store.ErrRetry, true},
			{store.ErrUnknown, name == "delete"},
			{fmt.Errorf("%w: %w", store.ErrUnknown, store.ErrUnavailable), name != "put"},
			{store.ErrPrecondition, false},
			{store.ErrNotExist, false},
			{store.ErrNoBucket, false},
			{boom, false},
		} {
			t.Run(name+" "+tt.err.Error(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					fst, st := one(t)
					fst.Plan(first(3, tt.err))
					err := call(t.Context(), st)
					want := 1
					if tt.repeats {
						want = 4
					}
					if fst.Calls() != want {
						t.Errorf("%d requests, want %d", fst.Calls(), want)
					}
					if tt.repeats && err != nil || !tt.repeats && !errors.Is(err, tt.err) {
						t.Errorf("it came to %v", err)
					}
				})
			})
		}
	}
}

func TestRetryCostsNothing(t *testing.T) {
	for name, call := range calls {
		fst, st := one(t)
		if err := call(t.Context(), st); err != nil || fst.Calls() != 1 {
			t.Errorf("%s: %d requests, %v; want 1", name, fst.Calls(), err)
		}
	}
}

// A wrong address is found out in seconds; a server that was there may come
// back within a minute.
func TestRetryBudget(t *testing.T) {
	for name, call := range calls {
		for _, answered := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				fst, st := one(t)
				if answered {
					if _, err := st.Stat(t.Context(), "nothing"); !errors.Is(err, store.ErrNotExist) {
						t.Fatal(err)
					}
				}
				fst.Plan(first(1e9, store.ErrUnavailable))
				start := time.Now()
				err := call(t.Context(), st)
				took := time.Since(start)
				if !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("%s: %v", name, err)
				}
				least, most := 0*time.Second, 4*time.Second
				if answered {
					least, most = 50*time.Second, time.Minute
				}
				if took < least || took > most || fst.Calls() < 4 || fst.Calls() > 100 {
					t.Errorf("%s, answered before %t: %d requests in %s", name, answered, fst.Calls(), took)
				}
			})
		}
	}
}

// A cancelled call stops waiting.
func TestRetryCancelled(t *testing.T) {
	for name, call := range calls {
		synctest.Test(t, func(t *testing.T) {
			fst, st := one(t)
			fst.Plan(first(1e9, store.ErrRetry))
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			start := time.Now()
			err := call(ctx, st)
			if took := time.Since(start); took != 3*time.Second || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v after %s", name, err, took)
			}
		})
	}
}

// A listing that breaks off goes on where it was, and shows no key twice.
func TestRetryListResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New(nil)
		var want []string
		for i := range 50 {
			key := fmt.Sprintf("k/%02d", i)
			want = append(want, key)
			if _, err := mem.Put(t.Context(), key, nil, store.Absent); err != nil {
				t.Fatal(err)
			}
		}
		broken := &breaking{Store: mem, every: 7}
		var got []string
		for info, err := range wrapstore.Retry(broken, wrapstore.RetryPolicy{}).List(t.Context(), "k/", "k/03") {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, info.Key); len(got) > len(want) {
				break // it would never end
			}
		}
		if !slices.Equal(got, want[4:]) {
			t.Errorf("it shows %q", got)
		}
		if broken.lists != 7 {
			t.Errorf("%d requests, want 7", broken.lists)
		}
	})
}

// breaking breaks off its listings after some keys.
type breaking struct {
	*memstore.Store
	every, lists int
}

func (b *breaking) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		b.lists++
		n := 0
		for info, err := range b.Store.List(ctx, prefix, after) {
			if n++; n > b.every {
				yield(store.Info{}, store.ErrUnavailable)
				return
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// A call that stalls is repeated once, however much of the minute is left: each
// try costs the whole patience. What fails at once beside it does not count.
func TestRetryStalls(t *testing.T) {
	stalled := fmt.Errorf("%w: %w", store.ErrUnavailable, store.ErrStalled)
	for name, call := range calls {
		for _, quick := range []int{0, 3} {
			synctest.Test(t, func(t *testing.T) {
				fst, st := one(t)
				if _, err := st.Stat(t.Context(), "nothing"); !errors.Is(err, store.ErrNotExist) {
					t.Fatal(err)
				}
				fst.Plan(func(c faultstore.Call) faultstore.Fault {
					if c.N < quick {
						return faultstore.Fault{Before: store.ErrUnavailable}
					}
					return faultstore.Fault{Before: stalled}
				})
				if err := call(t.Context(), st); !errors.Is(err, store.ErrStalled) || fst.Calls() != quick+2 {
					t.Errorf("%s: %d requests, want %d; %v", name, fst.Calls(), quick+2, err)
				}
				fst.Plan(first(1, stalled))
				if err := call(t.Context(), st); err != nil || fst.Calls() != 2 {
					t.Errorf("%s, after one stall: %d requests, %v", name, fst.Calls(), err)
				}
			})
		}
	}
}

// stumbling is a store whose listings fail after each key.
type stumbling struct {
	store.Store
	err error
}

func (s stumbling) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for info, err := range s.Store.List(ctx, prefix, after) {
			if yield(info, err) {
				yield(store.Info{}, s.err)
			}
			return
		}
	}
}

// The time for which a call is repeated is for one failure: a listing that
// yields a key between any two of them may go on for as long as it likes.
func TestRetryListThatMakesHeadway(t *testing.T) {
	for _, err := range []error{store.ErrUnavailable, fmt.Errorf("%w: %w", store.ErrUnavailable, store.ErrStalled)} {
		synctest.Test(t, func(t *testing.T) {
			mem := memstore.New(nil)
			const keys = 200
			for i := range keys {
				if _, err := mem.Put(t.Context(), fmt.Sprintf("%03d", i), nil, store.Absent); err != nil {
					t.Fatal(err)
				}
			}
			st := wrapstore.Retry(stumbling{mem, err}, wrapstore.RetryPolicy{First: time.Second, Later: time.Second})
			start, n := time.Now(), 0
			for _, err := range st.List(t.Context(), "", "") {
				if err != nil {
					t.Fatalf("after %d keys: %v", n, err)
				}
				n++
			}
			if took := time.Since(start); n != keys || took < 2*time.Second {
				t.Errorf("%d keys in %s: the test does not reach the limit", n, took)
			}
		})
	}
}
