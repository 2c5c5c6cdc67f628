//go:build !unix

package cache

import (
	"errors"
	"syscall"
)

// isFull tells a disk that is used up, by the numbers that Windows has for it.
// https://learn.microsoft.com/windows/win32/debug/system-error-codes--0-499-
func isFull(err error) bool {
	return errors.Is(err, syscall.Errno(39)) || errors.Is(err, syscall.Errno(112))
}
