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

// Picker is what a Store is besides that heeds Highest: to find the highest
// keys costs it no more than to find the lowest.
type Picker interface{ PicksHighest() }

// PicksHighest reports whether st is a Picker, or wraps one.
func PicksHighest(st Store) bool {
	_, ok := find[Picker](st)
	return ok
}
