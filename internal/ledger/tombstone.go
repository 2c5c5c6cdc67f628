package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// Bury turns the live register f into a tombstone, which still holds the
// manifest. One request deletes the version and keeps what an undelete needs;
// the store's date of it is the time of the deletion. It returns the tombstone.
// If the register has changed since f was read, the error is ErrConflict.
func (l *Ledger) Bury(ctx context.Context, f *Record) (*Record, error) {
	m := *f.Manifest
	m.State = manifest.Deleted
	if !f.Sound(f.Stored.Modified) {
		m.NotAfter = time.Time{} // committed too late: it is no evidence for its packs, also after an undelete
	}
	g, err := l.Replace(ctx, f, &m)
	if err == nil {
		l.Log.InfoContext(ctx, "deleted", "name", m.Name, "version", m.Version)
	}
	return g, err
}

// Replace replaces the state f of a version's register by m, with a new nonce. If
// the register has changed since f was read, the error is ErrConflict.
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

// Undelete makes the deleted version that the reference s names live again, and
// returns it. If it is live already, that is success. With dry it changes nothing,
// and says whether an undelete is possible. Errors: ErrInvalidRef, ErrNotFound,
// ErrPurged, ErrTooSlow, ErrDeleted if it was deleted too long ago, ErrConflict
// if an unversioned object has been saved again since.
func (l *Ledger) Undelete(ctx context.Context, s string, dry bool) (*Record, error) {
	ref, err := ParseRef(s)
	if err != nil {
		return nil, err
	}
	if ref.Kind != ByVersion {
		return nil, fmt.Errorf("%w: undelete takes one version, such as %s@1.0.0", fault.ErrInvalidRef, ref.Name)
	}
	f, err := l.Read(ctx, ref.Name, ref.Version)
	if err != nil {
		return nil, err
	}
	switch f.State {
	case manifest.Live: // perhaps undeleted by another process, just now
		if !f.Sound(f.Stored.Modified) { // too late, so the other process is about to undo it
			return nil, fmt.Errorf("version %s was saved or brought back so late that its data may be gone: it %w; save it again", f.Version, fault.ErrTooSlow)
		}
		if dry {
			return f, nil
		}
		return f, store.Flush(ctx, l.Store, manifest.VersionKey(f.Name, f.Version))
	case manifest.Purged:
		return nil, fmt.Errorf("version %s was %w: it was deleted on %s and has been purged since; it cannot be brought back", f.Version, fault.ErrPurged, f.Died.Format(time.DateOnly))
	}
	if f.Late() {
		return nil, fmt.Errorf("version %s was %w because it had been saved too late to be safe: its data may be gone, and it cannot be brought back; save it again", f.Version, fault.ErrDeleted)
	}
	if l.Settings.Unversioned {
		if err := l.isHighest(ctx, f.Name, f.Version); err != nil {
			return nil, err
		}
	}
	now, err := l.Clock.Fresh(ctx, l.Store, time.Minute)
	if err != nil {
		return nil, err
	}
	died, times := f.Stored.Modified, l.Settings.Times
	if age := now.Sub(died); age > times.RetainD() {
		return nil, fmt.Errorf("version %s was %w %s ago; that can be undone for %s only", f.Version, fault.ErrDeleted, age.Round(time.Second), times.RetainD())
	}
	if dry {
		return f, nil
	}
	m := *f.Manifest
	m.State = manifest.Live
	if !m.NotAfter.IsZero() {
		m.NotAfter = died.Add(times.RetainD()).UTC()
	}
	g, err := l.Replace(ctx, f, &m)
	if err != nil {
		return nil, err
	}
	if !m.NotAfter.IsZero() && !g.Sound(g.Stored.Modified) {
		// This process was held up after it read the clock, and a collection may
		// have freed the packs. So undo it.
		if _, err := l.Bury(ctx, g); err != nil {
			return nil, fmt.Errorf("%w, and undoing it failed: %w", fault.ErrTooSlow, err)
		}
		return nil, fmt.Errorf("version %s was %w more than %s ago; that cannot be undone any more", f.Version, fault.ErrDeleted, times.RetainD())
	}
	if l.Settings.Unversioned {
		if err := l.isHighestStill(ctx, g); err != nil {
			return nil, err
		}
	}
	l.Log.InfoContext(ctx, "undeleted", "name", m.Name, "version", m.Version)
	return g, nil
}
