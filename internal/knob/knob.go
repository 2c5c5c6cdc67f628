// Package knob holds the few constants that tests set to other values. With small
// packs, an object of some bytes goes through the same code as one of gigabytes.
// None of these constants is part of the format. A context carries them to
// registry.Open, and the registry keeps them: other registries of the process have
// their own.
package knob

import (
	"context"
	"math/rand/v2"
	"time"
)

// Knobs are the constants of one open registry.
type Knobs struct {
	// MaxInline is how many bytes of files a register may hold itself.
	MaxInline int
	// MaxPack is the size of the largest pack that is put, in bytes.
	MaxPack int
	// Milestone is how many versions a save may have to look through, to find
	// the highest, before it leaves a milestone.
	Milestone int
	// JumpAfter is how many keys of one object a listing of objects looks at
	// before it jumps to the last versions, if there is a milestone: some
	// request's worth.
	JumpAfter int
	// ProbeEvery is for how long the verdict of a probe of the store stands.
	// Negative: a store is never probed.
	ProbeEvery time.Duration
}

// Default returns the Knobs of every registry outside of tests.
func Default() Knobs {
	return Knobs{MaxInline: 128 << 10, MaxPack: 16 << 20, Milestone: 64, JumpAfter: 512, ProbeEvery: 24 * time.Hour}
}

type contextKey struct{}

// With returns a context with which registries are opened that have these
// Knobs.
func With(ctx context.Context, k Knobs) context.Context {
	return context.WithValue(ctx, contextKey{}, k)
}

// From returns the Knobs of a context: those of the innermost With, or the
// default.
func From(ctx context.Context) Knobs {
	if k, ok := ctx.Value(contextKey{}).(Knobs); ok {
		return k
	}
	return Default()
}

// Jitter returns a random duration from 0 up to, but not including, limit. Only
// the simulation sets it, for the whole process.
var Jitter = rand.N[time.Duration]
