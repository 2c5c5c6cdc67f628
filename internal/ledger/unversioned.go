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

// In an unversioned registry every save creates the next version and deletes
// those below it, and an object is what its highest version is: there if that
// is live, deleted if that is a tombstone. A tombstone that a save has made of
// its own version, because it was committed too late, does not count: the
// object is what it was without it.
//
// Versions are numbered without gaps, since whoever creates one has seen the
// one below it, and they are deleted from the lowest up, by savers and by
// Delete. So below a tombstone that counts there are only tombstones, and
// walking down to the first of these finds all that is live: one request a
// save, however many there have been. The exception is an Undelete that dies
// between its two steps, or whose request lands late; what it has brought back
// is below a tombstone, nobody's latest, and goes with the next Prune.

// Late reports whether a tombstone is that of a version which was committed
// too late: nothing vouches for its packs.
func (f *Record) Late() bool {
	return f.State == manifest.Deleted && f.NotAfter.IsZero() && len(f.Packs()) > 0
}

// Settles reports whether f says what the object is, whatever is below it.
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
			continue // it says nothing of those below it
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

// TidyLimit is how long a save may go on, once it is done, to delete the
// versions below it. What is left, the next save deletes.
const TidyLimit = 15 * time.Second

// BuryOlder deletes the versions below v in an unversioned registry, also when
// ctx ends: otherwise they would pile up where savers have little time.
func (l *Ledger) BuryOlder(ctx context.Context, name string, v manifest.Version) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), TidyLimit)
	defer cancel()
	live, err := l.LiveBelow(ctx, name, v)
	if err != nil {
		return err
	}
	for _, f := range live {
		if _, err := l.Bury(ctx, f); err != nil && !errors.Is(err, fault.ErrConflict) {
			return err // a conflict: another save has buried it
		}
	}
	return nil
}

// isHighest refuses to bring back a version of an unversioned registry that
// another has replaced.
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

// isHighestStill is isHighest after v was brought back: a save that did not
// see it yet has been seen, one that comes now sees it. Both write, then look.
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
	return err // of the bury: the other save has done it
}
