package store

import "context"

// Pruner is what a Store is besides where keys make directories, which stay when
// the keys are deleted.
type Pruner interface {
	// Prune removes the empty directories below a prefix that ends in a slash,
	// its own, and those above it. It removes no key. A Put that needs one of
	// them makes it again.
	Prune(ctx context.Context, prefix string) error
}

// Prune prunes st, if it is a Pruner, or wraps one.
func Prune(ctx context.Context, st Store, prefix string) error {
	if p, ok := find[Pruner](st); ok {
		return p.Prune(ctx, prefix)
	}
	return nil
}
