package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// page is how many keys a look for the highest version takes in at once: all
// versions of most objects, and what lies above the milestone of the others.
const page = 128

// highest is how many versions to look at where the highest can be asked for:
// those of one directory or two, and fewer than those after which a save leaves
// a milestone, which nobody needs there.
const highest = 16

// Top returns the highest versions of an object that have a register, in
// ascending order, whatever their state. If whole is false, there are lower
// ones too, and the first of those returned is a release. However many
// versions there are, it costs one request or two, as long as savers leave
// milestones.
//
// The versions from a milestone up are listed after the milestone was seen, in
// ascending order. So the highest of them is at least the highest that there
// was when this began (attack A7), whatever is committed between the
// two listings.
//
// Of a directory the highest are asked for, and no milestone is looked at.
func (l *Ledger) HighestVersions(ctx context.Context, name string) (versions []manifest.Version, whole bool, err error) {
	expect, n := store.Expect(ctx, page), 0
	_, picks := store.As[store.Picker](l.Store)
	if picks {
		expect = store.Highest(expect, highest)
	}
	for key, err := range store.Keys(expect, l.Store, manifest.VersionsPrefix(name), "") {
		if err != nil {
			return nil, false, ListingError(err)
		}
		n++
		if v, err := manifest.VersionOf(name, key); err == nil {
			versions = append(versions, v)
		} else if _, v, err := manifest.ParseMilestoneKey(key); err == nil && !picks {
			return l.fromMilestone(ctx, name, v)
		}
	}
	if !picks || n < highest {
		return versions, true, nil
	}
	if i := slices.IndexFunc(versions, manifest.Version.IsRelease); i >= 0 {
		return versions[i:], false, nil
	}
	versions, err = l.Numbers(ctx, name)
	return versions, true, err
}

// above is top for an object with a milestone. A milestone is believed only
// if there is the register that it speaks of: in a mirror that is still being
// filled it may come first.
func (l *Ledger) fromMilestone(ctx context.Context, name string, from manifest.Version) (versions []manifest.Version, whole bool, err error) {
	for key, err := range store.Keys(store.Expect(ctx, page), l.Store, manifest.VersionsPrefix(name), before(manifest.VersionKey(name, from))) {
		if err != nil {
			return nil, false, ListingError(err)
		}
		v, err := manifest.VersionOf(name, key)
		if err != nil {
			continue // not ours; verify tells
		}
		if len(versions) == 0 && v != from {
			break
		}
		versions = append(versions, v)
	}
	if len(versions) > 0 {
		return versions, false, nil
	}
	versions, err = l.Numbers(ctx, name)
	return versions, true, err
}

// before returns where a listing has to start to begin with this key.
func before(key string) string { return strings.TrimSuffix(key, key[len(key)-1:]) }

// maxLooks is how often a listing may be out of date before we say so: each
// time, others have saved and deleted versions while one was read.
const maxLooks = 100

// ResolveListed is resolve for what takes a listing. It returns the listing,
// too, in which what it found was the best: of the latest, that of top.
//
// What it returns was what ref means at some moment while it ran, unless
// a better version was undeleted meanwhile. A version of the listing that turns
// out to be deleted may have been deleted after another was saved, which the
// listing does not show: then a second listing does. If it shows nothing new,
// the best of those that are live is the best there was when it was read.
func (l *Ledger) ResolveListed(ctx context.Context, ref Ref) (*Record, []manifest.Version, error) {
	list := l.allVersions
	if ref.Kind == ByLatest {
		list = l.HighestVersions
	}
	versions, whole, err := list(ctx, ref.Name)
	if err != nil {
		return nil, nil, err
	}
	return l.resolveAmong(ctx, ref, versions, whole, list)
}

// all is numbers in the form of top.
func (l *Ledger) allVersions(ctx context.Context, name string) (versions []manifest.Version, whole bool, err error) {
	versions, err = l.Numbers(ctx, name)
	return versions, true, err
}

// resolveAmong is resolveListed once there is a listing. list makes others.
func (l *Ledger) resolveAmong(
	ctx context.Context, ref Ref, versions []manifest.Version, whole bool, list func(context.Context, string) ([]manifest.Version, bool, error),
) (_ *Record, _ []manifest.Version, err error) {
	for looks := 0; err == nil; looks++ {
		if looks == maxLooks {
			return nil, nil, fmt.Errorf("%w: versions are saved and deleted faster than they can be read", fault.ErrConflict)
		}
		f, passed, ferr := l.Best(ctx, ref, versions)
		if passed {
			last := versions
			if versions, whole, err = list(ctx, ref.Name); err != nil {
				break
			}
			if !slices.Equal(versions, last) {
				continue
			}
		}
		if !whole && (errors.Is(ferr, fault.ErrNotFound) || ferr == nil && !f.Version.IsRelease()) {
			list = l.allVersions // a lower release is the latest, if there is one
			versions, whole, err = list(ctx, ref.Name)
			continue
		}
		return f, versions, ferr
	}
	return nil, nil, err
}

// LeaveMilestone leaves a milestone at the highest release among v and known,
// if that is far above the lowest. known are all versions of an object, or
// those from its last milestone up. All of them have been committed.
func (l *Ledger) LeaveMilestone(ctx context.Context, name string, known []manifest.Version, v manifest.Version) {
	highest, below := v, 0
	for i, k := range known {
		if k.IsRelease() && (!highest.IsRelease() || k.Compare(highest) >= 0) {
			highest, below = k, i
		}
	}
	if highest == v {
		below, _ = slices.BinarySearchFunc(known, v, manifest.Version.Compare)
	}
	if !highest.IsRelease() || below < knob.Milestone-1 {
		return // the milestone before is near enough; above it there are pre-releases
	}
	_, err := l.Store.Put(ctx, manifest.MilestoneKey(name, highest), nil, store.Absent)
	l.Log.DebugContext(ctx, "milestone", "name", name, "version", highest, "error", err) // refused: it is there
}
