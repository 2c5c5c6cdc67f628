package store

import "context"

type expectKey struct{}

// Expect returns a context in which a List, or Keys, expects its caller to
// look at that many keys. A store that lists in pages makes the first page no
// larger. The hint does not change what the listing yields.
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

// Highest returns a context in which a List, or Keys, has to yield only the n
// highest keys of its range, or all if there are fewer. A store that is a
// Picker yields these alone; any other store may yield the whole range.
func Highest(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, highestKey{}, n)
}

// HighestOf returns how many of the highest keys the caller of a List wants,
// or 0 if it wants all keys.
func HighestOf(ctx context.Context) int {
	n, _ := ctx.Value(highestKey{}).(int)
	return n
}

type freeingKey struct{}

// Freeing returns a context for requests that free space, now or later, such
// as deletions. They may use the room that Reserver.Reserve has set aside.
func Freeing(ctx context.Context) context.Context {
	return context.WithValue(ctx, freeingKey{}, true)
}

// IsFreeing reports whether ctx comes from Freeing.
func IsFreeing(ctx context.Context) bool { return ctx.Value(freeingKey{}) != nil }
