package store

import (
	"context"
	"time"
)

// Anchor asks st, if it is an Anchorer, or wraps one.
func Anchor(st Store, key string, check func(body []byte) error) {
	if a, ok := As[Anchorer](st); ok {
		a.Anchor(key, check)
	}
}

// Clean cleans st, if it is a Cleaner, or wraps one.
func Clean(ctx context.Context, st Store, prefixes []string, before time.Time, dryRun bool) (Cleaned, error) {
	if c, ok := As[Cleaner](st); ok {
		return c.Clean(ctx, prefixes, before, dryRun)
	}
	return Cleaned{}, nil
}

// PicksHighest reports whether st is a Picker, or wraps one.
func PicksHighest(st Store) bool {
	_, ok := As[Picker](st)
	return ok
}

// Foreign asks st, if it is Shared, or wraps one that is.
func Foreign(ctx context.Context, st Store) (string, error) {
	if s, ok := As[Shared](st); ok {
		return s.Foreign(ctx)
	}
	return "", nil
}

// Reserve has st set room aside, if it is a Reserver, or wraps one.
func Reserve(ctx context.Context, st Store) error {
	if r, ok := As[Reserver](st); ok {
		return r.Reserve(ctx)
	}
	return nil
}

// MakeRoot makes the root of st, if it is a RootMaker, or wraps one.
func MakeRoot(ctx context.Context, st Store) error {
	if m, ok := As[RootMaker](st); ok {
		return m.MakeRoot(ctx)
	}
	return nil
}
