package storecheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mindtrace/registry/internal/backoff"
	"github.com/mindtrace/registry/store"
)

// How often a call is repeated before a check gives up. A check must also end
// on a store that always gives the same answer.
const (
	busyTries    = 60   // of a put, while the store is busy
	unknownTries = 10   // of a put whose outcome is unknown
	refusedTries = 10   // of a swap that is refused with the right token
	swapTries    = 1000 // of a swap while other callers are faster
)

// limit is how long a check may take. On a slow store, each change of
// a contended key takes seconds.
func (e *Env) limit() time.Duration {
	if e.Limit > 0 {
		return e.Limit
	}
	return time.Minute + time.Duration(e.rounds())*6*time.Second + time.Duration(e.keys())*20*time.Millisecond
}

// within runs a check for no longer than its limit.
func within(run func(context.Context, *Env) error) func(context.Context, *Env) error {
	return func(parent context.Context, e *Env) error {
		ctx, cancel := context.WithTimeout(parent, e.limit())
		defer cancel()
		err := run(ctx, e)
		if err != nil && ctx.Err() != nil && parent.Err() == nil {
			return fmt.Errorf("it did not end within %s: %v", e.limit(), err)
		}
		return err
	}
}

// busy repeats a Put while the store is busy (ErrRetry).
func busy(ctx context.Context, st store.Store, key string, body []byte, match store.Token) (store.Info, error) {
	b := backoff.Backoff{First: 10 * time.Millisecond, Most: 2 * time.Second, Repeats: busyTries - 1}
	for {
		info, err := st.Put(ctx, key, body, match)
		if !errors.Is(err, store.ErrRetry) {
			return info, err
		}
		if !b.Again(ctx, err) {
			if ctx.Err() != nil {
				return info, ctx.Err()
			}
			return info, fmt.Errorf("busy %d times in a row: %w", b.Tries(), err)
		}
	}
}

// repeat repeats a put while its outcome is unknown.
func repeat(ctx context.Context, put func() error) error {
	for b := (backoff.Backoff{First: 10 * time.Millisecond, Most: 10 * time.Second, Repeats: unknownTries}); ; {
		err := put()
		if !errors.Is(err, store.ErrUnknown) || !b.Again(ctx, err) {
			return err
		}
	}
}

// tried is a Put of a body that no other caller puts under the key. If the
// outcome is unknown, it reads the key to find out: the network may have lost
// the answer, and a server may answer a race with an internal error.
func tried(ctx context.Context, st store.Store, key string, body []byte, match store.Token) (info store.Info, err error) {
	err = repeat(ctx, func() error {
		if info, err = busy(ctx, st, key, body, match); !errors.Is(err, store.ErrUnknown) {
			return err
		}
		switch is, now, gerr := st.Get(ctx, key, nil); {
		case gerr == nil && bytes.Equal(is, body):
			info = now
			return nil
		case gerr == nil && now.Token != match:
			return fmt.Errorf("%w: the key is in another state", store.ErrPrecondition)
		}
		return err // not applied yet
	})
	return info, err
}

// put is tried, with one more step, like the registry does it: if the put is
// refused but the key has its body, the network has delivered the request
// twice, and the first copy was applied.
func put(ctx context.Context, st store.Store, key string, body []byte, match store.Token) (store.Info, error) {
	info, err := tried(ctx, st, key, body, match)
	if !errors.Is(err, store.ErrPrecondition) {
		return info, err
	}
	switch is, now, gerr := st.Get(ctx, key, nil); {
	case gerr == nil && bytes.Equal(is, body):
		return now, nil
	case gerr != nil && !errors.Is(gerr, store.ErrNotExist):
		return now, gerr
	}
	return info, err
}

// create is a put of a new key.
func create(ctx context.Context, st store.Store, key string, body []byte) (store.Info, error) {
	return put(ctx, st, key, body, store.Absent)
}

// add appends a word to the body of key, while other callers do the same. No
// other caller adds the same word, so if an answer is lost, add finds the word
// in the body and does not add it twice.
func add(ctx context.Context, st store.Store, key, word string) error {
	var last store.Token
	same := 0
	for range swapTries {
		body, info, err := st.Get(ctx, key, nil)
		if err != nil {
			return err
		}
		if slices.Contains(strings.Fields(string(body)), word) {
			return nil
		}
		if same++; info.Token != last {
			same, last = 0, info.Token
		}
		if same == refusedTries {
			return fmt.Errorf("replacing a key with the right token was refused %d times in a row", same)
		}
		_, err = put(ctx, st, key, append(bytes.Clone(body), word+" "...), info.Token)
		if !errors.Is(err, store.ErrPrecondition) {
			return err
		}
	}
	return fmt.Errorf("replacing a key was refused %d times, each time with the token just read", swapTries)
}
