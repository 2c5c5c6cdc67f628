package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
)

// ResolveTag returns the version that a tag points at.
func (l *Ledger) ResolveTag(ctx context.Context, name, tag string) (*Record, error) {
	var seen manifest.Nonce
	for {
		t, err := l.ReadTag(ctx, name, tag)
		if err != nil {
			return nil, err
		}
		switch {
		case t.Tag == nil:
			return nil, fmt.Errorf("%w: no tag or version %s", fault.ErrNotFound, tag)
		case !t.Set():
			return nil, fmt.Errorf("%w: no tag or version %s; a tag of this name was removed, it pointed at %s", fault.ErrNotFound, tag, t.Version)
		}
		f, err := l.ReadLive(ctx, name, t.Version)
		switch {
		case err == nil && f.Digest != t.Digest:
			return nil, fmt.Errorf("%w: the tag %s says that version %s has the digest %s, but it has %s", fault.ErrIntegrity, tag, t.Version, t.Digest, f.Digest)
		case err == nil:
			return f, nil
		case !errors.Is(err, fault.ErrNotFound):
			return nil, err
		case t.Nonce == seen:
			err = fmt.Errorf("%w %s: %w; set the tag anew or remove it", fault.ErrDangling, tag, err)
			if !errors.Is(err, fault.ErrDeleted) { // a version that was there leaves a register
				err = l.orRegistryGone(ctx, err)
			}
			return nil, err
		}
		// Perhaps the tag was moved and the version deleted after we read the
		// tag: then it is another one now.
		seen = t.Nonce
	}
}

// CheckTagged refuses to delete versions that have tags, before anything is
// changed.
func (l *Ledger) CheckTagged(ctx context.Context, name string, versions []manifest.Version) error {
	if l.Settings.Unversioned || len(versions) == 0 {
		return nil
	}
	tags := map[manifest.Version][]string{}
	for t, err := range l.Tags(ctx, name) {
		if err != nil {
			return err
		}
		tags[t.Version] = append(tags[t.Version], t.Tag.Tag)
	}
	for _, v := range versions {
		if tags[v] == nil {
			continue
		}
		switch _, err := l.ReadLive(ctx, name, v); {
		case err == nil:
			return fmt.Errorf("version %s %w: %s; remove or move them first, or force it", v, fault.ErrTagged, strings.Join(tags[v], ", "))
		case !errors.Is(err, fault.ErrNotFound) && !isPermanent(err): // what cannot be read is not deleted
			return err
		}
	}
	return nil
}

// DropTags removes the tags that point at versions which have been deleted.
func (l *Ledger) DropTags(ctx context.Context, name string, versions []manifest.Version) error {
	if l.Settings.Unversioned || len(versions) == 0 {
		return nil
	}
	var errs []error
	for t, err := range l.Tags(ctx, name) {
		if err == nil && slices.Contains(versions, t.Version) {
			err = l.dropTag(ctx, t, versions)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("deleted, but tags may be left that point there: %w", err)
	}
	return nil
}

func (l *Ledger) dropTag(ctx context.Context, t TagRecord, versions []manifest.Version) error {
	for b := Race(); ; {
		err := l.stillLive(ctx, t)
		if err == nil {
			return nil // undeleted in the meantime
		}
		if errors.Is(err, fault.ErrNotFound) {
			_, err = l.PutTag(ctx, t, t.Removed())
		}
		if err == nil {
			l.Log.InfoContext(ctx, "untagged", "name", t.Name, "tag", t.Tag.Tag, "version", t.Version)
			return nil
		}
		if !errors.Is(err, fault.ErrConflict) {
			return WrapTag(t.Tag.Tag, err)
		}
		if !b.Wait(ctx) {
			return ctx.Err()
		}
		again, err := l.ReadTag(ctx, t.Name, t.Tag.Tag)
		if err != nil {
			return err
		}
		if !again.Set() || !slices.Contains(versions, again.Version) {
			return nil // it points elsewhere now
		}
		t = again
	}
}
