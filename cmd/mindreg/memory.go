package main

import (
	"os"
	"runtime/debug"

	"github.com/dustin/go-humanize"
)

// softMemory is the memory limit of Go's garbage collector, in bytes, unless
// $GOMEMLIMIT sets another. Without it, reading a large version could take twice
// the memory that it needs.
const softMemory = 448 << 20

func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
}

// memoryLimit returns $MINDREG_MEMORY_LIMIT, for example 512MiB, in bytes; 0 if it
// is not set.
func memoryLimit() (int64, error) {
	s := os.Getenv("MINDREG_MEMORY_LIMIT")
	if s == "" {
		return 0, nil
	}
	n, err := humanize.ParseBytes(s)
	if err != nil || n == 0 || n > 1<<60 {
		return 0, usagef("MINDREG_MEMORY_LIMIT: %q is not a number of bytes; write 512MiB", s)
	}
	return int64(n), nil
}
