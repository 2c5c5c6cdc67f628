package lease

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/memstore"
)

const (
	name = "my:model"
	ttl  = defaultTTL
)

// inBubble runs a test in virtual time, on a memory store with planned faults.
func inBubble(t *testing.T, test func(t *testing.T, fst *faultstore.Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, faultstore.New(memstore.New(nil), nil)) })
}

// locksOn returns the locks of one more process.
func locksOn(st store.Store) *Locks {
	clock := new(wrapstore.Clock)
	return New(wrapstore.ObserveClock(st, clock), clock)
}

func mustLock(t *testing.T, s *Locks, o *Options) *Lease {
	t.Helper()
	l, err := s.Lock(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustRLock(t *testing.T, s *Locks, o *Options) *Lease {
	t.Helper()
	l, err := s.RLock(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustRelease(t *testing.T, l *Lease) {
	t.Helper()
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// crash ends a lease as kill -9 does: nothing of it goes on.
func (l *Lease) crash() {
	l.stop()
	l.kept.Wait()
}

// cause waits until a lease's context ends and says why.
func cause(l *Lease) error {
	<-l.ctx.Done()
	return context.Cause(l.ctx)
}

func read(t *testing.T, st store.Store) *manifest.Lock {
	t.Helper()
	body, _, err := st.Get(t.Context(), manifest.LockKey(name), nil)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := manifest.DecodeLock(body, name, false)
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

// atPut makes a plan that applies f to the nth put (from 0) of a key that
// contains part.
func atPut(n int, part string, f faultstore.Fault) func(faultstore.Call) faultstore.Fault {
	return func(c faultstore.Call) faultstore.Fault {
		if c.Op == "put" && strings.Contains(c.Key, part) {
			if n--; n == -1 {
				return f
			}
		}
		return faultstore.Fault{}
	}
}

// always makes a plan that applies f to all puts.
func always(f faultstore.Fault) func(faultstore.Call) faultstore.Fault {
	return func(c faultstore.Call) faultstore.Fault {
		if c.Op == "put" {
			return f
		}
		return faultstore.Fault{}
	}
}

// hanging is a store of which, once it is on, the answers to puts fail to come.
type hanging struct {
	store.Store
	on atomic.Bool
}

func (h *hanging) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	if !h.on.Load() {
		return h.Store.Put(ctx, key, body, match)
	}
	<-ctx.Done()
	return store.Info{}, store.ErrUnknown
}

// silent is a store that does not tell the time with its answers.
type silent struct{ store.Store }

func (s silent) Get(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	body, info, err := s.Store.Get(ctx, key, o)
	info.Now = time.Time{}
	return body, info, err
}

func (s silent) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	info, err := s.Store.Put(ctx, key, body, match)
	info.Now = time.Time{}
	return info, err
}

func (s silent) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for info, err := range s.Store.List(ctx, prefix, after) {
			info.Now = time.Time{}
			if !yield(info, err) {
				return
			}
		}
	}
}

// errOf returns the error of a call alone.
func errOf[T any](_ T, err error) error { return err }
