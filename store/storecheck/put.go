package storecheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mindtrace/registry/store"
)

// createRace checks clause 3: of several creators at once, one wins.
func createRace(ctx context.Context, e *Env) error {
	const racers = 8
	for round := range e.rounds() {
		key := fmt.Sprintf("%srace/%d", e.Prefix, round)
		var mu sync.Mutex
		var winners []int
		err := e.together(ctx, racers, func(i int, st store.Store) error {
			_, err := create(ctx, st, key, fmt.Appendf(nil, "racer %d", i))
			if errors.Is(err, store.ErrPrecondition) {
				return nil
			}
			if err == nil {
				mu.Lock()
				winners = append(winners, i)
				mu.Unlock()
			}
			return err
		})
		if err != nil {
			return err
		}
		if len(winners) != 1 {
			return fmt.Errorf("%d calls created one key at the same time, and %d succeeded (%v), want 1", racers, len(winners), winners)
		}
		for _, st := range e.Conns {
			body, _, err := st.Get(ctx, key, nil)
			if err != nil {
				return err
			}
			if want := fmt.Sprintf("racer %d", winners[0]); string(body) != want {
				return fmt.Errorf("%s created the key, but the body is that of %s", want, body)
			}
		}
	}
	return nil
}

// createExisting checks clause 3: an existing key is not created again. It
// tries twenty times, since a server with several pools succeeds only
// sometimes.
func createExisting(ctx context.Context, e *Env) error {
	for k := range 5 {
		key := fmt.Sprintf("%sexisting/%d", e.Prefix, k)
		if _, err := create(ctx, e.conn(k), key, []byte("first")); err != nil {
			return err
		}
		for i := range 20 {
			_, err := create(ctx, e.conn(i), key, []byte("second"))
			if !errors.Is(err, store.ErrPrecondition) {
				return fmt.Errorf("creating an existing key, try %d: got %v, want ErrPrecondition", i+1, err)
			}
		}
		body, _, err := e.conn(k).Get(ctx, key, nil)
		if err != nil {
			return err
		}
		if string(body) != "first" {
			return fmt.Errorf("an existing key was replaced: body is %q", body)
		}
	}
	return nil
}

