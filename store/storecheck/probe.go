package storecheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/mindtrace/registry/store"
)

// ErrBroken means that a store was caught breaking its contract.
var ErrBroken = errors.New("this store does not keep what a registry needs")

// Probe asks a store about the promises whose absence would lose data at
// once — a key that exists is not created again, of several creators one wins,
// a swap needs the present token, listings are ordered — in some sixty small
// requests, and removes its keys. It proves nothing; it finds what other
// servers than those tested get wrong, such as a MinIO of two server pools
// (creates succeed on existing keys) and S3 directory buckets (listings
// without order). The error is ErrBroken then. It ends with the first error.
func Probe(ctx context.Context, e *Env) (err error) {
	defer func() {
		if cerr := Clean(context.WithoutCancel(ctx), e.conn(0), e.Prefix); err == nil {
			err = cerr
		}
	}()
	p := &probe{Env: e}
	for _, step := range []func(context.Context) error{p.creates, p.swaps, p.order} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Clean deletes all keys under a prefix. Of several errors it returns one.
func Clean(ctx context.Context, st store.Store, prefix string) error {
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
	return one(errs)
}

type probe struct{ *Env }

const (
	probeKeys  = 5
	probeTries = 4
)

func (p *probe) key(i int) string { return fmt.Sprintf("%sprobe/%d", p.Prefix, i) }

// creates lets several create each of some keys at once, and then tries to
// create them again.
func (p *probe) creates(ctx context.Context) error {
	won := make([]int, probeKeys)
	var mu sync.Mutex
	try := func(i int, st store.Store) error {
		_, err := create(ctx, st, p.key(i%probeKeys), fmt.Appendf(nil, "try %d", i))
		if errors.Is(err, store.ErrPrecondition) {
			return nil
		}
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			won[i%probeKeys]++
		}
		return err
	}
	if err := p.together(ctx, probeKeys*probeTries, try); err != nil {
		return err
	}
	for _, n := range won {
		if n != 1 {
			return fmt.Errorf("%w: %d creators of one key at once, and %d were told that they won", ErrBroken, probeTries, n)
		}
	}
	if err := p.together(ctx, probeKeys*probeTries, try); err != nil {
		return err
	}
	again := 0
	for _, n := range won {
		again += n - 1
	}
	if again > 0 {
		return fmt.Errorf("%w: %d of %d attempts to create a key that exists succeeded; are these several server pools, or a cache in front?", ErrBroken, again, probeKeys*probeTries)
	}
	return nil
}

// swaps replaces a key with the right token, an old one, and where there is
// no key.
func (p *probe) swaps(ctx context.Context) error {
	key := p.Prefix + "swap"
	first, err := create(ctx, p.conn(0), key, []byte("first"))
	if err != nil {
		return err
	}
	if _, err := put(ctx, p.conn(1), key, []byte("second"), first.Token); err != nil {
		return fmt.Errorf("replacing a key in its present state: %w", err)
	}
	for _, c := range []struct{ what, key string }{
		{"a key that has changed since", key}, {"a key that does not exist", key + "-absent"},
	} {
		_, err := put(ctx, p.conn(2), c.key, []byte("third"), first.Token)
		switch {
		case err == nil:
			return fmt.Errorf("%w: replacing %s succeeds, and should be refused", ErrBroken, c.what)
		case !errors.Is(err, store.ErrPrecondition):
			return fmt.Errorf("replacing %s: %w", c.what, err)
		}
	}
	body, _, err := p.conn(3).Get(ctx, key, nil)
	if err == nil && string(body) != "second" {
		err = fmt.Errorf("%w: a key that was set to %q shows %q", ErrBroken, "second", body)
	}
	return err
}

// order lists keys that a directory, or a server that keeps no order, would
// list in another.
func (p *probe) order(ctx context.Context) error {
	names := []string{"c", "a/b", "a-b", "!a", "b", "a.b", "a0", "a/a"}
	err := p.together(ctx, len(names), func(i int, st store.Store) error {
		_, err := create(ctx, st, p.Prefix+"order/"+names[i], nil)
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
		return fmt.Errorf("%w: it lists %q, not %q", ErrBroken, listed, names)
	}
	return nil
}
