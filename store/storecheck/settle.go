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

// How often a call is repeated before a check gives up: a store that always
// gives the same answer must get its verdict, too.
const (
	busyTries    = 60   // of a put, while the store says that it is busy
	unknownTries = 10   // of a put whose outcome is unknown
	refusedTries = 10   // of a swap that is refused though its state is the present one
	swapTries    = 1000 // of a swap that others keep winning
)

// limit is how long a check may take: on a slow store contended keys take
// seconds each.
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

// busy repeats a Put while the store says that it is busy.
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

// repeat repeats a put until it is certain what it came to.
func repeat(ctx context.Context, put func() error) error {
	for b := (backoff.Backoff{First: 10 * time.Millisecond, Most: 10 * time.Second, Repeats: unknownTries}); ; {
		err := put()
		if !errors.Is(err, store.ErrUnknown) || !b.Again(ctx, err) {
			return err
		}
	}
}

// tried is a Put of a body that nobody else puts under the key. Where the
// outcome is unknown it looks at the key: a network loses answers, and a server may
// call a race an error of its own.
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
		return err // nothing has happened yet
	})
	return info, err
}

// put is tried, and finds out more, as the registry does: if the put is refused
// and its body is there, then a copy of it that the network has made was
// applied.
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

// add appends a word to the body of key, however many others do so as well. A
// word that nobody else adds is found again under what others have added since,
// should the answer be lost: so it is added once.
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
			return fmt.Errorf("replacing a key in its present state was refused %d times in a row", same)
		}
		_, err = put(ctx, st, key, append(bytes.Clone(body), word+" "...), info.Token)
		if !errors.Is(err, store.ErrPrecondition) {
			return err
		}
	}
	return fmt.Errorf("replacing a key was refused %d times, each time with the state just read", swapTries)
}
