// Package knob holds the few constants of the implementation — none of them
// is part of the format — that the simulation turns, so that objects of some
// bytes go the same ways as objects of gigabytes. Nothing else sets them.
package knob

import (
	"math/rand/v2"
	"time"

	"github.com/mindtrace/registry/manifest"
)

var (
	// MaxInline is how many bytes of files a register may hold itself.
	MaxInline = manifest.MaxInline
	// MaxPack is the size of the largest pack that is put, in bytes.
	MaxPack = manifest.MaxPack
	// Jitter returns a random duration from 0 up to, but not including, limit.
	Jitter = rand.N[time.Duration]
)
