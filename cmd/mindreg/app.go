package main

import (
	"io"
	"sync/atomic"

	"github.com/mindtrace/registry/cache"
)

// Each command is in a file named for it: tagset.go has "mindreg tag set". It
// consists of two functions, and a struct if it has flags:
//
//	func (a *app) saveCommand() *cobra.Command     its help and its flags
//	func runSave(ctx, a, f saveFlags, args) error  what it does
//
// A command without flags or arguments leaves these parameters out.

// app is what the commands share.
type app struct {
	stdin    io.Reader
	stdout   *sticky   // for JSON and the bytes of objects; text goes through people
	stderr   io.Writer // for text: it escapes what could harm a terminal
	terminal io.Writer // the writer below stderr, for progress and for other programs
	bars     bars
	patient  atomic.Bool // after an interrupt, wait for the command to end
	cached   atomic.Pointer[cache.Cache]

	url     string // --registry
	output  string // --output
	verbose bool
	quiet   bool
	offline bool
	noCache bool

	ran    string // the command, for example "tag set"
	args   []string
	writes bool // it may change the registry
}

// changes marks a command that may change the registry.
var changes = map[string]string{"changes": "the registry"}
