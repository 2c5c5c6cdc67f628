package main

import (
	"os"
	"runtime/debug"

	"github.com/dustin/go-humanize"
)

// softMemory is how much memory the collector of garbage has the process take,
// in bytes, before it works harder: so what a large version takes to be read is not
// doubled. $GOMEMLIMIT says otherwise.
const softMemory = 448 << 20

func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
}

// memoryLimit is Options.MemoryLimit as $MINDREG_MEMORY_LIMIT says it, such as
// 512MiB; 0 where it says nothing.
func memoryLimit() (int64, error) {
	s := os.Getenv("MINDREG_MEMORY_LIMIT")
	if s == "" {
		return 0, nil
	}
	n, err := humanize.ParseBytes(s)
	if err != nil || n == 0 || n > 1<<60 {
		return 0, usagef("MINDREG_MEMORY_LIMIT: %q is no number of bytes; give one like 512MiB", s)
	}
	return int64(n), nil
}
