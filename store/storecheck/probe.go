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

// ErrBroken means that a store was caught breaking its contract.
var ErrBroken = errors.New("this store does not keep what a registry needs")

// Probe asks a store about the promises whose absence would lose data at
// once — a key that exists is not created again, of several creators one wins,
// a swap needs the present token, listings are ordered — in some sixty small
// requests, and removes its keys. It proves nothing; it finds what other
// servers than those tested get wrong, such as a MinIO of two server pools
// (creates succeed on existing keys) and S3 directory buckets (listings
// without order). The error is ErrBroken then. It ends with the first error. A
// network that loses or repeats requests is no fault of the store: it is judged
// by what it certainly did.
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
		err := repeat(ctx, func() error {
			_, err := create(ctx, st, p.key(i%probeKeys), fmt.Appendf(nil, "try %d", i))
			return err
		})
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
	first := 0
	for i, n := range won {
		if n == 0 { // unless the answer to the winner was lost
			switch _, err := p.conn(i).Stat(ctx, p.key(i)); {
			case err == nil:
				continue
			case !errors.Is(err, store.ErrNotExist):
				return err
			}
		}
		if first += n; n != 1 {
			return fmt.Errorf("%w: %d creators of one key at once, and %d were told that they won", ErrBroken, probeTries, n)
		}
	}
	if err := p.together(ctx, probeKeys*probeTries, try); err != nil {
		return err
	}
	again := -first
	for _, n := range won {
		again += n
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
	first, err := settled(ctx, p.conn(0), key, "first", store.Absent)
	if err != nil {
		return err
	}
	if _, err := settled(ctx, p.conn(1), key, "second", first.Token); err != nil {
		return fmt.Errorf("replacing a key in its present state: %w", err)
	}
	for i, c := range []struct{ what, key string }{
		{"a key that has changed since", key}, {"a key that does not exist", key + "-absent"},
	} {
		switch _, err := settled(ctx, p.conn(2+i), c.key, "third", first.Token); {
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
		_, err := settled(ctx, st, p.Prefix+"order/"+names[i], "x", store.Absent)
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

// patience is how often a put is repeated whose outcome is unknown.
const patience = 10

// repeat repeats a put until it is certain what it came to.
func repeat(ctx context.Context, put func() error) error {
	var stalls store.Stalls
	for try := 0; ; try++ {
		err := put()
		if !errors.Is(err, store.ErrUnknown) || stalls.Enough(err) || try == patience {
			return err
		}
		select {
		case <-time.After(5 * time.Millisecond << try):
		case <-ctx.Done():
			return err
		}
	}
}

// settled is a put of a body that nobody else puts under the key: if it is
// refused and is there, then an earlier try, or a copy of this one that the
// network has made, was applied.
func settled(ctx context.Context, st store.Store, key, body string, match store.Token) (info store.Info, err error) {
	err = repeat(ctx, func() error {
		info, err = put(ctx, st, key, []byte(body), match)
		return err
	})
	if !errors.Is(err, store.ErrPrecondition) {
		return info, err
	}
	switch is, info, gerr := st.Get(ctx, key, nil); {
	case gerr == nil && string(is) == body:
		return info, nil
	case gerr != nil && !errors.Is(gerr, store.ErrNotExist):
		return info, gerr
	}
	return info, err
}
