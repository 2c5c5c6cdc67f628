package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// Record is a version's register as it was read, or as it was just written.
type Record struct {
	*manifest.Manifest
	Stored store.Info // its token, and the store's date of it
}

// Numbers returns the numbers of all versions of an object that have a register,
// live or not, in ascending order. It costs one request for each thousand
// versions.
func (l *Ledger) Numbers(ctx context.Context, name string) ([]manifest.Version, error) {
	var all []manifest.Version
	for v, err := range l.EachNumber(ctx, name) {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// EachNumber yields what Numbers returns. After an error it goes on if the error
// is an *UnreadableError, which means that the versions of one directory are
// missing from the listing. Otherwise it ends.
func (l *Ledger) EachNumber(ctx context.Context, name string) iter.Seq2[manifest.Version, error] {
	return func(yield func(manifest.Version, error) bool) {
		for key, err := range store.Keys(ctx, l.Store, manifest.VersionsPrefix(name), "") {
			if err != nil {
				if err = ListingError(err); !yield(manifest.Version{}, err) || !IsUnreadable(err) {
					return
				}
				continue
			}
			v, err := manifest.VersionOf(name, key)
			if err != nil {
				continue // a milestone, or not a key of a registry; verify reports that
			}
			if !yield(v, nil) {
				return
			}
		}
	}
}

// Read returns the register of one version, live or not, without its table.
// Errors: ErrNotFound if it does not exist, an *UnreadableError if the failure
// concerns this register only.
func (l *Ledger) Read(ctx context.Context, name string, v manifest.Version) (*Record, error) {
	return l.ReadPart(ctx, name, v, nil)
}

// outline is Read for listings of many versions: without files and placement.
func (l *Ledger) outline(ctx context.Context, name string, v manifest.Version) (*Record, error) {
	return l.ReadPart(ctx, name, v, func(m *manifest.Manifest) { m.Content.Files, m.Placement = nil, manifest.Placement{} })
}

// smallRegister is the largest size, in bytes, of registers that are decoded
// without limit at the same time.
const smallRegister = 64 << 10

// ReadPart is Read, but keeps only the parts of the manifest that trim leaves. Of
// large registers it decodes one at a time, since that may take many times their
// size in memory.
func (l *Ledger) ReadPart(ctx context.Context, name string, v manifest.Version, trim func(*manifest.Manifest)) (*Record, error) {
	key, ref := manifest.VersionKey(name, v), name+"@"+v.String()
	var m *manifest.Manifest
	info, err := l.ReadRegister(ctx, key, ref, func(body []byte) (err error) {
		if len(body) > smallRegister {
			l.large.Lock()
			defer l.large.Unlock()
		}
		if m, err = manifest.Decode(body, name, v); err == nil && trim != nil {
			trim(m)
		}
		return err
	})
	if IsNotFound(err) {
		return nil, fmt.Errorf("version %s: %w", v, fault.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return &Record{m, info}, nil
}

// ReadLive is Read for a version that has to be live. Otherwise the error is
// ErrNotFound, ErrDeleted or ErrPurged.
func (l *Ledger) ReadLive(ctx context.Context, name string, v manifest.Version) (*Record, error) {
	f, err := l.Read(ctx, name, v)
	if err != nil {
		return nil, err
	}
	switch f.State {
	case manifest.Live:
		return f, nil
	case manifest.Purged:
		return nil, fmt.Errorf("version %s was %w", v, fault.ErrPurged)
	}
	return nil, fmt.Errorf("version %s was %w", v, fault.ErrDeleted)
}

// Complete reads the table of a large manifest into f, unless f has it already.
// After it, f has all files and their places.
func (l *Ledger) Complete(ctx context.Context, f *Record) error {
	if f.Table == nil || f.Content.Files != nil {
		return nil
	}
	table := chunk.OpenTable(ctx, l.Store, f.Table, l.Memory)
	defer table.Close()
	return f.ReadTable(table)
}

// Resolve returns the live version that ref means. Errors: as of ReadLive,
// ErrDangling for a tag of a deleted version, ErrInvalidRef for a digest of
// which more digits are needed.
func (l *Ledger) Resolve(ctx context.Context, ref Ref) (*Record, error) {
	if ref.Kind == ByVersion {
		return l.ReadLive(ctx, ref.Name, ref.Version)
	}
	if ref.Kind == ByTag {
		return l.ResolveTag(ctx, ref.Name, ref.Selector)
	}
	f, _, err := l.ResolveListed(ctx, ref)
	return f, err
}

// Best returns the best live version among all that ref may mean. passed says
// that it has skipped deleted versions, so the listing all may be out of date.
func (l *Ledger) Best(ctx context.Context, ref Ref, all []manifest.Version) (first *Record, passed bool, err error) {
	var bad error
	for _, v := range Candidates(all, ref) {
		f, err := l.Read(ctx, ref.Name, v)
		if errors.Is(err, fault.ErrNotFound) { // it was listed
			if err := l.orRegistryGone(ctx, nil); err != nil {
				return nil, passed, err
			}
			continue
		}
		if ref.Kind == ByDigest && IsUnreadable(err) {
			bad = err // another may have the digest
			continue
		}
		if err != nil {
			return nil, passed, err
		}
		if f.State != manifest.Live {
			passed = true
			if l.Decides(f) {
				break
			}
			continue
		}
		if ref.Kind != ByDigest {
			return f, passed, nil
		}
		switch hex := f.Digest.Hex(); {
		case hex == ref.digits:
			return f, passed, nil
		case !strings.HasPrefix(hex, ref.digits):
		case first == nil:
			first = f // go on: another version may have a digest with the same first digits
		case first.Digest != f.Digest:
			return nil, passed, fmt.Errorf("%w: versions %s and %s both have a digest that begins so; give more digits", fault.ErrInvalidRef, first.Version, f.Version)
		}
	}
	switch {
	case first != nil:
		return first, passed, nil
	case bad != nil:
		return nil, passed, bad
	}
	return nil, passed, l.NoMatch(ref, all)
}

// Candidates returns the versions among all that ref may mean, the best first.
func Candidates(all []manifest.Version, ref Ref) []manifest.Version {
	var out []manifest.Version
	for _, v := range slices.Backward(all) {
		if ref.Kind != ByRange || ref.Matches(v) {
			out = append(out, v)
		}
	}
	if ref.Kind == ByLatest || ref.all() { // releases before pre-releases
		slices.SortStableFunc(out, func(a, b manifest.Version) int {
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

var errNoName = fmt.Errorf("%w: no object of this name", fault.ErrNotFound)

// NoMatch returns the error of a reference that no live version matches. all are
// the versions that have a register.
func (l *Ledger) NoMatch(ref Ref, all []manifest.Version) error {
	switch {
	case len(all) == 0:
		return errNoName
	case ref.Kind == ByDigest:
		return fmt.Errorf("%w: none of its versions has this digest", fault.ErrNotFound)
	case ref.Kind == ByRange && len(Candidates(all, ref)) == 0:
		return fmt.Errorf("%w: none of its versions is in this range", fault.ErrNotFound)
	case ref.Kind == ByRange:
		return fmt.Errorf("all its versions in this range were %w", fault.ErrDeleted)
	}
	return fmt.Errorf("all its versions were %w", fault.ErrDeleted)
}
