//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// passedOn are the signals that lock run passes on to its command: those that
// people and service managers send.
var passedOn = []os.Signal{
	unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH, unix.SIGCONT, unix.SIGALRM,
}

// ofTerminal reports whether a terminal sends s to the whole group of
// processes, so that the command has it already.
func ofTerminal(s os.Signal) bool {
	return s == unix.SIGINT || s == unix.SIGQUIT || s == unix.SIGWINCH
}
