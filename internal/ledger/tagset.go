package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// TagCondition is the state that a tag must be in to be changed.
type TagCondition struct {
	Given  bool             // there is a condition:
	Absent bool             // that there is no such tag,
	Want   manifest.Version // or that it points at this version
}

// holds says why a tag must not be changed, or returns nil.
func (c *TagCondition) holds(t TagRecord) error {
	switch {
	case !c.Given, c.Absent && !t.Set(), !c.Absent && t.Set() && t.Version == c.Want:
		return nil
	case t.Set():
		return fmt.Errorf("%w: it points at %s", fault.ErrConflict, t.Version)
	}
	return fmt.Errorf("%w: there is no such tag", fault.ErrConflict)
}

// ValidTag refuses what cannot be a tag here.
func (l *Ledger) ValidTag(tag string) error {
	if err := manifest.ValidTag(tag); err != nil {
		return err
	}
	if l.Settings.Unversioned {
		return fmt.Errorf("%w %q: the registry keeps no versions, so there is nothing to choose between", manifest.ErrInvalidTag, tag)
	}
	return nil
}

// SetTag points a tag at f. It writes the tag, then looks whether the version
// is still live; whoever deletes it writes the tombstone, then looks at the
// tags. So one of them sees the other (attack A16).
func (l *Ledger) SetTag(ctx context.Context, f *Record, tag string, c TagCondition) error {
	// A tag must not outlive its version, were the power to fail now.
	if err := store.Flush(ctx, l.Store, manifest.VersionKey(f.Name, f.Version)); err != nil {
		return WrapTag(tag, err)
	}
	for b := Race(); ; {
		before, err := l.ReadTag(ctx, f.Name, tag)
		if before.Broken(err) && !c.Given {
			err = nil // whatever it said, it is replaced
		}
		if err == nil {
			err = c.holds(before)
		}
		now := before
		if err == nil && !(before.Set() && before.Version == f.Version && before.Digest == f.Digest) {
			now, err = l.PutTag(ctx, before, manifest.NewTag(f.Name, tag, f.Version, f.Digest))
		} else if err == nil { // it is as it is to be, perhaps since just now
			err = store.Flush(ctx, l.Store, manifest.TagKey(f.Name, tag))
		}
		if err == nil {
			err = l.ConfirmTag(ctx, now, before)
			if err == nil {
				l.Log.InfoContext(ctx, "tagged", "name", f.Name, "tag", tag, "version", f.Version)
			}
			return WrapTag(tag, err)
		}
		if !errors.Is(err, fault.ErrConflict) || c.Given {
			return WrapTag(tag, err)
		}
		if !b.Wait(ctx) {
			return ctx.Err()
		}
	}
}

func WrapTag(tag string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("tag %s: %w", tag, err)
}

// Settle looks, after a tag was written, whether its version is still live,
// and if not puts the tag back where it was before; or removes it, if that
// version is gone as well.
func (l *Ledger) ConfirmTag(ctx context.Context, t, before TagRecord) error {
	err := l.stillLive(ctx, t)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fault.ErrNotFound) { // it cannot be told whether the tag may stand
		return &fault.OutcomeError{Key: manifest.TagKey(t.Name, t.Tag.Tag), Nonce: string(t.Nonce), Err: err}
	}
	if before.Tag != nil && before.Nonce == t.Nonce {
		return err // it was there already: whoever deletes the version sees it
	}
	back := t.Removed()
	if before.Set() {
		back = manifest.NewTag(t.Name, t.Tag.Tag, before.Version, before.Digest)
	}
	now, perr := l.PutTag(ctx, t, back)
	if perr == nil && now.Set() {
		if perr = l.ConfirmTag(ctx, now, TagRecord{}); errors.Is(perr, fault.ErrNotFound) {
			perr = nil // that version is gone too, and the tag removed
		}
	}
	if errors.Is(perr, fault.ErrConflict) {
		return fmt.Errorf("%w at the same moment; the tag has been moved or removed since", err)
	}
	if perr != nil {
		return fmt.Errorf("%w, and putting the tag back failed: %w", err, perr)
	}
	return fmt.Errorf("%w at the same moment; the tag was put back", err)
}

// stillLive returns nil if the version that t points at is live, and an
// ErrNotFound if it is not.
func (l *Ledger) stillLive(ctx context.Context, t TagRecord) error {
	_, err := l.ReadLive(ctx, t.Name, t.Version)
	return err
}

// RemoveTag removes a tag that is in the state that c asks for.
func (l *Ledger) RemoveTag(ctx context.Context, name, tag string, c TagCondition) error {
	for b := Race(); ; {
		t, err := l.ReadNamedTag(ctx, name, tag)
		gone := t.Removed()
		if t.Broken(err) && !c.Given {
			gone, err = manifest.LostTag(name, tag), nil
		} else if err == nil && !t.Set() {
			err = fmt.Errorf("%w: no tag %s", fault.ErrNotFound, tag)
		}
		if err != nil {
			return err
		}
		if err = c.holds(t); err == nil {
			_, err = l.PutTag(ctx, t, gone)
		}
		if err == nil {
			l.Log.InfoContext(ctx, "untagged", "name", name, "tag", tag, "version", gone.Version)
			return nil
		}
		if !errors.Is(err, fault.ErrConflict) || c.Given {
			return WrapTag(tag, err)
		}
		if !b.Wait(ctx) {
			return ctx.Err()
		}
	}
}
