package storecheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mindtrace/registry/store"
)

// ErrBroken means that a store has broken its contract.
var ErrBroken = errors.New("this store breaks a promise that a registry needs")

// Probe tests the promises of a store whose violation would lose data at once:
//
//   - a key that exists is not created again;
//   - of several creators of one key, one wins;
//   - of several swaps of one state, one wins;
//   - a swap needs the present token;
//   - listings are ordered.
//
// It sends some hundred small requests, and removes its keys. It uses e.Conns,
// e.Prefix and e.Limit. It ends with the first error, and in bounded time. The
// error is ErrBroken if the store breaks a promise.
//
// Success is no proof. Probe finds the mistakes of servers that are not
// supported, such as a MinIO of two server pools (creates succeed on existing
// keys), s3proxy (several swaps at once all succeed) and S3 directory buckets
// (listings without order). If the network loses or repeats requests, Probe
// judges the store only by requests whose outcome is certain.
func Probe(ctx context.Context, e *Env) (err error) {
	return within(judge)(ctx, e)
}

func judge(ctx context.Context, e *Env) (err error) {
	defer func() {
		if cerr := Clean(context.WithoutCancel(ctx), e.conn(0), e.Prefix); err == nil {
			err = cerr
		}
	}()
	p := &probe{Env: e}
	for _, step := range []func(context.Context) error{p.creates, p.swaps, p.swapRaces, p.order} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// cleanLimit bounds the time to remove the keys of a check.
const cleanLimit = 5 * time.Minute

// Clean deletes all keys under a prefix, and then their empty directories. It
// returns the first of its errors, and ends within five minutes.
func Clean(ctx context.Context, st store.Store, prefix string) error {
	ctx, cancel := context.WithTimeout(ctx, cleanLimit)
	defer cancel()
	var keys []string
	for info, err := range st.List(ctx, prefix, "") {
		if err != nil {
			return err
		}
		keys = append(keys, info.Key)
	}
	errs := make([]error, len(keys))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i, k := range keys {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = st.Delete(ctx, k)
		})
	}
	wg.Wait()
	if err := one(errs); err != nil {
		return err
	}
	if p, ok := store.As[store.Pruner](st); ok {
		return p.Prune(ctx, prefix)
	}
	return nil
}

type probe struct {
	*Env
	state [probeKeys]store.Token // of the keys that creates has made
}

const (
	probeKeys  = 5
	probeTries = 4
)

func (p *probe) key(i int) string { return fmt.Sprintf("%sprobe/%d", p.Prefix, i) }

// creates lets several callers create each of some keys at once, and then
// tries to create the keys again.
func (p *probe) creates(ctx context.Context) error {
	var won [probeKeys]int
	var mu sync.Mutex
	pass := "first"
	try := func(i int, st store.Store) error {
		k := i % probeKeys
		info, err := tried(ctx, st, p.key(k), fmt.Appendf(nil, "%s %d", pass, i), store.Absent)
		if errors.Is(err, store.ErrPrecondition) {
			return nil
		}
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			won[k]++
			p.state[k] = info.Token
		}
		return err
	}
	if err := p.together(ctx, probeKeys*probeTries, try); err != nil {
		return err
	}
	first := 0
	for i, n := range won {
		if n == 0 { // unless the answer to the winner was lost
			switch info, err := p.conn(i).Stat(ctx, p.key(i)); {
			case err == nil:
				p.state[i] = info.Token
				continue
			case !errors.Is(err, store.ErrNotExist):
				return err
			}
		}
		switch first += n; {
		case n == probeTries:
			return fmt.Errorf("%w: %d calls created the same key at the same time, and all succeeded; the server seems to ignore the condition of a put (If-None-Match)", ErrBroken, n)
		case n != 1:
			return fmt.Errorf("%w: %d calls created the same key at the same time, and %d succeeded; only one may", ErrBroken, probeTries, n)
		}
	}
	pass = "second"
	if err := p.together(ctx, probeKeys*probeTries, try); err != nil {
		return err
	}
	again := -first
	for _, n := range won {
		again += n
	}
	if again > 0 {
		return fmt.Errorf("%w: %d of %d attempts to create an existing key succeeded; the cause may be several server pools, or a cache in front of the server", ErrBroken, again, probeKeys*probeTries)
	}
	return nil
}

