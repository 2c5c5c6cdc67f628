package wrapstore

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/store"
)

// link is a store that takes transfers as some real ones do.
type link struct {
	store.Store
	latency time.Duration // of each transfer, however many there are
	lanes   chan struct{} // one for each that is served at a time; nil: any number
	refuse  int           // more than so many at once are refused; 0: none are

	mu    sync.Mutex
	under int
	most  int
}

func (l *link) transfer() error {
	l.mu.Lock()
	l.under++
	l.most = max(l.most, l.under)
	refused := l.refuse > 0 && l.under > l.refuse
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.under--
		l.mu.Unlock()
	}()
	if refused {
		time.Sleep(time.Millisecond)
		return store.ErrUnavailable
	}
	if l.lanes != nil {
		l.lanes <- struct{}{}
		defer func() { <-l.lanes }()
	}
	time.Sleep(l.latency)
	return nil
}

func (l *link) Get(context.Context, string, *store.GetOptions) ([]byte, store.Info, error) {
	return large, store.Info{}, l.transfer()
}

func (l *link) Put(context.Context, string, []byte, store.Token) (store.Info, error) {
	return store.Info{}, l.transfer()
}

var large = make([]byte, largeTransfer)

// ask makes n transfers, so many at a time, and all until they succeed.
func ask(st store.Store, n, at int, put bool) {
	var wg sync.WaitGroup
	todo := make(chan struct{}, n)
	for range n {
		todo <- struct{}{}
	}
	close(todo)
	for range at {
		wg.Go(func() {
			for range todo {
				for err := error(store.ErrRetry); err != nil; {
					if put {
						_, err = st.Put(context.Background(), "packs/x", large, store.Absent)
					} else {
						_, _, err = st.Get(context.Background(), "packs/x", &store.GetOptions{Length: largeTransfer})
					}
				}
			}
		})
	}
	wg.Wait()
}

// The number of transfers at once is what the store makes something of.
func TestPace(t *testing.T) {
	for name, c := range map[string]struct {
		link      func() *link
		at        int // asked for at once
		low, high int // limit in the end
	}{
		"constant latency":      {func() *link { return &link{latency: 50 * time.Millisecond} }, 40, 24, 24},
		"one after the other":   {func() *link { return &link{latency: 5 * time.Millisecond, lanes: make(chan struct{}, 1)} }, 40, 1, 6},
		"twelve lanes":          {func() *link { return &link{latency: 50 * time.Millisecond, lanes: make(chan struct{}, 12)} }, 40, 8, 16},
		"refuses more than six": {func() *link { return &link{latency: 50 * time.Millisecond, refuse: 6} }, 40, 3, 7},
		"refuses all but one":   {func() *link { return &link{latency: 50 * time.Millisecond, refuse: 1} }, 40, 1, 3},
		"nobody waits for it":   {func() *link { return &link{latency: 50 * time.Millisecond} }, 2, 4, 4},
	} {
		for _, put := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := c.link()
					gets, puts := newPace(24, 4), newPace(24, 4)
					ask(Paced(l, gets, puts), 3000, c.at, put)
					p, other := gets, puts
					if put {
						p, other = puts, gets
					}
					if n := p.Limit(); n < c.low || n > c.high {
						t.Errorf("%d at once in the end, not %d to %d", n, c.low, c.high)
					}
					if other.Limit() != 4 {
						t.Errorf("%d the other way, where nothing has moved", other.Limit())
					}
					if l.most > 24 || p.under != 0 || len(p.waiting) != 0 {
						t.Errorf("%d were under way at once, %d still are, %d wait", l.most, p.under, len(p.waiting))
					}
				})
			})
		}
	}
}

// A store that comes to have less to give is asked for less, and for more when
// it has more again.
func TestPaceFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &link{latency: 50 * time.Millisecond}
		p := newPace(24, 4)
		st := Paced(l, p, p)
		for _, c := range []struct{ refuse, low, high int }{{0, 24, 24}, {4, 2, 5}, {0, 7, 24}} {
			l.refuse = c.refuse
			ask(st, 3000, 30, false)
			if n := p.Limit(); n < c.low || n > c.high {
				t.Errorf("refusing more than %d: %d at once, not %d to %d", c.refuse, n, c.low, c.high)
			}
		}
	})
}

// Whoever gives up waiting leaves the place to others; and what was given up
// says nothing of the store.
func TestPaceGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &link{latency: time.Hour}
		p := newPace(4, 4)
		st := Paced(l, p, p)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { ask(st, 1, 1, true) })
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		for range 20 {
			wg.Go(func() {
				if _, _, err := st.Get(ctx, "packs/x", &store.GetOptions{Length: largeTransfer}); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		if l.most != 4 || p.under != 0 || len(p.waiting) != 0 || p.Limit() != 4 {
			t.Errorf("%d at once, %d under way, %d waiting, limit %d", l.most, p.under, len(p.waiting), p.Limit())
		}
	})
}

// What is small does not wait for what is large.
func TestPaceLetsSmallOnesPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &link{latency: time.Hour}
		p := newPace(1, 1)
		st := Paced(l, p, p)
		var wg sync.WaitGroup
		wg.Go(func() { ask(st, 1, 1, true) })
		synctest.Wait()
		l.latency = 0
		start := time.Now()
		st.Put(t.Context(), "objects/x", make([]byte, 100), store.Absent)
		st.Get(t.Context(), "objects/x", nil)
		if time.Since(start) > 0 {
			t.Error("a register has waited for a pack")
		}
		wg.Wait()
	})
}
