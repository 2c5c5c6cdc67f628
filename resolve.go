package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// found is a version register as it was read.
type found struct {
	*manifest.Manifest
	info store.Info
}

// numbers returns the versions of an object that have a register, in
// ascending order, whatever their state. It costs one request a thousand
// versions.
func (r *Registry) numbers(ctx context.Context, name string) ([]Version, error) {
	var all []Version
	for v, err := range r.eachNumber(ctx, name) {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// eachNumber yields what numbers returns. An error is the last, unless it is an
// *UnreadableError: then the versions of one directory are left out.
func (r *Registry) eachNumber(ctx context.Context, name string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		for key, err := range store.Keys(ctx, r.st, manifest.VersionsPrefix(name), "") {
			if err != nil {
				if err = listError(err); !yield(Version{}, err) || !unreadable(err) {
					return
				}
				continue
			}
			v, err := manifest.VersionOf(name, key)
			if err != nil {
				continue // a milestone, or not ours; verify tells
			}
			if !yield(v, nil) {
				return
			}
		}
	}
}

// read returns the register of one version, live or not, without its table.
// A failure that concerns this register alone is an *UnreadableError.
func (r *Registry) read(ctx context.Context, name string, v Version) (*found, error) {
	return r.readPart(ctx, name, v, nil)
}

// outline is read for those who go through many versions: it has neither files
// nor their places.
func (r *Registry) outline(ctx context.Context, name string, v Version) (*found, error) {
	return r.readPart(ctx, name, v, func(m *manifest.Manifest) { m.Content.Files, m.Placement = nil, manifest.Placement{} })
}

// smallRegister is the size of a register that any number may be decoded of at
// the same time.
const smallRegister = 64 << 10

// readPart is read of what trim leaves. One large register is decoded after
// the other, since it may take many times its size.
func (r *Registry) readPart(ctx context.Context, name string, v Version, trim func(*manifest.Manifest)) (*found, error) {
	key, ref := manifest.VersionKey(name, v), name+"@"+v.String()
	var m *manifest.Manifest
	info, err := r.readRegister(ctx, key, ref, func(body []byte) (err error) {
		if len(body) > smallRegister {
			r.large.Lock()
			defer r.large.Unlock()
		}
		if m, err = manifest.Decode(body, name, v); err == nil && trim != nil {
			trim(m)
		}
		return err
	})
	if notFound(err) {
		return nil, fmt.Errorf("version %s: %w", v, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return &found{m, info}, nil
}

// readLive is read for a version that has to be there.
func (r *Registry) readLive(ctx context.Context, name string, v Version) (*found, error) {
	f, err := r.read(ctx, name, v)
	if err != nil {
		return nil, err
	}
	switch f.State {
	case manifest.Live:
		return f, nil
	case manifest.Purged:
		return nil, fmt.Errorf("version %s was %w", v, ErrPurged)
	}
	return nil, fmt.Errorf("version %s was %w", v, ErrDeleted)
}

// complete reads the table of a large manifest.
func (r *Registry) complete(ctx context.Context, f *found) error {
	if f.Table == nil || f.Content.Files != nil {
		return nil
	}
	table := chunk.OpenTable(ctx, r.st, f.Table, r.memory)
	defer table.Close()
	return f.ReadTable(table)
}

// resolve returns the live version that ref means.
func (r *Registry) resolve(ctx context.Context, ref xref) (*found, error) {
	if ref.kind == selectVersion {
		return r.readLive(ctx, ref.Name, ref.version)
	}
	if ref.kind == selectTag {
		return r.resolveTag(ctx, ref.Name, ref.Selector)
	}
	f, _, err := r.resolveListed(ctx, ref)
	return f, err
}

// best returns the best live version among all that ref may mean, and reports
// whether it has passed deleted versions.
func (r *Registry) best(ctx context.Context, ref xref, all []Version) (first *found, passed bool, err error) {
	var bad error
	for _, v := range candidates(all, ref) {
		f, err := r.read(ctx, ref.Name, v)
		if errors.Is(err, ErrNotFound) { // it was listed
			if err := r.lost(ctx, nil); err != nil {
				return nil, passed, err
			}
			continue
		}
		if ref.kind == selectDigest && unreadable(err) {
			bad = err // another may have the digest
			continue
		}
		if err != nil {
			return nil, passed, err
		}
		if f.State != manifest.Live {
			passed = true // it was not the one
			if r.settles(f) {
				break
			}
			continue
		}
		if ref.kind != selectDigest {
			return f, passed, nil
		}
		switch hex := f.Digest.Hex(); {
		case hex == ref.digits:
			return f, passed, nil
		case !strings.HasPrefix(hex, ref.digits):
		case first == nil:
			first = f // all must be seen: they may have other digests that begin so
		case first.Digest != f.Digest:
			return nil, passed, fmt.Errorf("%w: versions %s and %s both have a digest that begins so; give more digits", ErrInvalidRef, first.Version, f.Version)
		}
	}
	switch {
	case first != nil:
		return first, passed, nil
	case bad != nil:
		return nil, passed, bad
	}
	return nil, passed, r.noMatch(ref, all)
}

// candidates returns the versions that ref may mean, best first.
func candidates(all []Version, ref xref) []Version {
	var out []Version
	for _, v := range slices.Backward(all) {
		if ref.kind != selectRange || ref.matches(v) {
			out = append(out, v)
		}
	}
	if ref.kind == selectLatest || ref.all() { // releases before pre-releases
		slices.SortStableFunc(out, func(a, b Version) int {
			switch {
			case a.IsRelease() == b.IsRelease():
				return 0
			case a.IsRelease():
				return -1
			}
			return 1
		})
	}
	return out
}

var errNoName = fmt.Errorf("%w: no object of this name", ErrNotFound)

// noMatch says why none of the versions that have a register is what ref means.
func (r *Registry) noMatch(ref xref, all []Version) error {
	switch {
	case len(all) == 0:
		return errNoName
	case ref.kind == selectDigest:
		return fmt.Errorf("%w: none of its versions has this digest", ErrNotFound)
	case ref.kind == selectRange && len(candidates(all, ref)) == 0:
		return fmt.Errorf("%w: none of its versions is in this range", ErrNotFound)
	case ref.kind == selectRange:
		return fmt.Errorf("all its versions in this range were %w", ErrDeleted)
	}
	return fmt.Errorf("all its versions were %w", ErrDeleted)
}
