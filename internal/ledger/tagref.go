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

// ResolveTag returns the live version that a tag points at. Errors: ErrNotFound
// if the tag is not set, ErrDangling if its version is not live, ErrIntegrity if
// the version has another digest than the tag says.
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
		case !t.IsSet():
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
			if !errors.Is(err, fault.ErrDeleted) { // even a purged version has a register
				err = l.orRegistryGone(ctx, err)
			}
			return nil, err
		}
		// The tag may have been moved, and the version deleted, after the tag
		// was read. So read the tag again; if it is unchanged, it is dangling.
		seen = t.Nonce
	}
}

// CheckTagged returns an ErrTagged if one of these versions is live and has tags.
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
			return fmt.Errorf("version %s %w: %s; remove or move them first, or use --force (in Go: the option Force)", v, fault.ErrTagged, strings.Join(tags[v], ", "))
		case !errors.Is(err, fault.ErrNotFound) && !isPermanent(err): // a version that cannot be read is not deleted either
			return err
		}
	}
	return nil
}

// DropTags removes the tags that point at these versions, which have been
// deleted. It leaves the tags of a version that has been undeleted meanwhile.
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

// dropTag removes one tag, unless it points at another version by now.
func (l *Ledger) dropTag(ctx context.Context, t TagRecord, versions []manifest.Version) error {
	for b := Race(); ; {
		err := l.stillLive(ctx, t)
		if err == nil {
			return nil // undeleted meanwhile
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
		if !again.IsSet() || !slices.Contains(versions, again.Version) {
			return nil // it points elsewhere now
		}
		t = again
	}
}
