package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// Tag is a name for one version of an object, such as prod, that can be moved
// to another version.
type Tag struct {
	Name    string    `json:"name"` // of the object
	Tag     string    `json:"tag"`
	Version Version   `json:"version"`
	Digest  string    `json:"digest"`  // of the version, "sha256:..."
	Updated time.Time `json:"updated"` // when it was set, by the store's clock
}

// TagMove is a state that a tag is or was in.
type TagMove struct {
	Version Version   `json:"version"` // where it pointed; for a removal, until then
	Digest  string    `json:"digest"`
	Time    time.Time `json:"time"` // since when, by the store's clock
	Removed bool      `json:"removed,omitempty"`
}

// TagOption adjusts one Tag or Untag.
type TagOption interface{ applyTag(*tagCondition) }

// tagCondition is the state that a tag must be in to be changed.
type tagCondition struct {
	given  bool
	absent bool
	text   string // the version it must point at, as given
	want   Version
}

type tagOption tagCondition

func (o tagOption) applyTag(c *tagCondition) { *c = tagCondition(o) }

// WithIfTag changes the tag only if it points at this version; otherwise the
// error is ErrConflict.
func WithIfTag(version string) TagOption { return tagOption{given: true, text: version} }

// WithIfNoTag sets the tag only if there is none of this name; otherwise the
// error is ErrConflict.
func WithIfNoTag() TagOption { return tagOption{given: true, absent: true} }

