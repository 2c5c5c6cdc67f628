package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/internal/faultproxy"
	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/servers"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/memstore"
	"github.com/mindtrace/registry/store/tracestore"
)

// A test makes its stores here: newStore, newStoreAt, newPlace. They are in
// memory or on disk, unless $MINDREG_FAULTS_SEED is set. Then each is a new
// prefix of a MinIO, and registries reach it through a proxy of their own that
// does something to faultShare of their requests: everything that package
// faultproxy can do. TestSuiteThroughFaults runs the tests that way.
//
// What a test does to its store itself, to look or to do damage, takes the
// direct way: the network is the registries'.
const seedEnv = "MINDREG_FAULTS_SEED"

// faultShare is the share of requests that meets a fault.
const faultShare = 0.04

var throughFaults, faultSeed = func() (bool, uint64) {
	s := os.Getenv(seedEnv)
	seed, err := strconv.ParseUint(s, 10, 64)
	return s != "" && err == nil, seed
}()

func init() {
	if throughFaults { // on a network that is out of order for so short moments, one need not wait long
		knob.Jitter = func(limit time.Duration) time.Duration { return rand.N(limit)/20 + 1 }
		knob.ProbeEvery = -1 // sixty requests for each store, but where a test says probing
	}
}

// probing has stores probed as ever during a test.
func probing(t testing.TB) {
	old := knob.ProbeEvery
	knob.ProbeEvery = 24 * time.Hour
	t.Cleanup(func() { knob.ProbeEvery = old })
}

// fewer returns how much of something a test does: many, or, where each
// request goes to a server, few.
func fewer[T any](many, few T) T {
	if throughFaults {
		return few
	}
	return many
}

// networked is a store as a test looks into it; net is the same as registries
// reach it.
type networked struct {
	store.Store
	net store.Store
}

// via returns the store that a registry is opened on.
func via(st store.Store) store.Store {
	if n, ok := st.(*networked); ok {
		return n.net
	}
	return st
}

// newStore returns a new, empty store.
func newStore(t testing.TB) store.Store {
	if !throughFaults {
		return memstore.New(nil)
	}
	return network(t, func(st store.Store) store.Store { return st })
}

// newStoreAt returns a new store with a clock that the test moves.
func newStoreAt(t testing.TB, now func() time.Time) store.Store {
	if !throughFaults {
		return memstore.New(&memstore.Options{Now: now})
	}
	seen := &history{now: now, states: map[string]time.Time{}}
	return network(t, func(st store.Store) store.Store { return dated{st, seen} })
}

// newPlace returns the location of a new store, for Open: a directory, or
// a URL that leads through the network.
func newPlace(t testing.TB) string {
	if !throughFaults {
		return t.TempDir()
	}
	_, url := place(t)
	return url
}

// ThroughFaults and NewPlace are for package registry_test. NewPlace returns
// the direct location, too.
func ThroughFaults() bool { return throughFaults }

func NewPlace(t testing.TB) (direct, net string) { return place(t) }

func network(t testing.TB, wrap func(store.Store) store.Store) store.Store {
	t.Helper()
	open := func(url string) store.Store {
		st, err := store.Open(context.Background(), url)
		if err != nil {
			t.Fatal(err)
		}
		return wrap(st)
	}
	direct, net := place(t)
	return &networked{open(direct), open(net)}
}

var places struct {
	sync.Mutex
	n       int
	bucket  string
	proxies map[*faultproxy.Proxy]bool
}

// place returns the URLs of a new prefix: the direct one and the one that
// leads through a proxy.
func place(t testing.TB) (direct, net string) {
	t.Helper()
	s := servers.MinIO(t)
	places.Lock()
	defer places.Unlock()
	if places.bucket == "" {
		places.bucket, places.proxies = s.Bucket(t), map[*faultproxy.Proxy]bool{}
	}
	places.n++
	name := fnv.New64a()
	fmt.Fprint(name, t.Name(), places.n)
	plan, requests := faultproxy.Random(faultSeed^name.Sum64(), faultShare), atomic.Int64{}
	proxy := faultproxy.Start(t, s.Addr(), func(r *http.Request) faultproxy.Fault {
		requests.Add(1)
		f := plan(r)
		f.Drip = min(f.Drip, 100*time.Microsecond) // a kilobyte, of megabytes
		return f
	})
	places.proxies[proxy] = true
	t.Cleanup(func() {
		places.Lock()
		delete(places.proxies, proxy)
		places.Unlock()
		fmt.Printf("\n%s %s %d %d\n", reportMark, t.Name(), requests.Load(), proxy.Faults())
	})
	direct = s.URL(fmt.Sprintf("%s/%d", places.bucket, places.n))
	return direct, strings.Replace(direct, strings.ReplaceAll(s.Addr(), ":", "%3A"), strings.ReplaceAll(proxy.Addr(), ":", "%3A"), 1)
}

// reportMark begins the lines that tell how many requests and faults a store
// of a test has met.
const reportMark = "through faults:"

// landed waits until nothing is on its way to a server any more, as it is
// after hours.
func landed() {
	places.Lock()
	defer places.Unlock()
	for p := range places.proxies {
		p.Settle()
	}
}

