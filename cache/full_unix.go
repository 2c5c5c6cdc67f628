//go:build unix

package cache

import (
	"errors"
	"syscall"
)

// isFull tells a disk, or a quota, that is used up.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