func newTagCondition(opts []TagOption) (c tagCondition, err error) {
	for _, opt := range opts {
		opt.applyTag(&c)
	}
	if c.given && !c.absent {
		c.want, err = manifest.ParseVersion(c.text)
	}
	return c, err
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

// Tag points a tag at the version that ref means, wherever it pointed before.
// Loading name@tag then loads that version, until the tag is moved or removed.
// Tagging is not versioned: see TagHistory for where the tag was.
//
// A version that is deleted at the same moment is ErrDeleted, and the tag is
// put back where it was, unless the delete has removed it. Other errors: ErrInvalidTag, ErrConflict (with WithIfTag and
// WithIfNoTag only), ErrNotFound, ErrOutcomeUnknown, and those of the store.
// An unversioned registry has no tags.
func (r *Registry) Tag(ctx context.Context, ref, tag string, opts ...TagOption) error {
	return wrap(ctx, "tag", ref, r.tag(ctx, ref, tag, opts))
}

func (r *Registry) tag(ctx context.Context, s, tag string, opts []TagOption) error {
	if err := r.validTag(tag); err != nil {
		return err
	}
	c, err := newTagCondition(opts)
	if err != nil {
		return err
	}
	ref, err := parseRef(s)
	if err != nil {
		return err
	}
	f, err := r.resolve(ctx, ref)
	if err != nil {
		return err
	}
	return r.setTag(ctx, f, tag, c)
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

// Untag removes a tag. The versions stay as they are. Errors: ErrNotFound,
// ErrInvalidTag, ErrConflict (with WithIfTag only), ErrOutcomeUnknown, and
// those of the store.
func (r *Registry) Untag(ctx context.Context, name, tag string, opts ...TagOption) error {
	return wrap(ctx, "untag", name, r.untag(store.Freeing(ctx), name, tag, opts))
}

func (r *Registry) untag(ctx context.Context, name, tag string, opts []TagOption) error {
	c, err := newTagCondition(opts)
	if err != nil {
		return err
	}
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

// Tags yields the tags of an object, in the order of their keys. It reads one
// register for each tag that is or was. One that cannot be read comes with an
// *UnreadableError; the others follow. Any other error is the last.
func (r *Registry) Tags(ctx context.Context, name string) iter.Seq2[Tag, error] {
	return func(yield func(Tag, error) bool) {
		if err := manifest.ValidName(name); err != nil {
			yield(Tag{}, wrap(ctx, "list tags", name, err))
			return
		}
		for t, err := range r.tags(ctx, name) {
			if err != nil {
				if !yield(Tag{}, wrap(ctx, "list tags", name, err)) || !unreadable(err) {
					return
				}
				continue
			}
			if !yield(Tag{t.Name, t.Tag.Tag, t.Version, t.Digest.String(), t.info.Modified.UTC()}, nil) {
				return
			}
		}
	}
}

// TagHistory returns where a tag points and where it pointed before, the
// newest first: up to 33 states. It knows removed tags too.
func (r *Registry) TagHistory(ctx context.Context, name, tag string) ([]TagMove, error) {
	t, err := r.readNamedTag(ctx, name, tag)
	if err == nil && t.Tag == nil {
		err = fmt.Errorf("%w: there never was a tag %s", ErrNotFound, tag)
	}
	if err != nil {
		return nil, wrap(ctx, "tag history", name, err)
	}
	moves := []TagMove{{t.Version, t.Digest.String(), t.info.Modified.UTC(), !t.set()}}
	for _, m := range t.Moves {
		moves = append(moves, TagMove{m.Version, m.Digest.String(), m.Time, m.State != manifest.TagSet})
	}
	return moves, nil
}

// foundTag is a tag's register as it was read. Where there is none, it is the
// zero value.
type foundTag struct {
	*manifest.Tag // nil of one that is damaged, too
	info          store.Info
}

// broken reports whether err says that the register is damaged. Its state is
// known then, and can be replaced.
func (t foundTag) broken(err error) bool {
	return t.Tag == nil && t.info.Token != store.Absent && damaged(err)
}

// set reports whether the tag points anywhere.
func (t foundTag) set() bool { return t.Tag != nil && t.State == manifest.TagSet }

// removed is the tag as it is when it has been removed.
func (t foundTag) removed() *manifest.Tag {
	if t.Tag == nil {
		return nil
	}
	gone := *t.Tag
	gone.State = manifest.Deleted
	return &gone
}

// readNamedTag is readTag for what a user has named.
func (r *Registry) readNamedTag(ctx context.Context, name, tag string) (foundTag, error) {
	if err := manifest.ValidName(name); err != nil {
		return foundTag{}, err
	}
	if err := manifest.ValidTag(tag); err != nil {
		return foundTag{}, err
	}
	return r.readTag(ctx, name, tag)
}

// readTag returns the register of a tag. That there is none is no error.
// A failure that concerns it alone is an *UnreadableError; see broken.
func (r *Registry) readTag(ctx context.Context, name, tag string) (foundTag, error) {
	var t *manifest.Tag
	info, err := r.readRegister(ctx, manifest.TagKey(name, tag), name+"@"+tag, func(body []byte) (err error) {
		t, err = manifest.DecodeTag(body, name, tag)
		return err
	})
	if notFound(err) {
		return foundTag{}, nil
	}
	if err != nil {
		return foundTag{info: info}, err
	}
	return foundTag{Tag: t, info: info}, nil
}

// putTag writes the state next over the register was.
func (r *Registry) putTag(ctx context.Context, was foundTag, next *manifest.Tag) (foundTag, error) {
	if was.Tag != nil {
		next = was.Move(next.State, next.Version, next.Digest, was.info.Modified)
	}
	body, err := next.Encode()
	if err != nil {
		return foundTag{}, err
	}
	info, err := r.write(ctx, manifest.TagKey(next.Name, next.Tag), body, was.info.Token, next.Nonce)
	if err != nil {
		return foundTag{}, err
	}
	return foundTag{next, info}, nil
}

// tags yields the tags of an object that are set. An error is the last, unless
// it is an *UnreadableError.
func (r *Registry) tags(ctx context.Context, name string) iter.Seq2[foundTag, error] {
	return func(yield func(foundTag, error) bool) {
		names := func(yield func(string, error) bool) {
			for info, err := range r.st.List(ctx, manifest.TagsPrefix(name), "") {
				if err != nil {
					if err = listError(err); !yield("", err) || !unreadable(err) {
						return
					}
					continue
				}
				if _, tag, err := manifest.ParseTagKey(info.Key); err == nil && !yield(tag, nil) {
					return // an error: not ours; verify tells
				}
			}
		}
		read := func(ctx context.Context, tag string) (foundTag, error) { return r.readTag(ctx, name, tag) }
		for res := range parallel(ctx, names, read) {
			if res.err != nil {
				if !yield(foundTag{}, res.err) || !unreadable(res.err) {
					return
				}
				continue
			}
			if res.out.set() && !yield(res.out, nil) {
				return
			}
		}
	}
}
