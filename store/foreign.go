package store

import "context"

// Shared is what a Store may be besides: one in a place that can hold what is
// no key, and so is in no listing.
type Shared interface {
	// Foreign returns the name of something that is there and belongs to
	// somebody else, or "". What systems leave everywhere does not count.
	Foreign(ctx context.Context) (string, error)
}

// Foreign asks st, if it is Shared, or wraps one that is.
func Foreign(ctx context.Context, st Store) (string, error) {
	if s, ok := find[Shared](st); ok {
		return s.Foreign(ctx)
	}
	return "", nil
}
