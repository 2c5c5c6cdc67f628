package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/mindtrace/registry/internal/manifest"
)

// named is one version of a listing. With an error it says what that is about,
// as far as it is known.
type named struct {
	name    string
	version Version
	found   *found
}

// eachLatest yields the latest version of each object whose name starts with
// prefix, in the order of their keys, without files and placement. An error is
// the last, unless it is an *UnreadableError.
func (r *Registry) eachLatest(ctx context.Context, prefix string) iter.Seq2[named, error] {
	return func(yield func(named, error) bool) {
		if err := validPrefix(prefix); err != nil {
			yield(named{}, err)
			return
		}
		names := func(yield func(object, error) bool) { r.objects(ctx, prefix, yield) }
		for res := range parallel(ctx, names, r.latestOf) {
			if res.err != nil {
				if !yield(named{name: res.in.name}, res.err) || !unreadable(res.err) {
					return
				}
				continue
			}
			if res.out != nil && !yield(named{res.out.Name, res.out.Version, res.out}, nil) {
				return
			}
		}
	}
}

// latestOf returns the latest version of a listed object, without files and
// placement; nil if it has none that is live.
func (r *Registry) latestOf(ctx context.Context, o object) (*found, error) {
	if o.err != nil {
		return nil, o.err
	}
	again := r.all
	if o.partial {
		again = r.top
	}
	f, _, err := r.resolveAmong(ctx, xref{Name: o.name}, o.versions, !o.partial, again)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	brief := *f.Manifest
	brief.Content.Files, brief.Placement = nil, manifest.Placement{}
	return &found{&brief, f.info}, nil
}

// eachVersion yields the versions of an object, the lowest first, without
// files and placement: the live ones, or with deleted all that are still known.
// An error is the last, unless it is an *UnreadableError.
func (r *Registry) eachVersion(ctx context.Context, name string, deleted bool) iter.Seq2[named, error] {
	return func(yield func(named, error) bool) {
		if err := manifest.ValidName(name); err != nil {
			yield(named{}, err)
			return
		}
		any, none := false, true
		numbers := func(yield func(Version, error) bool) {
			for v, err := range r.eachNumber(ctx, name) {
				none = false
				if !yield(v, err) {
					return
				}
			}
		}
		read := func(ctx context.Context, v Version) (*found, error) { return r.outline(ctx, name, v) }
		for res := range parallel(ctx, numbers, read) {
			if res.err != nil {
				if !yield(named{name: name, version: res.in}, res.err) || !unreadable(res.err) {
					return
				}
				any = true
				continue
			}
			if res.out.State != manifest.Live && !deleted {
				continue
			}
			any = true
			if !yield(named{name, res.out.Version, res.out}, nil) {
				return
			}
		}
		if !any {
			err := fmt.Errorf("all its versions were %w", ErrDeleted)
			if none {
				err = errNoName
			}
			yield(named{}, err)
		}
	}
}
