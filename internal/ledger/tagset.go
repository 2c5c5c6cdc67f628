package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// TagCondition is the state that a tag must be in to be changed. The zero value
// is no condition.
type TagCondition struct {
	Given  bool             // there is a condition
	Absent bool             // the tag must not be set
	Want   manifest.Version // otherwise, it must point at this version
}

// holds returns an ErrConflict if t does not meet the condition.
func (c *TagCondition) holds(t TagRecord) error {
	switch {
	case !c.Given, c.Absent && !t.IsSet(), !c.Absent && t.IsSet() && t.Version == c.Want:
		return nil
	case t.IsSet():
		return fmt.Errorf("%w: it points at %s", fault.ErrConflict, t.Version)
	}
	return fmt.Errorf("%w: there is no such tag", fault.ErrConflict)
}

// ValidTag returns a manifest.ErrInvalidTag if tag cannot be a tag in this
// registry. An unversioned registry has no tags.
func (l *Ledger) ValidTag(tag string) error {
	if err := manifest.ValidTag(tag); err != nil {
		return err
	}
	if l.Settings.Unversioned {
		return fmt.Errorf("%w %q: the registry is unversioned, so it has no tags", manifest.ErrInvalidTag, tag)
	}
	return nil
}

// SetTag points a tag at f, if the tag meets the condition c.
//
// No condition covers the tag and the version, which are two keys. So SetTag
// writes the tag first and then reads the version; a delete writes the tombstone
// first and then reads the tags. One of them sees the other, and no tag is left
// that points at a deleted version (docs/attacks.md, A16).
//
// Errors: ErrConflict if the tag does not meet the condition, ErrNotFound if the
// version was deleted meanwhile, ErrOutcomeUnknown.
func (l *Ledger) SetTag(ctx context.Context, f *Record, tag string, c TagCondition) error {
	// If the power fails now, the tag must not survive without its version.
	if err := store.Flush(ctx, l.Store, manifest.VersionKey(f.Name, f.Version)); err != nil {
		return WrapTag(tag, err)
	}
	for b := Race(); ; {
		before, err := l.ReadTag(ctx, f.Name, tag)
		if before.IsBroken(err) && !c.Given {
			err = nil // a damaged register is replaced
		}
		if err == nil {
			err = c.holds(before)
		}
		now := before
		if err == nil && !(before.IsSet() && before.Version == f.Version && before.Digest == f.Digest) {
			now, err = l.PutTag(ctx, before, manifest.NewTag(f.Name, tag, f.Version, f.Digest))
		} else if err == nil { // nothing to change, but another process may have set it just now
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

// WrapTag adds the name of the tag to an error; nil stays nil.
func WrapTag(tag string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("tag %s: %w", tag, err)
}

// ConfirmTag is called after the tag t was written; before is the state that it
// replaced. It checks that the version of t is still live. If not, it puts the
// tag back to the state before, or removes it if that version is gone too. The
// error is then ErrNotFound. It is ErrOutcomeUnknown if the version cannot be
// read.
func (l *Ledger) ConfirmTag(ctx context.Context, t, before TagRecord) error {
	err := l.stillLive(ctx, t)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fault.ErrNotFound) { // unknown whether the version is live
		return &fault.OutcomeError{Key: manifest.TagKey(t.Name, t.Tag.Tag), Nonce: string(t.Nonce), Err: err}
	}
	if before.Tag != nil && before.Nonce == t.Nonce {
		return err // it was there before, so the delete of the version sees it
	}
	back := t.Removed()
	if before.IsSet() {
		back = manifest.NewTag(t.Name, t.Tag.Tag, before.Version, before.Digest)
	}
	now, perr := l.PutTag(ctx, t, back)
	if perr == nil && now.IsSet() {
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

// RemoveTag removes a tag, if it meets the condition c, and returns the version
// that it pointed at. Errors: ErrNotFound if the tag is not set, ErrConflict if
// it does not meet the condition.
func (l *Ledger) RemoveTag(ctx context.Context, name, tag string, c TagCondition) (was manifest.Version, err error) {
	for b := Race(); ; {
		t, err := l.ReadNamedTag(ctx, name, tag)
		gone := t.Removed()
		if t.IsBroken(err) && !c.Given {
			gone, err = manifest.LostTag(name, tag), nil
		} else if err == nil && !t.IsSet() {
			err = fmt.Errorf("%w: no tag %s", fault.ErrNotFound, tag)
		}
		if err != nil {
			return was, err
		}
		if err = c.holds(t); err == nil {
			_, err = l.PutTag(ctx, t, gone)
		}
		if err == nil {
			l.Log.InfoContext(ctx, "untagged", "name", name, "tag", tag, "version", gone.Version)
			return gone.Version, nil
		}
		if !errors.Is(err, fault.ErrConflict) || c.Given {
			return was, WrapTag(tag, err)
		}
		if !b.Wait(ctx) {
			return was, ctx.Err()
		}
	}
}
