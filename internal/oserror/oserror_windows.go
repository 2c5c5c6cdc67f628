package oserror

import (
	"errors"
	"io/fs"
	"syscall"
)

// https://learn.microsoft.com/windows/win32/debug/system-error-codes
var classes = map[syscall.Errno]Class{
	2: Absent, 3: Absent, 267: Absent, // file, path not found; not a directory
	80: Exists, 183: Exists,
	5: Denied,
	19: ReadOnly,
	39: Full, 112: Full, 1295: Full,
	681: Link, 1921: Link,
	51: Unreachable, 53: Unreachable, 54: Unreachable, 55: Unreachable, 59: Unreachable, 64: Unreachable,
	67: Unreachable, 121: Unreachable, 1231: Unreachable, 1232: Unreachable,
}

func classOf(err error) Class {
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		if class, ok := classes[errno]; ok {
			return class
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Absent
	case errors.Is(err, fs.ErrExist):
		return Exists
	case errors.Is(err, fs.ErrPermission):
		return Denied
	}
	return Other
}
