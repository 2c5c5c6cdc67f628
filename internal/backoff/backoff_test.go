package backoff

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/store"
)

var errBusy = errors.New("busy")

// The limit of a wait doubles from First to Most, and no wait is longer.
func TestLimitDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		longest := make([]time.Duration, 8)
		for range 300 {
			b := Backoff{First: 100, Most: 1000}
			for i := range longest {
				start := time.Now()
				if !b.Again(t.Context(), errBusy) {
					t.Fatal("a Backoff without bounds gave up")
				}
				longest[i] = max(longest[i], time.Since(start))
			}
		}
		for i, limit := range []time.Duration{100, 200, 400, 800, 1000, 1000, 1000, 1000} {
			if longest[i] >= limit || longest[i] < limit*8/10 {
				t.Errorf("wait %d: the longest of 300 is %d, the limit is %d", i+1, longest[i], limit)
			}
		}
	})
}

// Each bound ends the tries, and only that one.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for what, c := range map[string]struct {
			b     Backoff
			err   error
			waits int
		}{
			"repeats":               {Backoff{First: 10, Most: 10, Repeats: 5}, errBusy, 5},
			"a wrapped stall":       {Backoff{First: 10, Most: 10, Repeats: 5}, fmt.Errorf("put: %w", store.ErrStalled), 1},
			"waits of no more time": {Backoff{First: 1 << 40, Most: 1 << 40, For: 1}, errBusy, 0},
		} {
			n := 0
			for c.b.Again(t.Context(), c.err) {
				n++
			}
			if n != c.waits || c.b.Tries() != n+1 {
				t.Errorf("%s: %d waits and %d tries, want %d waits", what, n, c.b.Tries(), c.waits)
			}
		}
		b := Backoff{First: 20, Most: 20, For: 1000}
		start := time.Now()
		for b.Again(t.Context(), errBusy) {
		}
		if took := time.Since(start); took > 1000 || took < 900 {
			t.Errorf("tries for 1000 ns ended after %d", took)
		}
	})
}

// Headway begins everything anew.
func TestReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Backoff{First: 10, Most: 10, Repeats: 1}
		for range 3 {
			if !b.Again(t.Context(), store.ErrStalled) || b.Again(t.Context(), store.ErrStalled) {
				t.Fatal("not one wait after each Reset")
			}
			b.Reset()
		}
	})
}

// The end of the context ends a wait, and refuses the next one.
func TestContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errBusy)
		defer cancel()
		start := time.Now()
		if err := Sleep(ctx, time.Hour); err != errBusy || time.Since(start) != time.Second {
			t.Errorf("a sleep ended after %s with %v", time.Since(start), err)
		}
		b := Backoff{First: 1, Most: 1}
		if b.Again(ctx, nil) || b.Wait(ctx) || Sleep(ctx, 0) == nil {
			t.Error("it waits although the context has ended")
		}
	})
}
