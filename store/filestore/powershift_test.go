package filestore_test

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/mindtrace/registry/store"
)

// shift moves the clock of stores on, by hours: what was put before stays as
// old as it is.
type shift struct {
	mu    sync.Mutex
	by    time.Duration
	of    map[string]time.Duration // when the key was put
	since time.Time                // when the clock was moved, by the real one
}

func (s *shift) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by += d
	s.since = time.Now()
}

func (s *shift) wrap(st store.Store) store.Store { return shifted{st, s} }

// info moves the times of an Info.
func (s *shift) info(info store.Info) store.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !info.Now.IsZero() {
		info.Now = info.Now.Add(s.by)
	}
	info.Modified = info.Modified.Add(s.of[info.Key])
	return info
}

func (s *shift) put(key string, put func() (store.Info, error)) (store.Info, error) {
	info, err := put()
	if err == nil {
		s.mu.Lock()
		s.of[key] = s.by
		s.mu.Unlock()
	}
	return s.info(info), err
}

// shifted is a store whose clock is moved.
type shifted struct {
	store.Store
	s *shift
}

func (m shifted) Unwrap() store.Store { return m.Store }

func (m shifted) Get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	body, info, err := m.Store.Get(ctx, key, opts)
	return body, m.s.info(info), err
}

func (m shifted) Stat(ctx context.Context, key string) (store.Info, error) {
	info, err := m.Store.Stat(ctx, key)
	return m.s.info(info), err
}

func (m shifted) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	return m.s.put(key, func() (store.Info, error) { return m.Store.Put(ctx, key, body, match) })
}

func (m shifted) Stage(ctx context.Context, key string, body []byte) (store.Staged, error) {
	st, taken, err := store.Stage(ctx, m.Store, key, body)
	if err != nil || !taken {
		return nil, err
	}
	return shiftedStage{st, m.s}, nil
}

type shiftedStage struct {
	store.Staged
	s *shift
}

func (m shiftedStage) Commit(ctx context.Context, key string) (store.Info, error) {
	return m.s.put(key, func() (store.Info, error) { return m.Staged.Commit(ctx, key) })
}

func (m shifted) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for info, err := range m.Store.List(ctx, prefix, after) {
			if !yield(m.s.info(info), err) {
				return
			}
		}
	}
}

func (m shifted) Now(ctx context.Context) (time.Time, error) {
	now, err := m.Store.Now(ctx)
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	return now.Add(m.s.by), err
}

// Clean cleans what is older than the last move of the clock.
func (m shifted) Clean(ctx context.Context, prefixes []string, before time.Time, dryRun bool) (store.Cleaned, error) {
	m.s.mu.Lock()
	if before.After(m.s.since) {
		before = m.s.since
	}
	m.s.mu.Unlock()
	c, _ := store.As[store.Cleaner](m.Store)
	return c.Clean(ctx, prefixes, before, dryRun)
}