// casCounter checks clause 4: several workers add to one key, and no addition
// may be lost. They add words, not numbers, so that a worker whose answer was
// lost can look for its own word.
func casCounter(ctx context.Context, e *Env) error {
	const workers, each = 5, 10
	key := e.Prefix + "counter"
	if _, err := create(ctx, e.conn(0), key, nil); err != nil {
		return err
	}
	err := e.together(ctx, workers, func(i int, st store.Store) error {
		for n := range each {
			if err := add(ctx, st, key, fmt.Sprintf("%d.%d", i, n)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	body, _, err := e.conn(0).Get(ctx, key, nil)
	if err != nil {
		return err
	}
	words := strings.Fields(string(body))
	slices.Sort(words)
	if once := slices.Compact(slices.Clone(words)); len(words) != workers*each || len(once) != len(words) {
		return fmt.Errorf("of %d additions to one key, the key has %d, and %d of them twice", workers*each, len(once), len(words)-len(once))
	}
	return nil
}

// casRace checks clause 4: of several replacements of one state, one wins.
func casRace(ctx context.Context, e *Env) error {
	const racers = 8
	key := e.Prefix + "swap"
	info, err := create(ctx, e.conn(0), key, []byte("start"))
	if err != nil {
		return err
	}
	for round := range e.rounds() {
		var mu sync.Mutex
		won, next := 0, store.Info{}
		var body string
		err := e.together(ctx, racers, func(i int, st store.Store) error {
			mine := fmt.Sprintf("round %d racer %d", round, i)
			got, err := put(ctx, st, key, []byte(mine), info.Token)
			if errors.Is(err, store.ErrPrecondition) {
				return nil
			}
			if err == nil {
				mu.Lock()
				won++
				next, body = got, mine
				mu.Unlock()
			}
			return err
		})
		if err != nil {
			return err
		}
		if won != 1 {
			return fmt.Errorf("%d calls replaced the same state at the same time, and %d succeeded, want 1", racers, won)
		}
		got, stat, err := e.conn(round).Get(ctx, key, nil)
		if err != nil {
			return err
		}
		if string(got) != body || stat.Token != next.Token {
			return fmt.Errorf("a put of %q succeeded with token %q, but Get returns %q with %q", body, next.Token, got, stat.Token)
		}
		if _, err := put(ctx, e.conn(round+1), key, []byte("stale"), info.Token); !errors.Is(err, store.ErrPrecondition) {
			return fmt.Errorf("replacing with the token of the state before: got %v, want ErrPrecondition", err)
		}
		info = next
	}
	return nil
}

// casAbsent checks clause 4: replacing an absent key is refused.
func casAbsent(ctx context.Context, e *Env) error {
	other, err := create(ctx, e.conn(0), e.Prefix+"other", []byte("x"))
	if err != nil {
		return err
	}
	key := e.Prefix + "absent"
	if _, err := put(ctx, e.conn(0), key, []byte("x"), other.Token); !errors.Is(err, store.ErrPrecondition) {
		return fmt.Errorf("replacing an absent key: got %v, want ErrPrecondition", err)
	}
	if _, err := e.conn(1).Stat(ctx, key); !errors.Is(err, store.ErrNotExist) {
		return fmt.Errorf("replacing an absent key created it (Stat: %v)", err)
	}
	return nil
}

// tokens checks clause 5.
func tokens(ctx context.Context, e *Env) error {
	key := e.Prefix + "token"
	seen := map[store.Token]int{}
	match := store.Absent
	for i := range 30 {
		st := e.conn(i)
		body := fmt.Appendf(nil, "state %03d", i) // the same size each time
		info, err := put(ctx, st, key, body, match)
		if err != nil {
			return err
		}
		if before, ok := seen[info.Token]; ok || info.Token == store.Absent {
			return fmt.Errorf("put %d returned the token %q, which put %d had returned before", i, info.Token, before)
		}
		seen[info.Token] = i
		match = info.Token
		_, get, err := e.conn(i+1).Get(ctx, key, nil)
		if err != nil {
			return err
		}
		stat, err := e.conn(i+2).Stat(ctx, key)
		if err != nil {
			return err
		}
		listed, err := list(ctx, e.conn(i+3), key, "")
		if err != nil {
			return err
		}
		if len(listed) != 1 {
			return fmt.Errorf("a List shows %d keys, want 1", len(listed))
		}
		for what, got := range map[string]store.Info{"Get": get, "Stat": stat, "List": listed[0]} {
			if got.Key != key || got.Token != info.Token || got.Size != int64(len(body)) {
				return fmt.Errorf("%s returns key %q token %q size %d; Put returned %q %q %d",
					what, got.Key, got.Token, got.Size, info.Key, info.Token, info.Size)
			}
			if !got.Modified.Equal(stat.Modified) {
				return fmt.Errorf("%s returns the modification time %s, Stat returns %s", what, got.Modified, stat.Modified)
			}
			if got.Modified.Sub(info.Modified).Abs() > 2*time.Second {
				return fmt.Errorf("%s returns the modification time %s, Put returned %s", what, got.Modified, info.Modified)
			}
		}
	}
	return nil
}

// outcomes checks clause 6 for puts that are refused. The outcomes that cannot
// be provoked from here (busy, unknown) are tested by each backend, with
// faults.
func outcomes(ctx context.Context, e *Env) error {
	st, key := e.conn(0), e.Prefix+"outcome"
	info, err := create(ctx, st, key, []byte("kept"))
	if err != nil {
		return err
	}
	refused := []error{}
	_, err = st.Put(ctx, key, []byte("changed"), store.Absent)
	refused = append(refused, err)
	next, err := put(ctx, st, key, []byte("kept2"), info.Token)
	if err != nil {
		return err
	}
	_, err = st.Put(ctx, key, []byte("changed"), info.Token)
	refused = append(refused, err)
	for _, err := range refused {
		if !errors.Is(err, store.ErrPrecondition) || errors.Is(err, store.ErrUnknown) {
			return fmt.Errorf("a refused Put returned %v, want ErrPrecondition alone", err)
		}
	}
	body, got, err := st.Get(ctx, key, nil)
	if err != nil {
		return err
	}
	if !bytes.Equal(body, []byte("kept2")) || got.Token != next.Token {
		return fmt.Errorf("a refused Put has changed the body to %q", body)
	}
	if _, err := st.Put(ctx, e.Prefix+"Bad:Key", nil, store.Absent); !errors.Is(err, store.ErrInvalidKey) {
		return fmt.Errorf("an invalid key: got %v, want ErrInvalidKey", err)
	}
	if _, _, err := st.Get(ctx, e.Prefix+"nothing", nil); !errors.Is(err, store.ErrNotExist) {
		return fmt.Errorf("a Get of an absent key: got %v, want ErrNotExist", err)
	}
	return nil
}

// deletes checks clause 7.
func deletes(ctx context.Context, e *Env) error {
	key := e.Prefix + "gone"
	if _, err := create(ctx, e.conn(0), key, []byte("x")); err != nil {
		return err
	}
	for i := range 3 {
		if err := e.conn(i).Delete(ctx, key); err != nil {
			return fmt.Errorf("delete %d: %w", i+1, err)
		}
		if _, err := e.conn(i+1).Stat(ctx, key); !errors.Is(err, store.ErrNotExist) {
			return fmt.Errorf("after delete %d Stat says %v, want ErrNotExist", i+1, err)
		}
		if left, err := list(ctx, e.conn(i+2), key, ""); err != nil || len(left) > 0 {
			return fmt.Errorf("after delete %d List shows %d keys (%v)", i+1, len(left), err)
		}
	}
	if err := e.conn(0).Delete(ctx, e.Prefix+"never/was"); err != nil {
		return fmt.Errorf("deleting a key that never existed: %w", err)
	}
	// Several callers delete the same keys at once.
	return e.together(ctx, 4, func(i int, st store.Store) error {
		for k := range 10 {
			key := fmt.Sprintf("%smany/%d", e.Prefix, k)
			if i == 0 {
				if _, err := create(ctx, st, key, []byte("x")); err != nil {
					return err
				}
			}
			if err := st.Delete(ctx, key); err != nil {
				return err
			}
		}
		return nil
	})
}
