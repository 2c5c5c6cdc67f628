package registry

import (
	"context"
	"errors"

	"github.com/mindtrace/registry/internal/commit"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
)

// WithIfLatest saves only if version is the latest one: the one that the name alone
// means. Otherwise the error is ErrConflict and nothing is saved, also if the latest
// version changes during the save.
//
// The save uses exactly the number that follows the versions it has seen. So of all
// conditional saves that have seen the same versions, one succeeds. Deletes and
// saves with WithVersion do not compete for that number; the save notices them if
// they are done before it commits. A deleted version above version does not matter.
func WithIfLatest(version string) SaveOption {
	return saveOption(func(o *saveOptions) {
		o.once("WithIfLatest")
		o.expect, o.ifLatest = &commit.Expectation{}, version
	})
}

// WithIfAbsent saves only if the object has no live version. Otherwise the error is
// ErrConflict and nothing is saved, as with WithIfLatest.
func WithIfAbsent() SaveOption {
	return saveOption(func(o *saveOptions) {
		o.once("WithIfAbsent")
		o.expect = &commit.Expectation{Absent: true}
	})
}

// Update loads the latest version of an object, calls change, saves the result as a
// new version, and returns that version. If another version is saved meanwhile,
// Update starts again. So no update is lost among those with Update or
// WithIfLatest: after 16 processes have each added 20 to a counter, it is 320.
//
// change gets the latest value and its description, or the zero T and nil if the
// object has no live version. It may be called several times. If it fails, Update
// returns its error. opts are options of Save; WithMaterializer is used for the
// load, too. Update chooses the number and the condition of the save itself:
// WithVersion, WithIfLatest and WithIfAbsent are refused.
//
// Errors: those of Load, of change and of Save. With a *TagError there is a version.
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
		var old T
		var from *Info
		var known []Version
		err := r.sharing(ctx, name, func(ctx context.Context) (err error) {
			old, from, known, err = loadLatest[T](ctx, r, name, opts)
			return err
		})
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
	if err := manifest.ValidName(name); err != nil { // a name alone, without a selector
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
