package storecheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/mindtrace/registry/store"
)

// observed maps the token of each state that a writer has made to that state.
type observed struct {
	mu     sync.Mutex
	states map[store.Token]state
}

type state struct {
	size int64
	fill byte
}

func (o *observed) add(t store.Token, s state) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.states[t] = s
}

func (o *observed) get(t store.Token) (state, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, ok := o.states[t]
	return s, ok
}

// shown is one reading of a key. It keeps a description of the body, not the
// body: beside a slow writer there are very many readings.
type shown struct {
	info store.Info
	size int   // of the body
	fill byte  // its first byte
	torn error // not nil if other bytes of the body differ from the first
}

func showing(body []byte, info store.Info) shown {
	s := shown{info: info, size: len(body)}
	for i, c := range body {
		if s.fill = body[0]; c != s.fill {
			s.torn = fmt.Errorf("torn: byte 0 is %d, byte %d is %d", body[0], i, c)
			break
		}
	}
	return s
}

// besideWriter replaces the state of key again and again, each time with
// another size and fill, while read runs on three connections. When the writer
// has ended, it calls seen for each reading, with the state that has the same
// token.
func (e *Env) besideWriter(ctx context.Context, key string, size int,
	read func(st store.Store) (shown, error), seen func(shown, state) error,
) error {
	states := &observed{states: map[store.Token]state{}}
	info, err := create(ctx, e.conn(0), key, filled(1, size))
	if err != nil {
		return err
	}
	states.add(info.Token, state{int64(size), 1})
	stop := make(chan struct{})
	var mu sync.Mutex
	var readings []shown
	err = e.together(ctx, 4, func(i int, st store.Store) error {
		if i == 0 {
			defer close(stop)
			for n := range e.rounds() * 2 {
				s := state{int64(size + n*7), byte(2 + n%250)}
				next, err := put(ctx, st, key, filled(s.fill, int(s.size)), info.Token)
				if err != nil {
					return err
				}
				info = next
				states.add(info.Token, s)
			}
			return nil
		}
		for n := 0; ; n++ {
			got, err := read(st)
			if err != nil {
				return err
			}
			mu.Lock()
			readings = append(readings, got)
			mu.Unlock()
			select {
			case <-stop:
				return nil
			case <-time.After(pace(n)):
			}
		}
	})
	if err != nil {
		return err
	}
	for _, r := range readings {
		s, ok := states.get(r.info.Token)
		if !ok {
			return fmt.Errorf("a reader saw the token %q, which no put returned", r.info.Token)
		}
		if err := seen(r, s); err != nil {
			return err
		}
	}
	return nil
}

// pace is how long a reader waits after its nth reading. Beside a slow writer
// it must not flood the store.
func pace(n int) time.Duration {
	if n < 1000 {
		return time.Millisecond
	}
	return 100 * time.Millisecond
}

// atomic checks clause 1: a Get beside a writer never returns a mixture.
func atomic(ctx context.Context, e *Env) error {
	key := e.Prefix + "torn"
	return e.besideWriter(ctx, key, 300<<10,
		func(st store.Store) (shown, error) {
			body, info, err := st.Get(ctx, key, nil)
			return showing(body, info), err
		},
		func(r shown, s state) error {
			if r.info.Size != s.size || int64(r.size) != s.size || r.fill != s.fill {
				return fmt.Errorf("a Get returned %d bytes of fill %d and the size %d; the state has %d bytes of fill %d", r.size, r.fill, r.info.Size, s.size, s.fill)
			}
			return r.torn
		})
}

// getVersion checks clause 12: bytes and Info of a range are of one state.
func getVersion(ctx context.Context, e *Env) error {
	key := e.Prefix + "range"
	const off, length = 1000, 200 << 10
	return e.besideWriter(ctx, key, 300<<10,
		func(st store.Store) (shown, error) {
			body, info, err := st.Get(ctx, key, &store.GetOptions{Offset: off, Length: length})
			return showing(body, info), err
		},
		func(r shown, s state) error {
			if r.size != length || r.fill != s.fill || r.info.Size != s.size {
				return fmt.Errorf("a Get of a range returned %d bytes of fill %d and the size %d; the state of that token has fill %d and size %d",
					r.size, r.fill, r.info.Size, s.fill, s.size)
			}
			return r.torn
		})
}

// listState checks clause 10.
func listState(ctx context.Context, e *Env) error {
	key := e.Prefix + "listed"
	return e.besideWriter(ctx, key, 100,
		func(st store.Store) (shown, error) {
			all, err := list(ctx, st, key, "")
			if err == nil && len(all) != 1 {
				err = fmt.Errorf("a List shows %d keys while one is being replaced, want 1", len(all))
			}
			if err != nil {
				return shown{}, err
			}
			return shown{info: all[0]}, nil
		},
		func(r shown, s state) error {
			if r.info.Size != s.size {
				return fmt.Errorf("a List shows token %q with size %d; that state has size %d", r.info.Token, r.info.Size, s.size)
			}
			return nil
		})
}