// swaps replaces a key with the right token and with an old one, and tries to
// replace an absent key.
func (p *probe) swaps(ctx context.Context) error {
	key := p.Prefix + "swap"
	first, err := create(ctx, p.conn(0), key, []byte("first"))
	if err != nil {
		return err
	}
	switch _, err := put(ctx, p.conn(1), key, []byte("second"), first.Token); {
	case errors.Is(err, store.ErrPrecondition):
		return fmt.Errorf("%w: it refuses to replace a key with the right token; the server, or a gateway before it, does not understand the condition of a put (If-Match) or changes it. Use a newer release of it, or another store", ErrBroken)
	case err != nil:
		return fmt.Errorf("replacing a key with the right token: %w", err)
	}
	for i, c := range []struct{ what, key string }{
		{"a key with an old token", key}, {"a key that does not exist", key + "-absent"},
	} {
		switch _, err := put(ctx, p.conn(2+i), c.key, []byte("third"), first.Token); {
		case err == nil:
			return fmt.Errorf("%w: replacing %s succeeds, and must be refused", ErrBroken, c.what)
		case !errors.Is(err, store.ErrPrecondition):
			return fmt.Errorf("replacing %s: %w", c.what, err)
		}
	}
	body, _, err := p.conn(3).Get(ctx, key, nil)
	if err == nil && string(body) != "second" {
		err = fmt.Errorf("%w: a key that was set to %q reads as %q", ErrBroken, "second", body)
	}
	return err
}

// swapRaces lets several callers replace the state of one key at the same
// time, for each key that creates has made. A server that first compares and
// then writes passes any check that makes one call after the other.
func (p *probe) swapRaces(ctx context.Context) error {
	var won [probeKeys][]string
	var mu sync.Mutex
	err := p.together(ctx, probeKeys*probeTries, func(i int, st store.Store) error {
		k, body := i%probeKeys, fmt.Sprintf("swap %d", i)
		_, err := tried(ctx, st, p.key(k), []byte(body), p.state[k])
		if errors.Is(err, store.ErrPrecondition) {
			return nil
		}
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			won[k] = append(won[k], body)
		}
		return err
	})
	if err != nil {
		return err
	}
	for k, winners := range won {
		body, info, err := p.conn(k).Get(ctx, p.key(k), nil)
		switch {
		case err != nil:
			return err
		case len(winners) > 1:
			return fmt.Errorf("%w: %d calls replaced the same state at the same time, and %d succeeded; updates get lost", ErrBroken, probeTries, len(winners))
		case info.Token == p.state[k]:
			return fmt.Errorf("%w: %d calls replaced the same state at the same time, and no call succeeded", ErrBroken, probeTries)
		case len(winners) == 1 && string(body) != winners[0]: // 0: the answer to the winner was lost
			return fmt.Errorf("%w: the replacement by %q succeeded alone, but the key reads as %q", ErrBroken, winners[0], body)
		}
	}
	return nil
}

// order lists keys that a directory, or a server without order, lists in
// another order.
func (p *probe) order(ctx context.Context) error {
	names := []string{"c", "a/b", "a-b", "!a", "b", "a.b", "a0", "a/a"}
	err := p.together(ctx, len(names), func(i int, st store.Store) error {
		_, err := create(ctx, st, p.Prefix+"order/"+names[i], []byte("x"))
		return err
	})
	if err != nil {
		return err
	}
	got, err := list(ctx, p.conn(0), p.Prefix+"order/", "")
	if err != nil {
		return err
	}
	slices.Sort(names)
	var listed []string
	for _, info := range got {
		listed = append(listed, strings.TrimPrefix(info.Key, p.Prefix+"order/"))
	}
	if !slices.Equal(listed, names) {
		return fmt.Errorf("%w: it lists the keys in the order %q, not %q", ErrBroken, listed, names)
	}
	return nil
}
