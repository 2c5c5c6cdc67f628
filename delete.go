package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// Delete deletes the versions that ref means: one version
// ("my:model@1.2.3", "my:model@latest"), or all in a range ("my:model@<2",
// "my:model@*"). A name alone is refused. It returns the versions deleted,
// also when it fails half-way.
//
// A version in a range whose register is damaged, or of a newer format, is left
// alone, and the others are deleted; the error, which is ErrIntegrity or
// ErrNewer, names it. In an unversioned registry older versions that a save
// has left behind are deleted too.
//
// A deleted version can be brought back with Undelete for a week. Its number
// is never used again. Its data is freed by garbage collection, some time
// later.
//
// If one of the versions has a tag, nothing is deleted and the error is
// ErrTagged, unless WithForce is given: then the tags are removed. So is a tag
// that is set at the same moment. Undelete does not bring tags back.
func (r *Registry) Delete(ctx context.Context, ref string, opts ...DeleteOption) ([]Version, error) {
	ctx = store.Freeing(ctx)
	var name string
	var tried []Version
	done, err := r.delete(ctx, ref, opts, func(f *found) error {
		name, tried = f.Name, append(tried, f.Version)
		_, err := r.bury(ctx, f)
		return err
	})
	if derr := r.dropTags(ctx, name, tried); derr != nil {
		err = errors.Join(err, derr)
	}
	return done, wrap(ctx, "delete", ref, err)
}

// WouldDelete returns what Delete would delete.
func (r *Registry) WouldDelete(ctx context.Context, ref string, opts ...DeleteOption) ([]Version, error) {
	found, err := r.delete(ctx, ref, opts, func(*found) error { return nil })
	return found, wrap(ctx, "delete", ref, err)
}

// DeleteOption adjusts one Delete or WouldDelete.
type DeleteOption interface{ applyDelete(*deleteOptions) }

type deleteOptions struct{ force bool }

type deleteOption func(*deleteOptions)

func (f deleteOption) applyDelete(o *deleteOptions) { f(o) }

// WithForce deletes versions that have tags too, and removes the tags.
func WithForce() DeleteOption {
	return deleteOption(func(o *deleteOptions) { o.force = true })
}

func (r *Registry) delete(ctx context.Context, s string, opts []DeleteOption, bury func(*found) error) ([]Version, error) {
	var o deleteOptions
	for _, opt := range opts {
		opt.applyDelete(&o)
	}
	check := func(name string, versions ...Version) error {
		if o.force {
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

// bury turns a live register into a tombstone that still holds the manifest:
// deletion, entry in the trash, and time of death in one request.
func (r *Registry) bury(ctx context.Context, f *found) (*found, error) {
	m := *f.Manifest
	m.State = manifest.Deleted
	if !f.Sound(f.info.Modified) {
		m.NotAfter = time.Time{} // committed too late: no evidence, now or after an Undelete
	}
	g, err := r.replace(ctx, f, &m)
	if err == nil {
		r.log.InfoContext(ctx, "deleted", "name", m.Name, "version", m.Version)
	}
	return g, err
}

// replace writes m over the register f.
func (r *Registry) replace(ctx context.Context, f *found, m *manifest.Manifest) (*found, error) {
	m.Succeed()
	body, err := m.Encode()
	if err != nil {
		return nil, err
	}
	info, err := r.write(ctx, manifest.VersionKey(m.Name, m.Version), body, f.info.Token, m.Nonce)
	if err != nil {
		return nil, fmt.Errorf("version %s: %w", m.Version, err)
	}
	return &found{m, info}, nil
}

// Undelete brings a deleted version back. It takes an exact version, and works
// for a week after the deletion. In an unversioned registry only the highest
// version can come back. One whose save failed with ErrTooSlow cannot; one that
// is live still, though saved or brought back too late, is ErrTooSlow itself.
func (r *Registry) Undelete(ctx context.Context, ref string) error {
	return wrap(ctx, "undelete", ref, r.undelete(ctx, ref))
}

func (r *Registry) undelete(ctx context.Context, s string) error {
	ref, err := parseRef(s)
	if err != nil {
		return err
	}
	if ref.kind != selectVersion {
		return fmt.Errorf("%w: undelete takes one version, such as %s@1.0.0", ErrInvalidRef, ref.Name)
	}
	f, err := r.read(ctx, ref.Name, ref.version)
	if err != nil {
		return err
	}
	switch f.State {
	case manifest.Live: // brought back by somebody else, perhaps just now
		if !f.Sound(f.info.Modified) { // and so late that they are about to undo it
			return fmt.Errorf("version %s was saved or brought back so late that its data may be gone: it %w; save it again", f.Version, ErrTooSlow)
		}
		return store.Flush(ctx, r.st, manifest.VersionKey(f.Name, f.Version))
	case manifest.Purged:
		return fmt.Errorf("version %s was %w: it was deleted on %s and purged then, or after a week; it cannot be brought back", f.Version, ErrPurged, f.Died.Format(time.DateOnly))
	}
	if f.late() {
		return fmt.Errorf("version %s was %w because it had been saved too late to be safe: its data may be gone, and it cannot be brought back; save it again", f.Version, ErrDeleted)
	}
	if r.settings.Unversioned {
		if err := r.isHighest(ctx, f.Name, f.Version); err != nil {
			return err
		}
	}
	now, err := r.clock.Fresh(ctx, r.st, time.Minute)
	if err != nil {
		return err
	}
	died, times := f.info.Modified, r.settings.Times
	if age := now.Sub(died); age > times.RetainD() {
		return fmt.Errorf("version %s was %w %s ago; that can be undone for %s only", f.Version, ErrDeleted, age.Round(time.Second), times.RetainD())
	}
	m := *f.Manifest
	m.State = manifest.Live
	if !m.NotAfter.IsZero() {
		m.NotAfter = died.Add(times.RetainD()).UTC()
	}
	g, err := r.replace(ctx, f, &m)
	if err != nil {
		return err
	}
	if !m.NotAfter.IsZero() && !g.Sound(g.info.Modified) {
		// We were held up after the look at the clock, and garbage collection
		// may have given the packs up.
		if _, err := r.bury(ctx, g); err != nil {
			return fmt.Errorf("%w, and undoing it failed: %w", ErrTooSlow, err)
		}
		return fmt.Errorf("version %s was %w more than %s ago; that cannot be undone any more", f.Version, ErrDeleted, times.RetainD())
	}
	if r.settings.Unversioned {
		if err := r.isHighestStill(ctx, g); err != nil {
			return err
		}
	}
	r.log.InfoContext(ctx, "undeleted", "name", m.Name, "version", m.Version)
	return nil
}
