//go:build unix

package oserror

import (
	"errors"
	"io/fs"
	"syscall"
)

var classes = map[syscall.Errno]Class{
	syscall.ENOENT: Absent, syscall.ENOTDIR: Absent,
	syscall.EEXIST: Exists,
	syscall.EACCES: Denied, syscall.EPERM: Denied,
	syscall.EROFS:  ReadOnly,
	syscall.ENOSPC: Full, syscall.EDQUOT: Full,
	syscall.ELOOP:  Link,
	syscall.ESTALE: Unreachable, syscall.ENOTCONN: Unreachable, syscall.ETIMEDOUT: Unreachable,
	syscall.EHOSTDOWN: Unreachable, syscall.EHOSTUNREACH: Unreachable, syscall.ENETDOWN: Unreachable,
	syscall.ENETUNREACH: Unreachable, syscall.ECONNREFUSED: Unreachable, syscall.ECONNRESET: Unreachable,
	syscall.ECONNABORTED: Unreachable, syscall.ESHUTDOWN: Unreachable,
}

func classOf(err error) Class {
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		return classes[errno]
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
