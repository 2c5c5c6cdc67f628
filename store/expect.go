package store

import "context"

type expectKey struct{}

// Expect returns a context that tells a List, or Keys, how many keys its
// caller is likely to look at. A store that lists in pages then makes the
// first one no larger. It changes nothing of what the listing yields.
func Expect(ctx context.Context, keys int) context.Context {
	return context.WithValue(ctx, expectKey{}, keys)
}

// Expected returns how many keys the caller of a List is likely to look at,
// or 0 if it did not say.
func Expected(ctx context.Context) int {
	n, _ := ctx.Value(expectKey{}).(int)
	return n
}
