package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/internal/plain"
	"github.com/mindtrace/registry/store"
)

// say prints an error on stderr.
func (a *app) say(err error) { fmt.Fprintf(a.stderr, "mindreg: %s\n", textOf(err, "\n  ")) }

// hint prints what to do about an error, in lines of their own.
func (a *app) hint(lines ...string) {
	for _, line := range lines {
		fmt.Fprintf(a.stderr, "  %s\n", plain.Text(line))
	}
}

// textOf returns the text of an error, escaped. The line feeds of errors.Join
// become sep; all others, as in the name of a file, are escaped.
func textOf(err error, sep string) string {
	text := err.Error()
	var parts []error
	joint := plain.Text
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		parts = []error{e.Unwrap()}
	case interface{ Unwrap() []error }:
		parts = e.Unwrap()
		if all := errors.Join(parts...); all != nil && all.Error() == text { // it is nil where an error wraps nothing
			joint = func(s string) string { return strings.ReplaceAll(s, "\n", sep) }
		}
	}
	var b strings.Builder
	for _, part := range parts {
		if part == nil {
			continue
		}
		inner := part.Error()
		i := strings.Index(text, inner)
		if i < 0 || inner == "" {
			continue // the outer text does not contain it
		}
		b.WriteString(joint(text[:i]))
		b.WriteString(textOf(part, sep))
		text = text[i+len(inner):]
	}
	return b.String() + joint(text)
}

// complain prints an error, and what to do about it if the error does not say so.
func (a *app) complain(ctx context.Context, err error) {
	if ctx.Err() != nil {
		a.interrupted(err)
		return
	}
	a.say(a.asRun(err))
	var e *registry.Error
	switch {
	case errors.Is(err, store.ErrScheme):
		a.hint("a registry is in a directory, or at s3://bucket/prefix or gs://bucket/prefix")
	case errors.Is(err, registry.ErrNoRegistry) && errors.As(err, &e) && e.Op == "open":
		a.noRegistry(e.Ref)
	case errors.Is(err, registry.ErrOffline):
		a.hint("run it without --offline to read from the registry")
	case errors.Is(err, registry.ErrTagged) && errors.As(err, &e) && e.Op == "purge":
		a.hint("mindreg purge --force purges the version and removes its tags")
	case errors.Is(err, registry.ErrTagged):
		a.hint("mindreg rm --force deletes the version and removes its tags")
	case errors.Is(err, registry.ErrPurged): // there is nothing to do
	case errors.Is(err, registry.ErrDeleted):
		a.hint("mindreg undelete NAME@VERSION restores a version for a week after its deletion, if it was not purged;",
			"mindreg versions --deleted NAME lists the deleted ones")
	case errors.Is(err, registry.ErrExists) && errors.As(err, &e) && e.Op == "save":
		a.hint("versions never change; leave --version out for the next number")
	case errors.Is(err, registry.ErrIntegrity) && errors.As(err, &e) && e.Op == "open":
		a.hint("the settings of the registry, registry.json, are damaged; restore that file from a copy;",
			"the versions are not affected")
	case errors.Is(err, registry.ErrIntegrity) && a.ran == "lock run" && errors.As(err, &e):
		a.hint("mindreg lock break " + plain.ShellWord(e.Ref) + " replaces it")
	case errors.Is(err, registry.ErrIntegrity):
		a.hint("mindreg verify lists the affected versions; all others are good")
	case errors.Is(err, registry.ErrOutcomeUnknown):
		a.hint("it may have happened, or may still happen; check with mindreg versions before you try again")
	case errors.Is(err, registry.ErrLockTimeout):
		a.hint("its holder releases it, or it expires after the holder dies; mindreg lock ls shows the holder,", "mindreg lock break NAME takes it away")
	case errors.Is(err, registry.ErrNoMaterializer):
		a.hint("load it to a path: that writes its files as they are")
	case errors.Is(err, registry.ErrType) && a.ran == "load":
		a.hint("only one file can go to standard output; name a directory instead of -")
	case errors.Is(err, registry.ErrNotFound) && errors.As(err, &e):
		a.whereToLook(ctx, e)
	case errors.Is(err, registry.ErrInvalidRef) && errors.As(err, &e) && e.Ref != "" && !strings.Contains(e.Ref, "@"):
		a.withoutVersion(ctx, e.Ref)
	case oserror.Of(err) == oserror.Full && a.writes:
		a.hint("its disk is full; mindreg rm, prune, purge and gc still work, and mindreg purge --help says when space is free again")
	}
}

// asRun returns err with the command that ran in place of the call that failed.
func (a *app) asRun(err error) error {
	if p, ok := err.(*partialError); ok {
		return a.asRun(p.err)
	}
	if e, ok := err.(*registry.Error); ok && e.Op != "open" && a.ran != "" {
		return &registry.Error{Op: registry.Op(a.ran), Ref: e.Ref, Err: e.Err}
	}
	return err
}

// interrupted prints what an interrupt left behind. The error itself says only
// in which call the interrupt came, which is of no use.
func (a *app) interrupted(err error) {
	what := a.ran
	var e *registry.Error
	if errors.As(err, &e) {
		what = strings.TrimSpace(what + " " + e.Ref)
	}
	what = strings.TrimPrefix(what+": interrupted", ": ")
	switch {
	case errors.Is(err, registry.ErrOutcomeUnknown):
		a.say(errors.New(what + " during its last step, which may have happened, or may still happen"))
		a.hint("check with mindreg versions before you try again")
	case errors.Is(err, errLeft) && a.writes:
		a.say(errors.New(what + " before it ended; its last step may have happened"))
		a.hint("check with mindreg versions before you try again")
	case errors.Is(err, errNotConfirmed):
		a.say(errors.New(what + "; nothing was purged"))
	case e != nil && e.Op == "save":
		a.say(errors.New(what + "; no version was saved"))
		a.hint("run it again: it sends only what is missing")
	case e != nil && (e.Op == "load" || e.Op == "copy"):
		a.say(errors.New(what))
		a.hint("run it again: it continues where it stopped")
	default:
		a.say(errors.New(what))
	}
}

// noRegistry says what to do about a location without a registry.
func (a *app) noRegistry(location string) {
	mine, err := registry.DefaultURL()
	switch {
	case err == nil && location == mine && onDefault():
		a.hint("the first mindreg save creates it; --registry or $MINDREG_URL names another place")
	case strings.HasPrefix(location, "~"):
		a.hint("no shell has replaced the ~, so it means a directory of that name; give the whole path")
	case !strings.Contains(location, "://"):
		a.hint("if there was one, do not create another: mount its disk, or put the directory back")
	}
}
