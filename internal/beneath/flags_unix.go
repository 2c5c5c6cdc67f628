//go:build unix

package beneath

import "syscall"

const (
	nonblock = syscall.O_NONBLOCK // without it, opening a named pipe waits for a writer
	nofollow = syscall.O_NOFOLLOW
)
