package proofs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/faultproxy"
	"github.com/mindtrace/registry/store"
)

// line is a client on a network of its own, which loses, repeats, delays and
// cuts a share of its requests and answers. Beside it the test looks into the
// same registry directly.
type line struct {
	*location
	t       *testing.T
	net     *registry.Registry
	rng     *rand.Rand
	proxies []*faultproxy.Proxy
	n       map[outcome]int
	story   *story
}

// newLine makes a registry on MinIO and connects a client to it.
func newLine(t *testing.T, s *story, opts *registry.Options) *line {
	t.Helper()
	return connect(t, s, onMinIO(t, opts), opts)
}

// onMinIO makes a registry on MinIO.
func onMinIO(t *testing.T, opts *registry.Options) *location {
	t.Helper()
	return on(t, minio.start(t), opts)
}

// connect connects one more client to a registry.
func connect(t *testing.T, s *story, at *location, opts *registry.Options) *line {
	t.Helper()
	l := &line{location: at, t: t, rng: rand.New(rand.NewPCG(s.seed.Add(1), 1)), n: map[outcome]int{}, story: s}
	if l.net = l.reach(at, opts); l.net == nil {
		t.FailNow()
	}
	t.Cleanup(func() {
		faults := 0
		for _, p := range l.proxies {
			faults += p.Faults()
		}
		t.Logf("%v, %d faults", l.n, faults)
		s.faults.Add(int64(faults))
		s.unknown.Add(int64(l.n[unknown]))
	})
	return l
}

// reach opens a registry through a proxy of its own.
func (l *line) reach(at *location, opts *registry.Options) *registry.Registry {
	plan := faultproxy.Random(l.story.seed.Add(1), 0.15)
	p := faultproxy.Start(l.t, at.server.Addr(), func(r *http.Request) faultproxy.Fault {
		f := plan(r)
		f.Drip = min(f.Drip, 100*time.Microsecond) // for each of hundreds of kilobytes
		return f
	})
	l.proxies = append(l.proxies, p)
	return patiently(l.t, at.by(p.Addr()), opts)
}

// attempt runs a verb once. Two times of three the client soon gives up. When
// it returns, nothing is on its way any more that the proxy has seen.
func (l *line) attempt(verb func(ctx context.Context) error) (outcome, error) {
	ctx := l.t.Context()
	if l.rng.IntN(3) > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(1+l.rng.IntN(40))*time.Millisecond)
		defer cancel()
	}
	err := verb(ctx)
	for _, p := range l.proxies {
		p.Settle()
	}
	o := classify(request{}, err)
	l.n[o]++
	return o, err
}

// until repeats a verb that does one thing until that has happened, as seen
// directly. It checks what the verb says each time: after "done" it has
// happened, after a definite failure it has not. A refusal because things have
// changed is true only if an earlier attempt may have changed them.
func (l *line) until(what string, verb func(ctx context.Context) error, happened func() bool) {
	l.t.Helper()
	maybe := false
	for range 100 {
		o, err := l.attempt(verb)
		is := happened()
		switch {
		case o == done && !is:
			l.t.Errorf("%s: done, and it has not happened", what)
		case o != done && o != unknown && is && !maybe:
			l.t.Errorf("%s: it failed (%v), and it has happened", what, err)
		case (o == conflict || o == absent || o == deleted || errors.Is(err, registry.ErrExists)) && !maybe:
			l.t.Errorf("%s: %v, though nobody else is there", what, err)
		}
		if is {
			return
		}
		maybe = maybe || o == unknown
	}
	l.t.Fatalf("%s: a hundred attempts, and it has not happened: %v", what, l.n)
}

// repeat repeats a verb that does many things until it is done. check looks,
// after each attempt, that nothing is half done.
func (l *line) repeat(what string, verb func(ctx context.Context) error, check func(o outcome)) {
	l.t.Helper()
	for range 100 {
		o, err := l.attempt(verb)
		check(o)
		if l.t.Failed() {
			l.t.Fatalf("%s: %v: %v", what, o, err)
		}
		if o == done {
			return
		}
	}
	l.t.Fatalf("%s: a hundred attempts: %v", what, l.n)
}

// fill saves versions 1.0.0 and following of a name directly, and returns them.
func (l *line) fill(name string, versions, size int) ledger {
	l.t.Helper()
	book := ledger{}
	for k := range versions {
		v, err := l.direct.Save(l.t.Context(), name, body(k+1, size))
		if err != nil {
			l.t.Fatal(err)
		}
		book[name+"@"+v.String()] = []int{k + 1}
	}
	return book
}

// has returns the error of looking for a version directly.
func (l *line) has(ref string) error {
	_, err := l.direct.Info(l.t.Context(), ref)
	return err
}

// packs returns the keys of the packs of a registry.
func (l *line) packs() (store.Store, []string) {
	l.t.Helper()
	st, err := store.Open(l.t.Context(), l.url)
	if err != nil {
		l.t.Fatal(err)
	}
	var keys []string
	for info, err := range st.List(l.t.Context(), "packs/", "") {
		if err != nil {
			l.t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return st, keys
}

// count runs a verb ten times by each of two clients. It returns how often it
// was done, and how often perhaps.
func count(t *testing.T, s *story, at *location, verb func(l *line, ctx context.Context) error) (sure, maybe int) {
	var wg sync.WaitGroup
	var lines []*line
	for range 2 {
		l := connect(t, s, at, nil)
		lines = append(lines, l)
		wg.Go(func() {
			for range 10 {
				l.attempt(func(ctx context.Context) error { return verb(l, ctx) })
			}
		})
	}
	wg.Wait()
	for _, l := range lines {
		sure, maybe = sure+l.n[done], maybe+l.n[unknown]
	}
	return sure, maybe
}

// story is what the lines of one round have in common.
type story struct {
	seed            atomic.Uint64
	faults, unknown atomic.Int64
}

// stories runs tests beside each other, each with lines of its own.
func stories(t *testing.T, all map[string]func(t *testing.T, s *story)) {
	minio.start(t) // or skip
	rounds(t, func(round int, seed uint64) {
		var total story
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			for i, name := range slices.Sorted(maps.Keys(all)) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					var s story
					s.seed.Store(seed + uint64(1000*i))
					t.Cleanup(func() { // after those of the lines
						total.faults.Add(s.faults.Load())
						total.unknown.Add(s.unknown.Load())
					})
					all[name](t, &s)
				})
			}
		})
		if total.faults.Load() < 50 || total.unknown.Load() < 5 {
			t.Errorf("%d faults, %d unknown outcomes: this proves little", total.faults.Load(), total.unknown.Load())
		}
	})
}
