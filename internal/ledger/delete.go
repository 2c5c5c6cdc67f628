package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
)

// Delete calls bury for each live version that the reference s means, and
// returns the versions that were deleted, also with an error. Unless force is
// set, it refuses versions that have tags, before it changes anything.
//
// Errors: ErrInvalidRef, ErrNotFound, ErrTagged. A version of a range that
// cannot be read is left, and its UnreadableError returned after all others
// have been deleted.
func (l *Ledger) Delete(ctx context.Context, s string, force bool, bury func(*Record) error) ([]manifest.Version, error) {
	check := func(name string, versions ...manifest.Version) error {
		if force {
			return nil
		}
		return l.CheckTagged(ctx, name, versions)
	}
	ref, err := ParseRef(s)
	if err != nil {
		return nil, err
	}
	if ref.Selector == "" {
		return nil, fmt.Errorf("%w: say which version; %s@latest for the latest, '%s@*' for all of them", fault.ErrInvalidRef, ref.Name, ref.Name)
	}
	if ref.Kind != ByRange {
		f, err := l.Resolve(ctx, ref)
		if err != nil {
			return nil, err
		}
		if err := check(f.Name, f.Version); err != nil {
			return nil, err
		}
		return l.deleteOne(ctx, f, bury)
	}
	all, err := l.Numbers(ctx, ref.Name)
	if err != nil {
		return nil, err
	}
	versions := Candidates(all, ref)
	if err := check(ref.Name, versions...); err != nil {
		return nil, err
	}
	if l.Settings.Unversioned && len(versions) > 0 { // delete all lower versions too, the lowest first: see LiveBelow
		i, _ := slices.BinarySearchFunc(all, slices.MaxFunc(versions, manifest.Version.Compare), manifest.Version.Compare)
		versions = all[:i+1]
	}
	var done []manifest.Version
	var bad []error
	for _, v := range versions {
		f, err := l.ReadLive(ctx, ref.Name, v)
		if errors.Is(err, fault.ErrNotFound) {
			continue
		}
		if IsUnreadable(err) {
			bad = append(bad, fmt.Errorf("version %s: %w", v, err))
			continue
		}
		if err == nil {
			err = bury(f)
		}
		if err != nil {
			return done, errors.Join(append(bad, err)...)
		}
		done = append(done, v)
	}
	if len(done) == 0 && len(bad) == 0 {
		return nil, l.NoMatch(ref, all)
	}
	return done, errors.Join(bad...)
}

// deleteOne deletes one version. In an unversioned registry it first deletes
// the live versions below it: otherwise one of them would be the object again.
func (l *Ledger) deleteOne(ctx context.Context, f *Record, bury func(*Record) error) (done []manifest.Version, err error) {
	if l.Settings.Unversioned {
		below, err := l.LiveBelow(ctx, f.Name, f.Version)
		if err != nil {
			return nil, err
		}
		for _, f := range below {
			if err := bury(f); errors.Is(err, fault.ErrConflict) {
				continue // a save has deleted it
			} else if err != nil {
				return done, err
			}
			done = append(done, f.Version)
		}
	}
	if err := bury(f); err != nil {
		return done, err
	}
	return append(done, f.Version), nil
}
