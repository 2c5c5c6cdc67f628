package main

import (
	"os"

	"github.com/dustin/go-humanize"
)

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
