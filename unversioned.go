package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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

// late reports whether a tombstone is that of a version which was committed
// too late: nothing vouches for its packs.
func (f *found) late() bool {
	return f.State == manifest.Deleted && f.NotAfter.IsZero() && len(f.Packs()) > 0
}

// settles reports whether f says what the object is, whatever is below it.
func (r *Registry) settles(f *found) bool {
	return f.State == manifest.Live || r.settings.Unversioned && !f.late()
}

// liveBelow returns the live versions below v in an unversioned registry, the
// lowest first.
func (r *Registry) liveBelow(ctx context.Context, name string, v Version) ([]*found, error) {
	var live []*found
	for v.Patch > 0 {
		v.Patch--
		f, err := r.read(ctx, name, v)
		switch {
		case hopeless(err):
			continue // it says nothing of those below it
		case err != nil:
			return nil, err
		case f.State == manifest.Live:
			live = append(live, f)
		case r.settles(f):
			v.Patch = 0
		}
	}
	slices.Reverse(live)
	return live, nil
}

// tidyLimit is how long a save may go on, once it is done, to delete the
// versions below it. What is left, the next save deletes.
const tidyLimit = 15 * time.Second

// buryOlder deletes the versions below v in an unversioned registry, also when
// ctx ends: otherwise they would pile up where savers have little time.
func (r *Registry) buryOlder(ctx context.Context, name string, v Version) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyLimit)
	defer cancel()
	live, err := r.liveBelow(ctx, name, v)
	if err != nil {
		return err
	}
	for _, f := range live {
		if _, err := r.bury(ctx, f); err != nil && !errors.Is(err, ErrConflict) {
			return err // a conflict: another save has buried it
		}
	}
	return nil
}

// isHighest refuses to bring back a version of an unversioned registry that
// another has replaced.
func (r *Registry) isHighest(ctx context.Context, name string, v Version) error {
	highest, _, err := r.top(ctx, name)
	if err != nil {
		return err
	}
	for _, above := range slices.Backward(highest) {
		if above.Compare(v) <= 0 {
			return nil
		}
		f, err := r.read(ctx, name, above)
		if err != nil {
			return err
		}
		if r.settles(f) {
			return fmt.Errorf("%w: the object has been saved again since, as %s", ErrConflict, above)
		}
	}
	return nil
}

// isHighestStill is isHighest after v was brought back: a save that did not
// see it yet has been seen, one that comes now sees it. Both write, then look.
func (r *Registry) isHighestStill(ctx context.Context, f *found) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyLimit)
	defer cancel()
	err := r.isHighest(ctx, f.Name, f.Version)
	if !errors.Is(err, ErrConflict) {
		return err
	}
	if _, berr := r.bury(ctx, f); berr != nil && !errors.Is(berr, ErrConflict) {
		return fmt.Errorf("%w, and undoing it failed: %w", err, berr)
	}
	return err // of the bury: the other save has done it
}
