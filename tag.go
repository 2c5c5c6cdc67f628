package registry

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/version"
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
type TagOption interface{ applyTag(*tagOptions) }

type tagOptions struct {
	given, absent bool   // as in tagCondition
	version       string // the version it must point at, as given
}

type tagOption tagOptions

func (o tagOption) applyTag(c *tagOptions) { *c = tagOptions(o) }

// WithIfTag changes the tag only if it points at this version; otherwise the
// error is ErrConflict.
func WithIfTag(version string) TagOption { return tagOption{given: true, version: version} }

// WithIfNoTag sets the tag only if there is none of this name; otherwise the
// error is ErrConflict.
func WithIfNoTag() TagOption { return tagOption{given: true, absent: true} }

// condition is the state that the options ask of a tag.
func condition(opts []TagOption) (c ledger.TagCondition, err error) {
	var o tagOptions
	for _, opt := range opts {
		opt.applyTag(&o)
	}
	c.Given, c.Absent = o.given, o.absent
	if c.Given && !c.Absent {
		c.Want, err = version.Parse(o.version)
	}
	return c, err
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
	if err := r.ledger.ValidTag(tag); err != nil {
		return err
	}
	c, err := condition(opts)
	if err != nil {
		return err
	}
	ref, err := ledger.ParseRef(s)
	if err != nil {
		return err
	}
	f, err := r.ledger.Resolve(ctx, ref)
	if err != nil {
		return err
	}
	return r.ledger.SetTag(ctx, f, tag, c)
}

// Untag removes a tag. The versions stay as they are. Errors: ErrNotFound,
// ErrInvalidTag, ErrConflict (with WithIfTag only), ErrOutcomeUnknown, and
// those of the store.
func (r *Registry) Untag(ctx context.Context, name, tag string, opts ...TagOption) error {
	c, err := condition(opts)
	if err == nil {
		err = r.ledger.RemoveTag(store.Freeing(ctx), name, tag, c)
	}
	return wrap(ctx, "untag", name, err)
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
		for t, err := range r.ledger.Tags(ctx, name) {
			if err != nil {
				if !yield(Tag{}, wrap(ctx, "list tags", name, err)) || !ledger.IsUnreadable(err) {
					return
				}
				continue
			}
			if !yield(Tag{t.Name, t.Tag.Tag, t.Version, t.Digest.String(), t.Stored.Modified.UTC()}, nil) {
				return
			}
		}
	}
}

// TagHistory returns where a tag points and where it pointed before, the
// newest first: up to 33 states. It knows removed tags too.
func (r *Registry) TagHistory(ctx context.Context, name, tag string) ([]TagMove, error) {
	t, err := r.ledger.ReadNamedTag(ctx, name, tag)
	if err == nil && t.Tag == nil {
		err = fmt.Errorf("%w: there never was a tag %s", ErrNotFound, tag)
	}
	if err != nil {
		return nil, wrap(ctx, "tag history", name, err)
	}
	moves := []TagMove{{t.Version, t.Digest.String(), t.Stored.Modified.UTC(), !t.IsSet()}}
	for _, m := range t.Moves {
		moves = append(moves, TagMove{m.Version, m.Digest.String(), m.Time, m.State != manifest.TagSet})
	}
	return moves, nil
}
