package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// page is how many keys are listed at once to find the highest version. One
// page holds all versions of most objects, and of the others all versions above
// the milestone.
const page = 128

// highest is how many versions are listed from a store that can list the highest
// keys first. That is one or two directories. It is less than Knobs.Milestone,
// so that no save in that store has to look through enough versions to leave
// a milestone, which would be of no use there.
const highest = 16

// HighestVersions returns the highest versions of an object that have
// a register, live or not, in ascending order. If whole is false, lower versions
// exist too, and the first version returned is a release. It costs one or two
// requests for any number of versions, as long as savers leave milestones.
//
// The versions from a milestone up are listed after the milestone was seen, in
// ascending order. So a version that is committed between the two listings
// cannot hide a higher one: the highest version returned is at least the
// highest that existed when the call began (docs/attacks.md, A7).
//
// A store that can list the highest keys first, such as a directory, is asked
// for those. It needs no milestones.
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

// fromMilestone is HighestVersions for an object that has a milestone at version
// from. It relies on the milestone only if the register of from exists: in
// a copy that is still being made, the milestone may arrive first.
func (l *Ledger) fromMilestone(ctx context.Context, name string, from manifest.Version) (versions []manifest.Version, whole bool, err error) {
	for key, err := range store.Keys(store.Expect(ctx, page), l.Store, manifest.VersionsPrefix(name), before(manifest.VersionKey(name, from))) {
		if err != nil {
			return nil, false, ListingError(err)
		}
		v, err := manifest.VersionOf(name, key)
		if err != nil {
			continue // not a key of a registry; verify reports it
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

// before returns the key after which a listing starts if key is to come first.
func before(key string) string { return strings.TrimSuffix(key, key[len(key)-1:]) }

// maxLooks is how many listings may be out of date before resolving fails. Each
// time, other processes have saved and deleted versions between a listing and
// the reading of a register.
const maxLooks = 100

// ResolveListed resolves a reference that needs a listing: the latest version,
// a range, or a digest. It also returns the listing in which the version that
// it found was the best. For the latest version, that listing is the result of
// HighestVersions.
//
// At some moment of the call, the version returned was the one that ref means.
// The exception is that a better version was undeleted during the call. If
// a listed version turns out to be deleted, it may have been deleted after
// a better one was saved, which this listing does not show. Then the versions
// are listed again. If the second listing shows the same versions, the best
// live version was the best at the moment of that listing.
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

// allVersions is Numbers with the signature of HighestVersions.
func (l *Ledger) allVersions(ctx context.Context, name string) (versions []manifest.Version, whole bool, err error) {
	versions, err = l.Numbers(ctx, name)
	return versions, true, err
}

// resolveAmong is ResolveListed with a listing that exists already. It calls
// list for the next ones.
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
			list = l.allVersions // a lower release, if one exists, is the latest
			versions, whole, err = list(ctx, ref.Name)
			continue
		}
		return f, versions, ferr
	}
	return nil, nil, err
}

// LeaveMilestone puts a milestone at the highest release among v and known, if
// at least Knobs.Milestone versions have to be looked through to find it. known
// are all versions of an object, or those from its last milestone up. All of
// them, and v, have been committed. An error is only logged: nothing but speed
// depends on milestones.
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
	if !highest.IsRelease() || below < l.Knobs.Milestone-1 {
		return // the last milestone is near enough, or only pre-releases are above it
	}
	_, err := l.Store.Put(ctx, manifest.MilestoneKey(name, highest), nil, store.Absent)
	l.Log.DebugContext(ctx, "milestone", "name", name, "version", highest, "error", err) // a refusal means that it exists
}
