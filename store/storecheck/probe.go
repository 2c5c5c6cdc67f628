package storecheck

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mindtrace/registry/store"
)

// ErrUnfit: the store does not keep a promise on which a registry relies.
var ErrUnfit = errors.New("this store is not fit for a registry")

// Probe finds out with some eighty requests whether a store is plainly unfit:
// one that lets a create through on a key that exists, as MinIO with several server
// pools does, swaps without comparing, lists in no order, or has a clock of
// its own for each answer. It is no replacement for the checks of All.
//
// conns are one or more connections to the store. The keys of the probe begin
// with "probe/" and a random number, and are deleted in the end. The error is
// ErrUnfit, or that of a request that failed.
func Probe(ctx context.Context, conns []store.Store) (err error) {
	e := &Env{Conns: conns, Prefix: fmt.Sprintf("probe/%016x/", rand.Uint64())}
	defer func() {
		ctx := context.WithoutCancel(ctx) // clean up all the same
		left, lerr := list(ctx, e.conn(0), e.Prefix, "")
		for _, info := range left {
			lerr = errors.Join(lerr, e.conn(0).Delete(ctx, info.Key))
		}
		if err == nil && lerr != nil {
			err = fmt.Errorf("removing the keys of the probe: %w", lerr)
		}
	}()
	for _, step := range []func(context.Context, *Env) error{probeCreate, probeSwap, probeList} {
		if err := step(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func unfit(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnfit, fmt.Sprintf(format, args...))
}

// probeCreate: clause 3, one after the other and racing.
func probeCreate(ctx context.Context, e *Env) error {
	key := e.Prefix + "create/0"
	if _, err := create(ctx, e.conn(0), key, []byte("first")); err != nil {
		return err
	}
	for i := range 20 {
		switch _, err := create(ctx, e.conn(i), key, []byte("second")); {
		case err == nil:
			return unfit("it let a key be created that exists (try %d)", i+1)
		case !errors.Is(err, store.ErrPrecondition):
			return err
		}
	}
	const racers = 8
	for round := range 3 {
		key := fmt.Sprintf("%screate/%d", e.Prefix, round+1)
		var mu sync.Mutex
		won := 0
		err := e.together(ctx, racers, func(i int, st store.Store) error {
			_, err := create(ctx, st, key, fmt.Appendf(nil, "racer %d", i))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			}
			if errors.Is(err, store.ErrPrecondition) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
		if won != 1 {
			return unfit("%d of %d that created one key at once were told that they had", won, racers)
		}
	}
	return nil
}

// probeSwap: clauses 4, 5 and 11.
func probeSwap(ctx context.Context, e *Env) error {
	key := e.Prefix + "swap"
	st := e.conn(0)
	before, err := st.Now(ctx)
	if err != nil {
		return err
	}
	old, err := create(ctx, st, key, []byte("1"))
	if err != nil {
		return err
	}
	next, err := put(ctx, e.conn(1), key, []byte("2"), old.Token)
	if err != nil {
		return err
	}
	for _, k := range []string{key, e.Prefix + "absent"} {
		switch _, err := put(ctx, st, k, []byte("3"), old.Token); {
		case err == nil:
			return unfit("it replaced a state that was not there")
		case !errors.Is(err, store.ErrPrecondition):
			return err
		}
	}
	body, info, err := e.conn(1).Get(ctx, key, nil)
	if err != nil {
		return err
	}
	if string(body) != "2" || info.Token != next.Token || old.Token == next.Token {
		return unfit("after a replacement that it acknowledged it shows %q with token %q, not %q", body, info.Token, next.Token)
	}
	after, err := st.Now(ctx)
	if err != nil {
		return err
	}
	const grain = 2 * time.Second
	if info.Modified.Before(before.Add(-grain)) || info.Modified.After(after.Add(grain)) {
		return unfit("it says that a key put between %s and %s was modified at %s", before, after, info.Modified)
	}
	return nil
}

// probeList: clause 8.
func probeList(ctx context.Context, e *Env) error {
	dir := e.Prefix + "list/"
	want := []string{"a-b", "a.b", "a/b", "a0", "b"}
	for _, i := range rand.Perm(len(want)) {
		if _, err := create(ctx, e.conn(i), dir+want[i], nil); err != nil {
			return err
		}
	}
	for after := range want {
		got, err := list(ctx, e.conn(after), dir, dir+want[after])
		if err != nil {
			return err
		}
		var names []string
		for _, info := range got {
			names = append(names, strings.TrimPrefix(info.Key, dir))
		}
		if !slices.Equal(names, want[after+1:]) {
			return unfit("it lists %q after %q, not %q", names, want[after], want[after+1:])
		}
	}
	return nil
}
