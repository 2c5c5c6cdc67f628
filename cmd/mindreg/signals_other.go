//go:build !unix

package main

import "os"

// passedOn are the signals that lock run passes on to its command.
var passedOn = []os.Signal{os.Interrupt}

// ofTerminal reports whether a terminal sends s to the whole group of
// processes, so that the command has it already.
func ofTerminal(s os.Signal) bool { return s == os.Interrupt }