// script is a store some of whose calls fail as the test says. Meanwhile the
// faults of the network are settled below it: the test counts calls.
type script struct {
	*faultstore.Store
	below *steady // or nil
}

// newFaults returns a script on st.
func newFaults(st store.Store, plan func(faultstore.Call) faultstore.Fault) *script {
	s := &script{}
	if n, ok := st.(*networked); ok {
		s.below = newSteady(n)
		st = s.below
	}
	s.Store = faultstore.New(st, nil)
	s.Plan(plan)
	return s
}

// Plan is Plan of the faultstore.
func (s *script) Plan(plan func(faultstore.Call) faultstore.Fault) {
	if s.below != nil {
		s.below.scripted.Store(plan != nil)
	}
	s.Store.Plan(plan)
}

// Release is Release of the faultstore: what was held back lands.
func (s *script) Release() {
	if s.below != nil {
		defer s.below.scripted.Store(s.below.scripted.Swap(true))
	}
	s.Store.Release()
}

// newTrace returns a store that counts calls, below which the faults of the
// network are settled.
func newTrace(st store.Store) *tracestore.Store {
	switch s := st.(type) {
	case *networked:
		st = steadily(s)
	case *script:
		if s.below != nil {
			s.below.traced = true
		}
	}
	return tracestore.New(st)
}

// steadily returns a store that a registry is opened on, without faults.
func steadily(st store.Store) store.Store {
	if n, ok := st.(*networked); ok {
		s := newSteady(n)
		s.traced = true
		return s
	}
	return st
}

// steady is a networked store whose calls come to a certain end while it is
// scripted or traced, whatever happens to its requests: they are repeated, and
// what became of a put it finds out by the direct way.
type steady struct {
	net, retried, direct store.Store
	scripted             atomic.Bool
	traced               bool
}

func newSteady(n *networked) *steady {
	return &steady{net: n.net, retried: wrapstore.Retry(n.net, wrapstore.RetryPolicy{}), direct: n.Store}
}

func (s *steady) st() store.Store {
	if s.traced || s.scripted.Load() {
		return s.retried
	}
	return s.net
}

func (s *steady) Get(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	return s.st().Get(ctx, key, o)
}

func (s *steady) Stat(ctx context.Context, key string) (store.Info, error) {
	return s.st().Stat(ctx, key)
}

func (s *steady) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	st := s.st()
	if st == s.net {
		return st.Put(ctx, key, body, match)
	}
	before, err := s.direct.Stat(ctx, key)
	if err != nil && !notFound(err) {
		return store.Info{}, err
	}
	for {
		info, err := st.Put(ctx, key, body, match)
		switch {
		case errors.Is(err, store.ErrUnknown) && ctx.Err() == nil:
			continue
		case errors.Is(err, store.ErrPrecondition) && before.Token == match:
			if is, info, err := s.direct.Get(ctx, key, nil); err == nil && bytes.Equal(is, body) {
				return info, nil // by an earlier try
			}
		}
		return info, err
	}
}

func (s *steady) Delete(ctx context.Context, key string) error { return s.st().Delete(ctx, key) }

func (s *steady) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return s.st().List(ctx, prefix, after)
}

func (s *steady) Now(ctx context.Context) (time.Time, error) { return s.st().Now(ctx) }

// patiently runs a test that waits for long: in a bubble where waiting takes
// no time, or, where it waits for a server, which bubbles have no notion of,
// with its waits cut short.
func patiently(t *testing.T, test func(t *testing.T)) {
	if throughFaults {
		test(t)
		return
	}
	synctest.Test(t, test)
}

// Whatever is asked of a store with the clock of a test is told in its times.
func TestNewStoreAt(t *testing.T) {
	clock := newTestClock()
	st := newStoreAt(t, clock.now)
	start := clock.now()
	info := must[store.Info](t)(st.Put(t.Context(), manifest.SettingsKey, []byte("a"), store.Absent))
	clock.advance(time.Hour)
	r := wrapstore.Retry(via(st), wrapstore.RetryPolicy{})
	if got := must[store.Info](t)(r.Stat(t.Context(), manifest.SettingsKey)); !got.Modified.Equal(start) || got.Token != info.Token {
		t.Errorf("%+v, put at %s as %+v", got, start, info)
	}
	for _, body := range []string{"b", "a"} { // and back
		clock.advance(time.Hour)
		info = must[store.Info](t)(st.Put(t.Context(), manifest.SettingsKey, []byte(body), info.Token))
	}
	changed := clock.now()
	clock.advance(time.Hour)
	_, got, err := r.Get(t.Context(), manifest.SettingsKey, nil)
	if err != nil || !got.Modified.Equal(changed) || !got.Now.Equal(clock.now()) {
		t.Errorf("%+v, %v; changed at %s, now it is %s", got, err, changed, clock.now())
	}
	if now := must[time.Time](t)(r.Now(t.Context())); !now.Equal(clock.now()) {
		t.Errorf("now is %s, not %s", now, clock.now())
	}
}
