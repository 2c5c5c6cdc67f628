package main

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"

	registry "github.com/mindtrace/registry"
)

// readable collects a listing. It prints an error for each entry that cannot be
// read, and goes on; then bad is an error.
func readable[T any](a *app, list iter.Seq2[T, error]) (all []T, bad, err error) {
	all = []T{}
	var parts []error
	for one, err := range list {
		switch {
		case err == nil:
			all = append(all, one)
		case partly(err):
			parts = append(parts, err)
			a.say(a.asRun(err))
		default:
			return all, nil, err
		}
	}
	if len(parts) > 0 {
		bad = fmt.Errorf("%s cannot be read; mindreg verify says more: %w", count(len(parts), "register", "registers"), classOf(parts))
	}
	return all, bad, nil
}

// lean leaves out the metadata, which a table does not print: it may list very
// many versions.
func (a *app) lean(list iter.Seq2[registry.Info, error]) iter.Seq2[registry.Info, error] {
	if a.output == "json" {
		return list
	}
	return func(yield func(registry.Info, error) bool) {
		for info, err := range list {
			info.Metadata = nil
			if !yield(info, err) {
				return
			}
		}
	}
}

// partly reports whether an error concerns one entry of a listing, and the rest
// follows.
func partly(err error) bool {
	return errors.As(err, new(*registry.UnreadableError)) || errors.Is(err, registry.ErrIntegrity) || errors.Is(err, registry.ErrNewer)
}

// classOf returns the error that decides the exit code of several: errProblems,
// or errUnread if nothing but permissions is missing.
func classOf(all []error) error {
	for _, err := range all {
		if !errors.Is(err, fs.ErrPermission) {
			return errProblems
		}
	}
	return errUnread
}

// errUnread means that some data was not read for lack of permission.
var errUnread = fmt.Errorf("no permission to read all: %w", fs.ErrPermission)

// problemsClass is classOf for the problems that Verify found.
func problemsClass(problems []registry.Problem) error {
	var all []error
	for _, p := range problems {
		all = append(all, p.Err)
	}
	return classOf(all)
}
