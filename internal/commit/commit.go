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

// Commit creates the version's register. From that moment the version exists.
// m.Version is set to its number. evidence is the store's time since when all
// packs of m have certainly existed; zero if m has no packs.
//
// Errors: ErrExists if the number asked for is taken, ErrNotExpected, ErrTooSlow
// if the save took so long that its packs may have been collected; it is undone
// then. ErrOutcomeUnknown.
func (t *Txn) Commit(ctx context.Context, m *manifest.Manifest, evidence time.Time) (*ledger.Record, error) {
	f, err := t.CommitWith(ctx, m, evidence, func() (store.Info, error) { return t.claim(ctx, m) })
	if err != nil {
		return nil, err
	}
	if t.Ledger.Settings.Unversioned {
		if err := t.Ledger.BuryOlder(ctx, t.Name, m.Version); err != nil {
			// The save has succeeded; the next one deletes what is left.
			t.Ledger.Log.WarnContext(ctx, "older versions left", "name", t.Name, "error", err)
		}
	}
	return f, nil
}

// CommitWith is Commit with write in place of the creation of the register, and
// without the deletion of older versions in an unversioned registry.
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
		// The process may have been asleep before the write. Only an answer
		// that comes in time proves that no collection has missed the
		// register (docs/attacks.md, A22).
		if took := answered.Sub(evidence); took > window-t.Ledger.Settings.Times.MarginD() {
			m.NotAfter = time.Time{} // it is no evidence for its packs, and cannot be undeleted
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

// claim creates the register under the number asked for, or under the next free
// one. It is safe that many savers do so at the same time: only one create of
// a key succeeds.
func (t *Txn) claim(ctx context.Context, m *manifest.Manifest) (store.Info, error) {
	if t.Version != nil {
		m.Version = *t.Version
		info, err := t.create(ctx, m)
		if errors.Is(err, fault.ErrConflict) {
			return info, t.errExists(ctx)
		}
		return info, err
	}
	if t.Expect != nil && !m.NotAfter.IsZero() { // the transaction has put packs, which took time
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
		// Another saver was faster and has this number, so the next one is
		// probably free. Each refusal is the success of another saver.
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

// create creates the register of m.Version. ErrConflict: it exists.
func (t *Txn) create(ctx context.Context, m *manifest.Manifest) (store.Info, error) {
	body, err := m.Encode()
	if err != nil {
		return store.Info{}, err
	}
	t.Ledger.Log.DebugContext(ctx, "committing", "name", m.Name, "version", m.Version, "nonce", m.Nonce)
	return t.Ledger.Write(ctx, manifest.VersionKey(m.Name, m.Version), body, store.Absent, m.Nonce)
}

// NextVersion returns the patch release after the highest release in known,
// which are the versions that have a register, in ascending order: live, deleted
// or purged, since a number is never used again. It is 1.0.0 without a release.
func NextVersion(known []manifest.Version) (manifest.Version, error) {
	for i := len(known) - 1; i >= 0; i-- {
		if known[i].IsRelease() {
			return known[i].Next()
		}
	}
	return manifest.Version{Major: 1}, nil
}

// refresh renews the evidence of a save that has used up half its window: it
// makes sure that each pack still exists, or puts it again. It returns the new
// evidence.
func (t *Txn) refresh(ctx context.Context, m *manifest.Manifest) (time.Time, error) {
	vouched := map[string]bool{} // keys of packs for which the base is evidence
	te, err := t.Ledger.Clock.Fresh(ctx, t.Ledger.Store, 0)
	if err != nil {
		return te, err
	}
	if t.baseRecord != nil { // if it is still live, its packs exist
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
	if err := m.Seal(); err != nil { // the places of chunks may have changed
		return te, err
	}
	if m.Table != nil { // the table names the packs, and so their eras
		t.baseRecord = nil
		if _, err := t.storeTable(ctx, m); err != nil {
			return te, err
		}
	}
	return te, nil
}
