package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// Bury turns a live register into a tombstone that still holds the manifest:
// deletion, entry in the trash, and time of death in one request.
func (l *Ledger) Bury(ctx context.Context, f *Record) (*Record, error) {
	m := *f.Manifest
	m.State = manifest.Deleted
	if !f.Sound(f.Stored.Modified) {
		m.NotAfter = time.Time{} // committed too late: no evidence, now or after an Undelete
	}
	g, err := l.Replace(ctx, f, &m)
	if err == nil {
		l.Log.InfoContext(ctx, "deleted", "name", m.Name, "version", m.Version)
	}
	return g, err
}

// Replace writes m over the register f.
func (l *Ledger) Replace(ctx context.Context, f *Record, m *manifest.Manifest) (*Record, error) {
	m.Supersede()
	body, err := m.Encode()
	if err != nil {
		return nil, err
	}
	info, err := l.Write(ctx, manifest.VersionKey(m.Name, m.Version), body, f.Stored.Token, m.Nonce)
	if err != nil {
		return nil, fmt.Errorf("version %s: %w", m.Version, err)
	}
	return &Record{m, info}, nil
}

// Undelete brings a deleted version back.
func (l *Ledger) Undelete(ctx context.Context, s string) error {
	ref, err := ParseRef(s)
	if err != nil {
		return err
	}
	if ref.Kind != ByVersion {
		return fmt.Errorf("%w: undelete takes one version, such as %s@1.0.0", fault.ErrInvalidRef, ref.Name)
	}
	f, err := l.Read(ctx, ref.Name, ref.Version)
	if err != nil {
		return err
	}
	switch f.State {
	case manifest.Live: // brought back by somebody else, perhaps just now
		if !f.Sound(f.Stored.Modified) { // and so late that they are about to undo it
			return fmt.Errorf("version %s was saved or brought back so late that its data may be gone: it %w; save it again", f.Version, fault.ErrTooSlow)
		}
		return store.Flush(ctx, l.Store, manifest.VersionKey(f.Name, f.Version))
	case manifest.Purged:
		return fmt.Errorf("version %s was %w: it was deleted on %s and purged then, or after a week; it cannot be brought back", f.Version, fault.ErrPurged, f.Died.Format(time.DateOnly))
	}
	if f.Late() {
		return fmt.Errorf("version %s was %w because it had been saved too late to be safe: its data may be gone, and it cannot be brought back; save it again", f.Version, fault.ErrDeleted)
	}
	if l.Settings.Unversioned {
		if err := l.isHighest(ctx, f.Name, f.Version); err != nil {
			return err
		}
	}
	now, err := l.Clock.Fresh(ctx, l.Store, time.Minute)
	if err != nil {
		return err
	}
	died, times := f.Stored.Modified, l.Settings.Times
	if age := now.Sub(died); age > times.RetainD() {
		return fmt.Errorf("version %s was %w %s ago; that can be undone for %s only", f.Version, fault.ErrDeleted, age.Round(time.Second), times.RetainD())
	}
	m := *f.Manifest
	m.State = manifest.Live
	if !m.NotAfter.IsZero() {
		m.NotAfter = died.Add(times.RetainD()).UTC()
	}
	g, err := l.Replace(ctx, f, &m)
	if err != nil {
		return err
	}
	if !m.NotAfter.IsZero() && !g.Sound(g.Stored.Modified) {
		// We were held up after the look at the clock, and garbage collection
		// may have given the packs up.
		if _, err := l.Bury(ctx, g); err != nil {
			return fmt.Errorf("%w, and undoing it failed: %w", fault.ErrTooSlow, err)
		}
		return fmt.Errorf("version %s was %w more than %s ago; that cannot be undone any more", f.Version, fault.ErrDeleted, times.RetainD())
	}
	if l.Settings.Unversioned {
		if err := l.isHighestStill(ctx, g); err != nil {
			return err
		}
	}
	l.Log.InfoContext(ctx, "undeleted", "name", m.Name, "version", m.Version)
	return nil
}
