package store

import "context"

// Reserver is what a Store is besides that can run full, and keeps some room for
// that: deleting takes room, too, and must not fail for want of it.
type Reserver interface {
	// Reserve sets room aside, or as much of it as there is. It does nothing
	// where there is enough.
	Reserve(ctx context.Context) error
}

// Reserve has st set room aside, if it is a Reserver, or wraps one.
func Reserve(ctx context.Context, st Store) error {
	if r, ok := find[Reserver](st); ok {
		return r.Reserve(ctx)
	}
	return nil
}

type freeingKey struct{}

// Freeing returns a context that tells the store what its requests are for: to
// get space back, now or later. They may use what Reserve has set aside.
func Freeing(ctx context.Context) context.Context {
	return context.WithValue(ctx, freeingKey{}, true)
}

// IsFreeing reports whether ctx is of Freeing.
func IsFreeing(ctx context.Context) bool { return ctx.Value(freeingKey{}) != nil }
