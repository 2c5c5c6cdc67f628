package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
)

// This file is the policy of unversioned registries.
//
// In an unversioned registry every save creates the next version and then
// deletes the versions below it. The highest version is the object: if it is
// live, the object exists; if it is a tombstone, the object is deleted. One kind
// of tombstone does not count, and the next lower version decides: that of
// a version whose own saver deleted it because it was committed too late.
//
// Numbers have no gaps, since a saver that creates a version has seen the one
// below it. Savers and Delete delete the lowest version first. So below
// a tombstone that counts, all versions are tombstones. To find the live
// versions, it is enough to walk down to the first of these: one request
// for each save, however many versions there have been.
//
// The exception is an Undelete that is killed between its two steps, or whose
// request lands late. It leaves a live version below a tombstone. That version
// is never the latest, and the next Prune deletes it.

// Late reports whether f is the tombstone of a version that was committed too
// late. It is no evidence for its packs, which may be gone.
func (f *Record) Late() bool {
	return f.State == manifest.Deleted && f.NotAfter.IsZero() && len(f.Packs()) > 0
}

// Decides reports whether f decides alone what the latest version is, whatever the
// versions below it are: it is live, or it is a tombstone of an unversioned
// registry that counts.
func (l *Ledger) Decides(f *Record) bool {
	return f.State == manifest.Live || l.Settings.Unversioned && !f.Late()
}

// LiveBelow returns the live versions below v in an unversioned registry, the
// lowest first.
func (l *Ledger) LiveBelow(ctx context.Context, name string, v manifest.Version) ([]*Record, error) {
	var live []*Record
	for v.Patch > 0 {
		v.Patch--
		f, err := l.Read(ctx, name, v)
		switch {
		case isPermanent(err):
			continue // the versions below it can still be read
		case err != nil:
			return nil, err
		case f.State == manifest.Live:
			live = append(live, f)
		case l.Decides(f):
			v.Patch = 0
		}
	}
	slices.Reverse(live)
	return live, nil
}

// TidyLimit is for how long an operation may go on after its context has ended,
// to delete or undo what it must not leave. What a save leaves, the next save
// deletes.
const TidyLimit = 15 * time.Second

// BuryOlder deletes the live versions below v in an unversioned registry. It goes
// on for TidyLimit after ctx has ended: otherwise versions would pile up where
// the contexts of savers are short.
func (l *Ledger) BuryOlder(ctx context.Context, name string, v manifest.Version) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), TidyLimit)
	defer cancel()
	live, err := l.LiveBelow(ctx, name, v)
	if err != nil {
		return err
	}
	for _, f := range live {
		if _, err := l.Bury(ctx, f); err != nil && !errors.Is(err, fault.ErrConflict) {
			return err // after a conflict, another save has deleted it
		}
	}
	return nil
}

// isHighest returns an ErrConflict if a higher version of an unversioned registry
// has replaced v, so that v must not be undeleted.
func (l *Ledger) isHighest(ctx context.Context, name string, v manifest.Version) error {
	highest, _, err := l.HighestVersions(ctx, name)
	if err != nil {
		return err
	}
	for _, above := range slices.Backward(highest) {
		if above.Compare(v) <= 0 {
			return nil
		}
		f, err := l.Read(ctx, name, above)
		if err != nil {
			return err
		}
		if l.Decides(f) {
			return fmt.Errorf("%w: the object has been saved again since, as %s", fault.ErrConflict, above)
		}
	}
	return nil
}

// isHighestStill is isHighest after f was undeleted. If f has been replaced, it
// deletes f again. An undelete and a save both write first and read second, so
// one of them sees the other.
func (l *Ledger) isHighestStill(ctx context.Context, f *Record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), TidyLimit)
	defer cancel()
	err := l.isHighest(ctx, f.Name, f.Version)
	if !errors.Is(err, fault.ErrConflict) {
		return err
	}
	if _, berr := l.Bury(ctx, f); berr != nil && !errors.Is(berr, fault.ErrConflict) {
		return fmt.Errorf("%w, and undoing it failed: %w", err, berr)
	}
	return err // a conflict means that the other save has deleted it
}
