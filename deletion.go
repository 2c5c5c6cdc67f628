package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// delete has bury do away with each version that s means, and returns those.
// It refuses versions that have tags, unless it is forced.
func (r *Registry) delete(ctx context.Context, s string, force bool, bury func(*found) error) ([]Version, error) {
	check := func(name string, versions ...Version) error {
		if force {
			return nil
		}
		return r.checkTagged(ctx, name, versions)
	}
	ref, err := parseRef(s)
	if err != nil {
		return nil, err
	}
	if ref.Selector == "" {
		return nil, fmt.Errorf("%w: say which version; %s@latest for the latest, '%s@*' for all of them", ErrInvalidRef, ref.Name, ref.Name)
	}
	if ref.kind != selectRange {
		f, err := r.resolve(ctx, ref)
		if err != nil {
			return nil, err
		}
		if err := check(f.Name, f.Version); err != nil {
			return nil, err
		}
		return r.deleteOne(ctx, f, bury)
	}
	all, err := r.numbers(ctx, ref.Name)
	if err != nil {
		return nil, err
	}
	versions := candidates(all, ref)
	if err := check(ref.Name, versions...); err != nil {
		return nil, err
	}
	if r.settings.Unversioned && len(versions) > 0 { // the lower ones go with the higher, and before them
		i, _ := slices.BinarySearchFunc(all, slices.MaxFunc(versions, Version.Compare), Version.Compare)
		versions = all[:i+1]
	}
	var done []Version
	var bad []error
	for _, v := range versions {
		f, err := r.readLive(ctx, ref.Name, v)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if unreadable(err) {
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
		return nil, r.noMatch(ref, all)
	}
	return done, errors.Join(bad...)
}

// deleteOne deletes one version, and in an unversioned registry those below it
// first: otherwise the object would be one of them again.
func (r *Registry) deleteOne(ctx context.Context, f *found, bury func(*found) error) (done []Version, err error) {
	if r.settings.Unversioned {
		below, err := r.liveBelow(ctx, f.Name, f.Version)
		if err != nil {
			return nil, err
		}
		for _, f := range below {
			if err := bury(f); errors.Is(err, ErrConflict) {
				continue // a save has buried it
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
