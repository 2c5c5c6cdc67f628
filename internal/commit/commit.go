package commit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// Commit creates the version register: the moment at which the version
// exists. evidence is since when its packs have certainly been there, or
// zero if it has none.
func (t *Txn) Commit(ctx context.Context, m *manifest.Manifest, evidence time.Time) (*ledger.Record, error) {
	f, err := t.CommitWith(ctx, m, evidence, func() (store.Info, error) { return t.claim(ctx, m) })
	if err != nil {
		return nil, err
	}
	if t.Ledger.Settings.Unversioned {
		if err := t.Ledger.BuryOlder(ctx, t.Name, m.Version); err != nil {
			// The save stands; the next one buries what is left.
			t.Ledger.Log.WarnContext(ctx, "older versions left", "name", t.Name, "error", err)
		}
	}
	return f, nil
}

// CommitWith is commit with the write of the register as a function.
func (t *Txn) CommitWith(ctx context.Context, m *manifest.Manifest, evidence time.Time, write func() (store.Info, error)) (*ledger.Record, error) {
	window := t.Ledger.Settings.Times.WindowD()
	if !evidence.IsZero() {
		if t.Ledger.Clock.Now().Sub(evidence) > window/2 {
			var err error
			if evidence, err = t.refresh(ctx, m); err != nil {
				return nil, err
			}
		}
		m.NotAfter = evidence.Add(window).UTC()
	}
	info, err := write()
	if err != nil {
		return nil, err
	}
	f := &ledger.Record{Manifest: m, Stored: info}
	if !evidence.IsZero() {
		answered := info.Now
		if answered.IsZero() {
			answered = t.Ledger.Clock.Now()
		}
		// Only an answer in time is proof that no collector has missed the
		// register: the process may have been asleep (attack A22).
		if took := answered.Sub(evidence); took > window-t.Ledger.Settings.Times.MarginD() {
			m.NotAfter = time.Time{} // nothing vouches for its packs, and it may not come back
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ledger.TidyLimit)
			defer cancel()
			if _, err := t.Ledger.Bury(ctx, f); err != nil {
				return nil, fmt.Errorf("%w (%s), and undoing it failed: %w", fault.ErrTooSlow, took, err)
			}
			if err := t.Ledger.DropTags(ctx, t.Name, []manifest.Version{m.Version}); err != nil {
				return nil, fmt.Errorf("%w (%s), it was undone: %w", fault.ErrTooSlow, took, err)
			}
			return nil, fmt.Errorf("%w (%s); it was undone, save again", fault.ErrTooSlow, took)
		}
	}
	return f, nil
}

// claim creates the register under the version asked for, or under the next
// free number.
func (t *Txn) claim(ctx context.Context, m *manifest.Manifest) (store.Info, error) {
	if t.Version != nil {
		m.Version = *t.Version
		info, err := t.create(ctx, m)
		if errors.Is(err, fault.ErrConflict) {
			return info, t.errExists(ctx)
		}
		return info, err
	}
	if t.Expect != nil && !m.NotAfter.IsZero() { // it has put packs, and that took time
		if err := t.Expected(ctx); err != nil {
			return store.Info{}, err
		}
	}
	if err := t.list(ctx); err != nil {
		return store.Info{}, err
	}
	next, err := NextVersion(t.Known)
	if err != nil {
		return store.Info{}, err
	}
	for b := ledger.Race(); ; {
		m.Version = next
		info, err := t.create(ctx, m)
		if !errors.Is(err, fault.ErrConflict) {
			return info, err
		}
		if t.Expect != nil {
			return info, fmt.Errorf("%w: version %s has been saved", ErrNotExpected, next)
		}
		// Somebody else has this number: they were faster, so the one after
		// it is probably free. Every failure is another's success.
		if next, err = next.Next(); err != nil {
			return store.Info{}, err
		}
		if !b.Wait(ctx) {
			return store.Info{}, ctx.Err()
		}
		if b.Tries()%4 == 0 {
			t.Listed = false
			if err := t.list(ctx); err != nil {
				return store.Info{}, err
			}
			listed, err := NextVersion(t.Known)
			if err != nil {
				return store.Info{}, err
			}
			if listed.Compare(next) > 0 {
				next = listed
			}
		}
	}
}

func (t *Txn) create(ctx context.Context, m *manifest.Manifest) (store.Info, error) {
	body, err := m.Encode()
	if err != nil {
		return store.Info{}, err
	}
	t.Ledger.Log.DebugContext(ctx, "committing", "name", m.Name, "version", m.Version, "nonce", m.Nonce)
	return t.Ledger.Write(ctx, manifest.VersionKey(m.Name, m.Version), body, store.Absent, m.Nonce)
}

// NextVersion returns the patch release after the highest release that ever
// was, deleted or not; 1.0.0 if there was none.
func NextVersion(known []manifest.Version) (manifest.Version, error) {
	for i := len(known) - 1; i >= 0; i-- {
		if known[i].IsRelease() {
			return known[i].Next()
		}
	}
	return manifest.Version{Major: 1}, nil
}

// refresh renews the evidence for the packs of a save that has lasted for
// half its window.
func (t *Txn) refresh(ctx context.Context, m *manifest.Manifest) (time.Time, error) {
	vouched := map[string]bool{}
	te, err := t.Ledger.Clock.Fresh(ctx, t.Ledger.Store, 0)
	if err != nil {
		return te, err
	}
	if t.baseRecord != nil { // is it still live, and so its packs still there?
		f, err := t.Ledger.Read(ctx, t.baseRecord.Name, t.baseRecord.Version)
		if err == nil && f.Sound(f.Stored.Modified) {
			for _, p := range t.baseRecord.Packs() {
				vouched[p.Key()] = true
			}
		}
	}
	safe := func(p manifest.Pack) bool { return vouched[p.Key()] }
	if _, err := chunk.Refresh(ctx, t.Config(), m.Content.Files, m.Placement.Packs, safe); err != nil {
		return te, err
	}
	if err := m.Seal(); err != nil { // places may just have changed
		return te, err
	}
	if m.Table != nil { // and eras, which it names
		t.baseRecord = nil
		if _, err := t.storeTable(ctx, m); err != nil {
			return te, err
		}
	}
	return te, nil
}
