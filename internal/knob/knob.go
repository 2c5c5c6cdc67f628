// Package knob holds the few constants of the implementation — none of them
// is part of the format — that the simulation turns, so that objects of some
// bytes go the same ways as objects of gigabytes. Nothing else sets them.
package knob

import (
	"math/rand/v2"
	"time"
)

var (
	// MaxInline is how many bytes of files a register may hold itself.
	MaxInline = 128 << 10
	// MaxPack is the size of the largest pack that is put, in bytes.
	MaxPack = 16 << 20
	// Milestone is how many versions a save may have to look through, to find
	// the highest, before it leaves a milestone.
	Milestone = 64
	// JumpAfter is how many keys of one object a listing of objects looks at
	// before it jumps to the last versions, if there is a milestone: some
	// request's worth.
	JumpAfter = 512
	// ProbeEvery is for how long the verdict of a probe of the store stands.
	// Negative: a store is never probed.
	ProbeEvery = 24 * time.Hour
	// Jitter returns a random duration from 0 up to, but not including, limit.
	Jitter = rand.N[time.Duration]
)
