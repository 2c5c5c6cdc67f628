package registry

import (
	"context"
	"fmt"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

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

// undelete brings a deleted version back.
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
