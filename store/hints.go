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

type highestKey struct{}

// Highest returns a context that tells a List, or Keys, that its caller looks
// only at the n highest keys in range, or at all if there are fewer. A store
// that is a Picker yields no more; every other one may yield them all.
func Highest(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, highestKey{}, n)
}

// HighestOf returns how many of the highest keys the caller of a List looks
// at, or 0 if at all of them.
func HighestOf(ctx context.Context) int {
	n, _ := ctx.Value(highestKey{}).(int)
	return n
}

type freeingKey struct{}

// Freeing returns a context that tells the store what its requests are for: to
// get space back, now or later. They may use what Reserver.Reserve has set
// aside.
func Freeing(ctx context.Context) context.Context {
	return context.WithValue(ctx, freeingKey{}, true)
}

// IsFreeing reports whether ctx is of Freeing.
func IsFreeing(ctx context.Context) bool { return ctx.Value(freeingKey{}) != nil }
