package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// tagCondition is the state that a tag must be in to be changed.
type tagCondition struct {
	given  bool    // there is a condition:
	absent bool    // that there is no such tag,
	want   Version // or that it points at this version
}

// holds says why a tag must not be changed, or returns nil.
func (c *tagCondition) holds(t foundTag) error {
	switch {
	case !c.given, c.absent && !t.set(), !c.absent && t.set() && t.Version == c.want:
		return nil
	case t.set():
		return fmt.Errorf("%w: it points at %s", ErrConflict, t.Version)
	}
	return fmt.Errorf("%w: there is no such tag", ErrConflict)
}

// validTag refuses what cannot be a tag here.
func (r *Registry) validTag(tag string) error {
	if err := manifest.ValidTag(tag); err != nil {
		return err
	}
	if r.settings.Unversioned {
		return fmt.Errorf("%w %q: the registry keeps no versions, so there is nothing to choose between", ErrInvalidTag, tag)
	}
	return nil
}

// setTag points a tag at f. It writes the tag, then looks whether the version
// is still live; whoever deletes it writes the tombstone, then looks at the
// tags. So one of them sees the other (attack A16).
func (r *Registry) setTag(ctx context.Context, f *found, tag string, c tagCondition) error {
	// A tag must not outlive its version, were the power to fail now.
	if err := store.Flush(ctx, r.st, manifest.VersionKey(f.Name, f.Version)); err != nil {
		return tagErr(tag, err)
	}
	for try := 1; ; try++ {
		before, err := r.readTag(ctx, f.Name, tag)
		if before.broken(err) && !c.given {
			err = nil // whatever it said, it is replaced
		}
		if err == nil {
			err = c.holds(before)
		}
		now := before
		if err == nil && !(before.set() && before.Version == f.Version && before.Digest == f.Digest) {
			now, err = r.putTag(ctx, before, manifest.NewTag(f.Name, tag, f.Version, f.Digest))
		} else if err == nil { // it is as it is to be, perhaps since just now
			err = store.Flush(ctx, r.st, manifest.TagKey(f.Name, tag))
		}
		if err == nil {
			err = r.settle(ctx, now, before)
			if err == nil {
				r.log.InfoContext(ctx, "tagged", "name", f.Name, "tag", tag, "version", f.Version)
			}
			return tagErr(tag, err)
		}
		if !errors.Is(err, ErrConflict) || c.given {
			return tagErr(tag, err)
		}
		if err := sleep(ctx, jitter(min(try, 5))); err != nil {
			return err
		}
	}
}

func tagErr(tag string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("tag %s: %w", tag, err)
}

// settle looks, after a tag was written, whether its version is still live,
// and if not puts the tag back where it was before; or removes it, if that
// version is gone as well.
func (r *Registry) settle(ctx context.Context, t, before foundTag) error {
	err := r.stillLive(ctx, t)
	if err == nil {
		return nil
	}
	if !errors.Is(err, ErrNotFound) { // it cannot be told whether the tag may stand
		return &OutcomeError{Key: manifest.TagKey(t.Name, t.Tag.Tag), Nonce: string(t.Nonce), Err: err}
	}
	if before.Tag != nil && before.Nonce == t.Nonce {
		return err // it was there already: whoever deletes the version sees it
	}
	back := t.removed()
	if before.set() {
		back = manifest.NewTag(t.Name, t.Tag.Tag, before.Version, before.Digest)
	}
	now, perr := r.putTag(ctx, t, back)
	if perr == nil && now.set() {
		if perr = r.settle(ctx, now, foundTag{}); errors.Is(perr, ErrNotFound) {
			perr = nil // that version is gone too, and the tag removed
		}
	}
	if errors.Is(perr, ErrConflict) {
		return fmt.Errorf("%w at the same moment; the tag has been moved or removed since", err)
	}
	if perr != nil {
		return fmt.Errorf("%w, and putting the tag back failed: %w", err, perr)
	}
	return fmt.Errorf("%w at the same moment; the tag was put back", err)
}

// stillLive returns nil if the version that t points at is live, and an
// ErrNotFound if it is not.
func (r *Registry) stillLive(ctx context.Context, t foundTag) error {
	_, err := r.readLive(ctx, t.Name, t.Version)
	return err
}

// removeTag removes a tag that is in the state that c asks for.
func (r *Registry) removeTag(ctx context.Context, name, tag string, c tagCondition) error {
	for try := 1; ; try++ {
		t, err := r.readNamedTag(ctx, name, tag)
		gone := t.removed()
		if t.broken(err) && !c.given {
			gone, err = manifest.LostTag(name, tag), nil
		} else if err == nil && !t.set() {
			err = fmt.Errorf("%w: no tag %s", ErrNotFound, tag)
		}
		if err != nil {
			return err
		}
		if err = c.holds(t); err == nil {
			_, err = r.putTag(ctx, t, gone)
		}
		if err == nil {
			r.log.InfoContext(ctx, "untagged", "name", name, "tag", tag, "version", gone.Version)
			return nil
		}
		if !errors.Is(err, ErrConflict) || c.given {
			return tagErr(tag, err)
		}
		if err := sleep(ctx, jitter(min(try, 5))); err != nil {
			return err
		}
	}
}
