//go:build unix

package oserror

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

// Each error has one class, however it is wrapped.
func TestOf(t *testing.T) {
	for err, want := range map[error]Class{
		nil: Other, errors.New("any"): Other, syscall.EIO: Other, syscall.EINVAL: Other, syscall.EBADF: Other,
		syscall.ENOENT: Absent, syscall.ENOTDIR: Absent, fs.ErrNotExist: Absent,
		syscall.EEXIST: Exists, fs.ErrExist: Exists,
		syscall.EACCES: Denied, syscall.EPERM: Denied, fs.ErrPermission: Denied,
		syscall.EROFS:  ReadOnly,
		syscall.ENOSPC: Full, syscall.EDQUOT: Full,
		syscall.ELOOP:  Link,
		syscall.ESTALE: Unreachable, syscall.ENOTCONN: Unreachable, syscall.EHOSTDOWN: Unreachable, syscall.ETIMEDOUT: Unreachable,
	} {
		if got := Of(err); got != want {
			t.Errorf("%v is of class %d, want %d", err, got, want)
		}
		if err == nil {
			continue
		}
		wrapped := fmt.Errorf("save: %w", &os.PathError{Op: "open", Path: "x", Err: err})
		if got := Of(wrapped); got != want {
			t.Errorf("%v is of class %d, want %d", wrapped, got, want)
		}
	}
}
