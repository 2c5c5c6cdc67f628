package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
)

// Named is one version of a listing. If it comes with an error, Name and Version
// say what the error is about, as far as that is known, and Found is nil.
type Named struct {
	Name    string
	Version manifest.Version
	Found   *Record // without files and placement
}

// EachLatest yields the latest version of each object whose name starts with
// prefix, in the order of their keys, without files and placement. It skips
// objects without a live version. After an error it goes on if the error is an
// *UnreadableError, and ends otherwise.
func (l *Ledger) EachLatest(ctx context.Context, prefix string) iter.Seq2[Named, error] {
	return func(yield func(Named, error) bool) {
		if err := validPrefix(prefix); err != nil {
			yield(Named{}, err)
			return
		}
		names := func(yield func(Listed, error) bool) { l.Objects(ctx, prefix, yield) }
		for res := range Parallel(ctx, names, l.latestOf) {
			if res.Err != nil {
				if !yield(Named{Name: res.In.Name}, res.Err) || !IsUnreadable(res.Err) {
					return
				}
				continue
			}
			if res.Out != nil && !yield(Named{res.Out.Name, res.Out.Version, res.Out}, nil) {
				return
			}
		}
	}
}

// latestOf returns the latest version of a listed object, without files and
// placement. It returns nil if no version is live.
func (l *Ledger) latestOf(ctx context.Context, o Listed) (*Record, error) {
	if o.Err != nil {
		return nil, o.Err
	}
	again := l.allVersions
	if o.partial {
		again = l.HighestVersions
	}
	f, _, err := l.resolveAmong(ctx, Ref{Name: o.Name}, o.versions, !o.partial, again)
	if errors.Is(err, fault.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	brief := *f.Manifest
	brief.Content.Files, brief.Placement = nil, manifest.Placement{}
	return &Record{&brief, f.Stored}, nil
}

// EachVersion yields the live versions of an object, the lowest first, without
// files and placement; if deleted is set, also the deleted and purged versions.
// If it has nothing to yield, it yields an ErrNotFound. After an error it goes
// on if the error is an *UnreadableError, and ends otherwise.
func (l *Ledger) EachVersion(ctx context.Context, name string, deleted bool) iter.Seq2[Named, error] {
	return func(yield func(Named, error) bool) {
		if err := manifest.ValidName(name); err != nil {
			yield(Named{}, err)
			return
		}
		any, none := false, true
		numbers := func(yield func(manifest.Version, error) bool) {
			for v, err := range l.EachNumber(ctx, name) {
				none = false
				if !yield(v, err) {
					return
				}
			}
		}
		read := func(ctx context.Context, v manifest.Version) (*Record, error) { return l.outline(ctx, name, v) }
		for res := range Parallel(ctx, numbers, read) {
			if res.Err != nil {
				if !yield(Named{Name: name, Version: res.In}, res.Err) || !IsUnreadable(res.Err) {
					return
				}
				any = true
				continue
			}
			if res.Out.State != manifest.Live && !deleted {
				continue
			}
			any = true
			if !yield(Named{name, res.Out.Version, res.Out}, nil) {
				return
			}
		}
		if !any {
			err := fmt.Errorf("all its versions were %w", fault.ErrDeleted)
			if none {
				err = errNoName
			}
			yield(Named{}, err)
		}
	}
}
