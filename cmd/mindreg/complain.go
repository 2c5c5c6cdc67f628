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

// say writes an error for people.
func (a *app) say(err error) { fmt.Fprintf(a.stderr, "mindreg: %s\n", textOf(err, "\n  ")) }

// hint says what to do about an error, in lines of their own.
func (a *app) hint(lines ...string) {
	for _, line := range lines {
		fmt.Fprintf(a.stderr, "  %s\n", plain.Text(line))
	}
}

// textOf returns the text of an error, escaped. Of its line feeds only those
// that errors.Join has put between errors separate lines, by sep; one in the
// name of a file does not.
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
			continue // it is told in other words
		}
		b.WriteString(joint(text[:i]))
		b.WriteString(textOf(part, sep))
		text = text[i+len(inner):]
	}
	return b.String() + joint(text)
}

// complain writes an error for people, and what to do about it where the error
// itself does not say so.
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
		a.hint("without --offline, the registry is asked for it")
	case errors.Is(err, registry.ErrTagged) && errors.As(err, &e) && e.Op == "purge":
		a.hint("mindreg purge --force purges the version and removes its tags")
	case errors.Is(err, registry.ErrTagged):
		a.hint("mindreg rm --force deletes the version and removes its tags")
	case errors.Is(err, registry.ErrPurged): // there is nothing to do
	case errors.Is(err, registry.ErrDeleted):
		a.hint("for a week after it was deleted, mindreg undelete NAME@VERSION brings a version back;",
			"mindreg versions --deleted NAME lists them")
	case errors.Is(err, registry.ErrExists) && errors.As(err, &e) && e.Op == "save":
		a.hint("versions never change; leave --version out to get the next number")
	case errors.Is(err, registry.ErrIntegrity) && errors.As(err, &e) && e.Op == "open":
		a.hint("the settings of the registry, registry.json, are damaged; put that file back from a copy;",
			"the versions are not concerned")
	case errors.Is(err, registry.ErrIntegrity) && a.ran == "lock run" && errors.As(err, &e):
		a.hint("mindreg lock break " + plain.ShellWord(e.Ref) + " replaces it")
	case errors.Is(err, registry.ErrIntegrity):
		a.hint("mindreg verify tells which versions are concerned; others are not")
	case errors.Is(err, registry.ErrOutcomeUnknown):
		a.hint("it may have been done, or may still be; look with mindreg versions before you try again")
	case errors.Is(err, registry.ErrLockTimeout):
		a.hint("it ends when its holder releases it, or some time after that has died; mindreg lock break NAME takes it away")
	case errors.Is(err, registry.ErrNoMaterializer):
		a.hint("a path as destination takes the files as they are, whatever saved them")
	case errors.Is(err, registry.ErrNotFound) && errors.As(err, &e):
		a.whereToLook(ctx, e)
	case errors.Is(err, registry.ErrInvalidRef) && errors.As(err, &e) && e.Ref != "" && !strings.Contains(e.Ref, "@"):
		a.withoutVersion(ctx, e.Ref)
	case oserror.Of(err) == oserror.Full && a.writes:
		a.hint("its disk is full: mindreg rm, prune, purge and gc work all the same, and mindreg purge --help says when space comes back")
	}
}

// asRun returns err with what was run in place of what was called for it.
func (a *app) asRun(err error) error {
	if e, ok := err.(*registry.Error); ok && e.Op != "open" && a.ran != "" {
		return &registry.Error{Op: a.ran, Ref: e.Ref, Err: e.Err}
	}
	return err
}

// interrupted says what an interrupt has left behind. Why the operation under
// way ended, in the words of what it was just doing, is of no use then.
func (a *app) interrupted(err error) {
	what := a.ran
	var e *registry.Error
	if errors.As(err, &e) {
		what = strings.TrimSpace(what + " " + e.Ref)
	}
	what = strings.TrimPrefix(what+": interrupted", ": ")
	switch {
	case errors.Is(err, registry.ErrOutcomeUnknown):
		a.say(errors.New(what + " while its last step was under way; it may have been done, or may still be"))
		a.hint("look with mindreg versions before you try again")
	case errors.Is(err, errLeft) && a.writes:
		a.say(errors.New(what + ", and left in the middle; its last step may have been done"))
		a.hint("look with mindreg versions before you try again")
	case errors.Is(err, errNotConfirmed):
		a.say(errors.New(what + "; nothing was purged"))
	case e != nil && e.Op == "save":
		a.say(errors.New(what + "; no version was saved"))
		a.hint("run again, it moves only what it had not moved yet")
	case e != nil && (e.Op == "load" || e.Op == "copy"):
		a.say(errors.New(what))
		a.hint("run again, it goes on where it was")
	default:
		a.say(errors.New(what))
	}
}

// noRegistry helps with a location that has no registry.
func (a *app) noRegistry(location string) {
	mine, err := registry.DefaultURL()
	switch {
	case err == nil && location == mine && onDefault():
		a.hint("the first mindreg save makes it; --registry or $MINDREG_URL names another place")
	case strings.HasPrefix(location, "~"):
		a.hint("the ~ stands as it is, for no shell has replaced it: that would be a directory of this name; give the whole path")
	case !strings.Contains(location, "://"):
		a.hint("if there was one, do not make another: mount its disk, or put the directory back")
	}
}