// linearizable checks clause 2. After a call has returned on one connection,
// every connection sees its effect, and no reader sees an older state after
// a newer one.
func linearizable(ctx context.Context, e *Env) error {
	for i := range e.rounds() {
		key := fmt.Sprintf("%sfresh/%d", e.Prefix, i)
		if _, err := e.conn(i+1).Stat(ctx, key); !errors.Is(err, store.ErrNotExist) {
			return fmt.Errorf("a Stat of a key that does not exist yet: %v", err) // a cache may keep the answer
		}
		info, err := create(ctx, e.conn(i), key, []byte("1"))
		if err != nil {
			return err
		}
		next, err := put(ctx, e.conn(i), key, []byte("2"), info.Token)
		if err != nil {
			return err
		}
		for c, st := range e.Conns {
			body, got, err := st.Get(ctx, key, nil)
			if err != nil {
				return fmt.Errorf("connection %d does not see an acknowledged put: %w", c, err)
			}
			if string(body) != "2" || got.Token != next.Token {
				return fmt.Errorf("connection %d sees state %q after 2 was acknowledged", c, body)
			}
		}
		if err := e.conn(i).Delete(ctx, key); err != nil {
			return err
		}
		for c, st := range e.Conns {
			if _, _, err := st.Get(ctx, key, nil); !errors.Is(err, store.ErrNotExist) {
				return fmt.Errorf("connection %d sees a deleted key (%v)", c, err)
			}
		}
	}
	key := e.Prefix + "monotone"
	if _, err := create(ctx, e.conn(0), key, nil); err != nil {
		return err
	}
	stop := make(chan struct{})
	return e.together(ctx, 4, func(i int, st store.Store) error {
		if i == 0 {
			defer close(stop)
			for n := range e.rounds() * 2 {
				if err := add(ctx, st, key, strconv.Itoa(n)); err != nil {
					return err
				}
			}
			return nil
		}
		var last []byte
		for n := 0; ; n++ {
			body, _, err := st.Get(ctx, key, nil)
			if err != nil {
				return err
			}
			if !bytes.HasPrefix(body, last) {
				return fmt.Errorf("a reader saw the states %q after %q", body, last)
			}
			last = bytes.Clone(body)
			select {
			case <-stop:
				return nil
			case <-time.After(pace(n)):
			}
		}
	})
}

// clock checks clause 11. The resolution of HTTP dates is one second.
func clock(ctx context.Context, e *Env) error {
	const grain = time.Second + 500*time.Millisecond
	var last time.Time
	match := store.Absent
	key := e.Prefix + "timed"
	for i := range 10 {
		st := e.conn(i)
		before, err := st.Now(ctx)
		if err != nil {
			return err
		}
		info, err := put(ctx, st, key, fmt.Appendf(nil, "%d", i), match)
		if err != nil {
			return err
		}
		match = info.Token
		got, err := e.conn(i+1).Stat(ctx, key)
		if err != nil {
			return err
		}
		after, err := e.conn(i + 2).Now(ctx)
		if err != nil {
			return err
		}
		if got.Modified.Before(before.Add(-grain)) || got.Modified.After(after.Add(grain)) {
			return fmt.Errorf("its Modified is %s, but Now was %s before the put and %s after it", got.Modified, before, after)
		}
		if got.Modified.Before(last) {
			return fmt.Errorf("its Modified went back from %s to %s", last, got.Modified)
		}
		if !got.Now.IsZero() && got.Now.Sub(after).Abs() > 2*grain {
			return fmt.Errorf("a Stat returns the time %s, Now returns %s", got.Now, after)
		}
		last = got.Modified
	}
	return nil
}

// getRange checks clause 12: a Get returns the bytes of the range.
func getRange(ctx context.Context, e *Env) error {
	st, key := e.conn(0), e.Prefix+"bytes"
	body := make([]byte, 100_000)
	for i := range body {
		body[i] = byte(rand.N(256))
	}
	if _, err := create(ctx, st, key, body); err != nil {
		return err
	}
	for _, r := range [][2]int64{
		{0, 0}, {0, 1}, {0, 100_000}, {1, 99_999}, {99_999, 1}, {99_999, 5}, {50_000, 0}, {50_000, 1000},
		{100_000, 1}, {100_000, 0}, {200_000, 10}, {0, 200_000},
	} {
		want := body[min(r[0], int64(len(body))):]
		if r[1] > 0 {
			want = want[:min(r[1], int64(len(want)))]
		}
		for _, buf := range [][]byte{nil, make([]byte, 10), make([]byte, 0, 200_000)} {
			got, info, err := st.Get(ctx, key, &store.GetOptions{Offset: r[0], Length: r[1], Buffer: buf})
			if err != nil {
				return fmt.Errorf("offset %d length %d: %w", r[0], r[1], err)
			}
			if !bytes.Equal(got, want) || info.Size != int64(len(body)) {
				return fmt.Errorf("offset %d length %d: got %d bytes (object %d), want %d, or other bytes",
					r[0], r[1], len(got), info.Size, len(want))
			}
		}
	}
	return nil
}
