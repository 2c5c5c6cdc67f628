package storecheck

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mindtrace/registry/store"
)

// Place is the place of a store whose root can be taken away.
type Place struct {
	// Open opens the store at the place, like another process does. Its root
	// exists.
	Open func() (store.Store, error)
	// Ways are the ways to take the root away.
	Ways []Way
}

// Way is one way to take a root away.
type Way struct {
	Name string // short, completes "root ..."
	// Lose takes the root away. seen then describes everything at the place;
	// back undoes Lose, and is nil if that is impossible.
	Lose func() (seen func() (string, error), back func() error, err error)
}

// Root checks clause 17 of the contract, with each way of p: a store never
// makes its own root after it was opened, and never writes to another root than
// the one opened. It returns the first violation.
func Root(ctx context.Context, p Place) error {
	for _, w := range p.Ways {
		if err := p.lose(ctx, w); err != nil {
			return fmt.Errorf("root %s: %w", w.Name, err)
		}
	}
	return nil
}

func (p Place) lose(ctx context.Context, w Way) (err error) {
	st, err := p.Open()
	if err != nil {
		return err
	}
	key := func(name string) string { return "root/" + name }
	info, err := st.Put(ctx, key("there"), []byte("1"), store.Absent)
	if err != nil {
		return err
	}
	staged, _, err := store.Stage(ctx, st, key("staged"), make([]byte, 4<<20))
	if err != nil {
		return err
	}
	defer staged.Discard()
	seen, back, err := w.Lose()
	if err != nil {
		return err
	}
	before, err := seen()
	if err != nil {
		return err
	}
	for name, call := range lostCalls(st, staged, key, info.Token) {
		if err := call(ctx); !errors.Is(err, store.ErrNoRoot) || errors.Is(err, store.ErrNotExist) {
			return fmt.Errorf("%s returned %v, want ErrNoRoot", name, err)
		}
	}
	if after, err := seen(); err != nil || after != before {
		return fmt.Errorf("the content of the place has changed from %q to %q (%v)", before, after, err)
	}
	if back == nil {
		return nil
	}
	if err := back(); err != nil {
		return err
	}
	if body, _, err := st.Get(ctx, key("there"), nil); err != nil || string(body) != "1" {
		return fmt.Errorf("once the root is back, a key reads as %q, %v", body, err)
	}
	if _, err := st.Put(ctx, key("there"), []byte("2"), info.Token); err != nil {
		return fmt.Errorf("once the root is back, a put: %w", err)
	}
	return st.Delete(ctx, key("there"))
}

// lostCalls are all the calls that must fail on a store without its root.
func lostCalls(st store.Store, staged store.Staged, key func(string) string, match store.Token) map[string]func(context.Context) error {
	list := func(ctx context.Context) error {
		_, err := list(ctx, st, "", "")
		return err
	}
	return map[string]func(context.Context) error{
		"Get":                  func(ctx context.Context) error { _, _, err := st.Get(ctx, key("there"), nil); return err },
		"Get of an absent key": func(ctx context.Context) error { _, _, err := st.Get(ctx, key("absent"), nil); return err },
		"Stat":                 func(ctx context.Context) error { _, err := st.Stat(ctx, key("absent")); return err },
		"Put": func(ctx context.Context) error {
			_, err := st.Put(ctx, key("new"), []byte("1"), store.Absent)
			return err
		},
		"Put in place of another": func(ctx context.Context) error {
			_, err := st.Put(ctx, key("there"), []byte("2"), match)
			return err
		},
		"Put of a key that is there": func(ctx context.Context) error {
			_, err := st.Put(ctx, key("there"), []byte("2"), store.Absent)
			return err
		},
		"Commit": func(ctx context.Context) error { _, err := staged.Commit(ctx, key("staged")); return err },
		"Delete": func(ctx context.Context) error { return st.Delete(ctx, key("absent")) },
		"List":   list,
		"Now":    func(ctx context.Context) error { _, err := st.Now(ctx); return err },
		"Clean": func(ctx context.Context) error {
			c, ok := store.As[store.Cleaner](st)
			if !ok {
				return store.ErrNoRoot
			}
			_, err := c.Clean(ctx, []string{key("")}, time.Now().Add(time.Hour), false)
			return err
		},
		"Flush": func(ctx context.Context) error {
			f, ok := store.As[store.Flusher](st)
			if !ok {
				return store.ErrNoRoot
			}
			return f.Flush(ctx, key("there"))
		},
		"MakeRoot": func(ctx context.Context) error {
			m, ok := store.As[store.RootMaker](st)
			if !ok {
				return store.ErrNoRoot
			}
			return m.MakeRoot(ctx)
		},
	}
}
