package registry

import (
	"context"
	"errors"

	"github.com/mindtrace/registry/internal/commit"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
)

// WithIfLatest saves only if this version is the latest one: what loading the
// name alone loads. Otherwise, also if that changes during the save, the error
// is ErrConflict and nothing is saved.
//
// It takes the next number after what it has seen, and no other: of all savers
// that have seen the same, one wins. Deletions and savers that choose a number
// with WithVersion take part in no such race; they are noticed if they come
// before the commit. A version above this one that was deleted is no
// hindrance.
func WithIfLatest(version string) SaveOption {
	return saveOption(func(o *saveOptions) {
		o.once("WithIfLatest")
		o.expect, o.ifLatest = &commit.Expectation{}, version
	})
}

// WithIfAbsent saves only if the object has no live version. Otherwise it is
// as WithIfLatest.
func WithIfAbsent() SaveOption {
	return saveOption(func(o *saveOptions) {
		o.once("WithIfAbsent")
		o.expect = &commit.Expectation{Absent: true}
	})
}

// Update replaces the latest version of the object name by what change makes
// of it, and returns the new version. If somebody else saves in between, it
// starts over, so that no update is lost among those made with Update or
// WithIfLatest: 16 processes that each add 20 to a counter have added 320.
//
// change gets the latest version and its description; if there is none, the
// zero T and nil. It may be called several times. Its error ends the update.
// The options are those of Save; a WithMaterializer serves the load too.
//
// A TagError, of WithTag, comes with the version.
func Update[T any](ctx context.Context, r *Registry, name string, change func(old T, from *Info) (T, error), opts ...SaveOption) (Version, error) {
	var given saveOptions
	for _, opt := range opts {
		opt.applySave(&given)
	}
	given.once("Update")
	if err := given.check(contradictions...); err != nil { // before change does its work
		return Version{}, wrap(ctx, OpUpdate, name, err)
	}
	for b := ledger.Race(); ; {
		old, from, known, err := loadLatest[T](ctx, r, name, opts)
		if err != nil {
			return Version{}, wrap(ctx, OpUpdate, name, err)
		}
		v, err := change(old, from)
		if err != nil {
			return Version{}, wrap(ctx, OpUpdate, name, err)
		}
		expect := &commit.Expectation{Absent: from == nil, Seen: true, Known: known}
		latest := ""
		if from != nil {
			latest = from.Version.String()
		}
		version, err := r.Save(ctx, name, v, append(opts[:len(opts):len(opts)], saveOption(func(o *saveOptions) {
			o.once("Update")
			o.expect, o.ifLatest = expect, latest
		}))...)
		if !errors.Is(err, commit.ErrNotExpected) {
			return version, err
		}
		if !b.Wait(ctx) {
			return Version{}, wrap(ctx, OpUpdate, name, ctx.Err())
		}
	}
}

// loadLatest loads the latest version, if there is one. It returns its
// description, and the listing in which it was the latest.
func loadLatest[T any](ctx context.Context, r *Registry, name string, opts []SaveOption) (v T, from *Info, known []Version, err error) {
	if err := manifest.ValidName(name); err != nil { // a selector has no place here
		return v, nil, nil, err
	}
	var o loadOptions
	for _, opt := range opts {
		if both, ok := opt.(Option); ok {
			both.applyLoad(&o)
		}
	}
	f, known, err := r.ledger.ResolveListed(ctx, ledger.Ref{Name: name})
	if errors.Is(err, ErrNotFound) {
		return v, nil, known, nil
	}
	if err == nil {
		err = r.ledger.Complete(ctx, f)
	}
	if err != nil {
		return v, nil, nil, err
	}
	obj := newObject(ctx, r, name, f, r.ledger.Reader(f))
	info := obj.Info()
	return v, &info, known, r.materialize(ctx, obj, &v, o)
}
