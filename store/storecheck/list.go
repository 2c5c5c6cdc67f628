package storecheck

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/mindtrace/registry/internal/backoff"
	"github.com/mindtrace/registry/store"
)

// lookalikes are keys that some file system or server confuses or sorts
// wrongly: "-" and "/", names that are prefixes of others, escapes, one segment
// or two.
var lookalikes = []string{
	"a-b", "a.b", "a/b", "a0", "a/b0", "a/b-c", "a!b", "a!!b", "a~", "a@", "a_", "a/b.json", "a/@/x", "ab",
	"!a", "b/!0/1", "b/!0.json", "b/0.json", "b/00.json", "c/d/e/f/g/h", "c/d.e", "c/d-e", "x.", "con1", "z",
}

func usable(keys []string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return store.ValidKey(k) != nil })
}

// listOrder checks clause 8: every range is listed in the order of bytes.
func listOrder(ctx context.Context, e *Env) error {
	keys := usable(lookalikes)
	rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	for i, k := range keys {
		if _, err := create(ctx, e.conn(i), e.Prefix+k, []byte(k)); err != nil {
			return err
		}
	}
	slices.Sort(keys)
	prefixes := []string{"", "a", "a/", "a/b", "b/", "c/d", "c/d/", "nothing", "z"}
	afters := append([]string{"", "0", "a", "a/", "a/b", "a/b~", "zz"}, keys...)
	for i, prefix := range prefixes {
		for _, after := range afters {
			var want []string
			for _, k := range keys {
				if strings.HasPrefix(k, prefix) && k > after {
					want = append(want, k)
				}
			}
			full := e.Prefix + after
			if after == "" {
				full = ""
			}
			got, err := list(ctx, e.conn(i), e.Prefix+prefix, full)
			if err != nil {
				return err
			}
			var names []string
			for _, info := range got {
				names = append(names, strings.TrimPrefix(info.Key, e.Prefix))
			}
			if !slices.Equal(names, want) {
				return fmt.Errorf("a List(%q, after %q) shows %q, want %q", prefix, after, names, want)
			}
		}
	}
	return nil
}

// listComplete checks clause 9. Writers create keys one after the other. If
// a listing shows a key, it must show all keys that were complete before that
// key was begun.
func listComplete(ctx context.Context, e *Env) error {
	const writers = 3
	each := e.rounds() * 10
	var mu sync.Mutex
	before := map[string][]string{} // key → the keys that were complete when it was begun
	var completed []string
	done := 0
	dir := e.Prefix + "growing/"
	finished := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return done == writers
	}
	return e.together(ctx, writers+1, func(i int, st store.Store) error {
		if i < writers {
			defer func() {
				mu.Lock()
				done++
				mu.Unlock()
			}()
			for range each {
				// Random names: directory order has nothing to do with age.
				key := fmt.Sprintf("%s%016x", dir, rand.Uint64())
				mu.Lock()
				before[key] = completed[:len(completed):len(completed)]
				mu.Unlock()
				if _, err := create(ctx, st, key, []byte("x")); err != nil {
					return err
				}
				mu.Lock()
				completed = append(completed, key)
				mu.Unlock()
			}
			return nil
		}
		for n := 0; ; n++ {
			last := finished()
			got, err := list(ctx, st, dir, "")
			if err != nil {
				return err
			}
			shown := make(map[string]bool, len(got))
			for _, info := range got {
				shown[info.Key] = true
			}
			// The longest history among the keys shown contains the others.
			var oldest []string
			var of string
			mu.Lock()
			for key := range shown {
				if h := before[key]; len(h) > len(oldest) {
					oldest, of = h, key
				}
			}
			mu.Unlock()
			for _, key := range oldest {
				if !shown[key] {
					return fmt.Errorf("a List shows %s but not %s, which was complete before that one was begun", of, key)
				}
			}
			if last || backoff.Sleep(ctx, pace(n)) != nil {
				return ctx.Err()
			}
		}
	})
}

// keysDistinct checks clause 13: keys that look alike are different objects.
func keysDistinct(ctx context.Context, e *Env) error {
	keys := usable(lookalikes)
	keys = append(keys, strings.Repeat("s", 100), strings.Repeat("s", 99), strings.Repeat("t/", 300)+"t")
	for i, k := range keys {
		if _, err := create(ctx, e.conn(i), e.Prefix+k, []byte(k)); err != nil {
			return fmt.Errorf("key %q: %w", k, err)
		}
	}
	for i, k := range keys {
		body, _, err := e.conn(i+1).Get(ctx, e.Prefix+k, nil)
		if err != nil {
			return fmt.Errorf("key %q: %w", k, err)
		}
		if string(body) != k {
			return fmt.Errorf("key %q holds the body of %q", k, body)
		}
	}
	for _, k := range []string{"a", "b", "c/d", "c"} { // directories are not keys
		if _, _, err := e.conn(0).Get(ctx, e.Prefix+k, nil); !errors.Is(err, store.ErrNotExist) {
			return fmt.Errorf("a Get of %q, which is only a prefix of keys: got %v, want ErrNotExist", k, err)
		}
		if _, err := e.conn(0).Stat(ctx, e.Prefix+k); !errors.Is(err, store.ErrNotExist) {
			return fmt.Errorf("a Stat of %q, which is only a prefix of keys: got %v, want ErrNotExist", k, err)
		}
	}
	if _, err := e.conn(0).Stat(ctx, e.Prefix+"z/below"); !errors.Is(err, store.ErrNotExist) {
		return fmt.Errorf("a Stat below a key: got %v, want ErrNotExist", err)
	}
	return nil
}

// keysMany checks clause 13: many keys under one prefix work.
func keysMany(ctx context.Context, e *Env) error {
	n, dir := e.keys(), e.Prefix+"many/"
	const writers = 16
	err := e.together(ctx, writers, func(i int, st store.Store) error {
		for k := i; k < n; k += writers {
			if _, err := create(ctx, st, fmt.Sprintf("%s%06d", dir, k), nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	k := 0
	for info, err := range e.conn(0).List(ctx, dir, "") {
		if err != nil {
			return err
		}
		if want := fmt.Sprintf("%s%06d", dir, k); info.Key != want {
			return fmt.Errorf("entry %d of the listing is %s, want %s", k, info.Key, want)
		}
		k++
	}
	if k != n {
		return fmt.Errorf("a List shows %d of %d keys", k, n)
	}
	tail, err := list(ctx, e.conn(1), dir, fmt.Sprintf("%s%06d", dir, n-3))
	if err != nil {
		return err
	}
	if len(tail) != 2 {
		return fmt.Errorf("a List after the last key but two shows %d keys, want 2", len(tail))
	}
	return nil
}
