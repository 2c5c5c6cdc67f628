package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mindtrace/registry/internal/manifest"
)

// resolveTag returns the version that a tag points at.
func (r *Registry) resolveTag(ctx context.Context, name, tag string) (*found, error) {
	var seen manifest.Nonce
	for {
		t, err := r.readTag(ctx, name, tag)
		if err != nil {
			return nil, err
		}
		switch {
		case t.Tag == nil:
			return nil, fmt.Errorf("%w: no tag or version %s", ErrNotFound, tag)
		case !t.set():
			return nil, fmt.Errorf("%w: no tag or version %s; a tag of this name was removed, it pointed at %s", ErrNotFound, tag, t.Version)
		}
		f, err := r.readLive(ctx, name, t.Version)
		switch {
		case err == nil && f.Digest != t.Digest:
			return nil, fmt.Errorf("%w: the tag %s says that version %s has the digest %s, but it has %s", ErrIntegrity, tag, t.Version, t.Digest, f.Digest)
		case err == nil:
			return f, nil
		case !errors.Is(err, ErrNotFound):
			return nil, err
		case t.Nonce == seen:
			err = fmt.Errorf("%w %s: %w; set the tag anew or remove it", ErrDangling, tag, err)
			if !errors.Is(err, ErrDeleted) { // a version that was there leaves a register
				err = r.lost(ctx, err)
			}
			return nil, err
		}
		// Perhaps the tag was moved and the version deleted after we read the
		// tag: then it is another one now.
		seen = t.Nonce
	}
}

// checkTagged refuses to delete versions that have tags, before anything is
// changed.
func (r *Registry) checkTagged(ctx context.Context, name string, versions []Version) error {
	if r.settings.Unversioned || len(versions) == 0 {
		return nil
	}
	tags := map[Version][]string{}
	for t, err := range r.tags(ctx, name) {
		if err != nil {
			return err
		}
		tags[t.Version] = append(tags[t.Version], t.Tag.Tag)
	}
	for _, v := range versions {
		if tags[v] == nil {
			continue
		}
		switch _, err := r.readLive(ctx, name, v); {
		case err == nil:
			return fmt.Errorf("version %s %w: %s; remove or move them first, or force it", v, ErrTagged, strings.Join(tags[v], ", "))
		case !errors.Is(err, ErrNotFound) && !hopeless(err): // what cannot be read is not deleted
			return err
		}
	}
	return nil
}

// dropTags removes the tags that point at versions which have been deleted.
func (r *Registry) dropTags(ctx context.Context, name string, versions []Version) error {
	if r.settings.Unversioned || len(versions) == 0 {
		return nil
	}
	var errs []error
	for t, err := range r.tags(ctx, name) {
		if err == nil && slices.Contains(versions, t.Version) {
			err = r.dropTag(ctx, t, versions)
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

func (r *Registry) dropTag(ctx context.Context, t foundTag, versions []Version) error {
	for try := 1; ; try++ {
		err := r.stillLive(ctx, t)
		if err == nil {
			return nil // undeleted in the meantime
		}
		if errors.Is(err, ErrNotFound) {
			_, err = r.putTag(ctx, t, t.removed())
		}
		if err == nil {
			r.log.InfoContext(ctx, "untagged", "name", t.Name, "tag", t.Tag.Tag, "version", t.Version)
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return tagErr(t.Tag.Tag, err)
		}
		if err := sleep(ctx, jitter(min(try, 5))); err != nil {
			return err
		}
		again, err := r.readTag(ctx, t.Name, t.Tag.Tag)
		if err != nil {
			return err
		}
		if !again.set() || !slices.Contains(versions, again.Version) {
			return nil // it points elsewhere now
		}
		t = again
	}
}
