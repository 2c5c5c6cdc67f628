package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// Tag is a movable name for one version of an object, such as prod.
type Tag struct {
	Name    string    `json:"name"`    // of the object
	Tag     string    `json:"tag"`     // of the tag
	Version Version   `json:"version"` // the version that it points at
	Digest  string    `json:"digest"`  // of the version, "sha256:..."
	Updated time.Time `json:"updated"` // when it was set, by the store's clock
}

// TagMove is one step in the history of a tag.
type TagMove struct {
	Version Version   `json:"version"`           // the version that it points at; of a removal, the one before
	Digest  string    `json:"digest"`            // of the version, "sha256:..."
	Time    time.Time `json:"time"`              // when it was set or removed, by the store's clock
	Removed bool      `json:"removed,omitempty"` // the tag was removed
}

// TagOptions adjust Tag. nil means the zero value.
type TagOptions struct {
	// IfVersion sets the tag only if it points at this version now. Otherwise the
	// error is ErrConflict. "": no condition.
	IfVersion string
	// IfAbsent sets the tag only if it does not exist. Otherwise the error is
	// ErrConflict. It contradicts IfVersion.
	IfAbsent bool
}

// TagReport says what Tag did.
type TagReport struct {
	Name    string  `json:"name"`    // of the object
	Tag     string  `json:"tag"`     // of the tag
	Version Version `json:"version"` // the version that it points at now
	Digest  string  `json:"digest"`  // of the version, "sha256:..."
}

// Tag points a tag at the version that ref means, wherever it pointed before.
// name@tag means that version until the tag is moved or removed. TagHistory tells
// where the tag pointed before. An unversioned registry has no tags.
//
// Errors: ErrInvalidTag, ErrNotFound, ErrConflict if a condition does not hold,
// ErrDeleted, ErrOutcomeUnknown, and those of the store. If the version is deleted
// at the same moment, the error is ErrDeleted and the tag points where it did
// before, or is removed.
func (r *Registry) Tag(ctx context.Context, ref, tag string, opts *TagOptions) (*TagReport, error) {
	f, err := r.tag(ctx, ref, tag, value(opts))
	if err != nil {
		return nil, wrap(ctx, OpTag, ref, err)
	}
	return &TagReport{f.Name, tag, f.Version, f.Digest.String()}, nil
}

// tag sets a tag and returns the version that it points at.
func (r *Registry) tag(ctx context.Context, s, tag string, o TagOptions) (*ledger.Record, error) {
	if err := r.ledger.ValidTag(tag); err != nil {
		return nil, err
	}
	c, err := condition(o.IfVersion, o.IfAbsent)
	if err != nil {
		return nil, err
	}
	ref, err := ledger.ParseRef(s)
	if err != nil {
		return nil, err
	}
	f, err := r.ledger.Resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	return f, r.ledger.SetTag(ctx, f, tag, c)
}

// condition returns the state that a tag must be in before it is changed.
func condition(version string, absent bool) (c ledger.TagCondition, err error) {
	if version != "" && absent {
		return c, errors.New("IfVersion and IfAbsent contradict each other: give one of them")
	}
	c.Given, c.Absent = version != "" || absent, absent
	if version != "" {
		c.Want, err = manifest.ParseVersion(version)
	}
	return c, err
}

// UntagOptions adjust Untag. nil means the zero value.
type UntagOptions struct {
	// IfVersion removes the tag only if it points at this version now. Otherwise the
	// error is ErrConflict. "": no condition.
	IfVersion string
}

// UntagReport says what Untag did.
type UntagReport struct {
	Name    string  `json:"name"`    // of the object
	Tag     string  `json:"tag"`     // of the tag
	Version Version `json:"version"` // the version that it pointed at; 0.0.0 if the tag was damaged
}

// Untag removes a tag. It does not change any version.
//
// Errors: ErrNotFound, ErrInvalidTag, ErrConflict if the condition does not hold,
// ErrOutcomeUnknown, and those of the store.
func (r *Registry) Untag(ctx context.Context, name, tag string, opts *UntagOptions) (*UntagReport, error) {
	c, err := condition(value(opts).IfVersion, false)
	var was Version
	if err == nil {
		was, err = r.ledger.RemoveTag(store.Freeing(ctx), name, tag, c)
	}
	if err != nil {
		return nil, wrap(ctx, OpUntag, name, err)
	}
	return &UntagReport{name, tag, was}, nil
}

// Tags yields the tags of an object, in the order of their keys. It reads one
// register for each tag that exists or existed. If one cannot be read, Tags yields
// an *UnreadableError and goes on. Any other error is the last.
func (r *Registry) Tags(ctx context.Context, name string) iter.Seq2[Tag, error] {
	return func(yield func(Tag, error) bool) {
		if err := manifest.ValidName(name); err != nil {
			yield(Tag{}, wrap(ctx, OpTags, name, err))
			return
		}
		for t, err := range r.ledger.Tags(ctx, name) {
			if err != nil {
				if !yield(Tag{}, wrap(ctx, OpTags, name, err)) || !ledger.IsUnreadable(err) {
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

// TagHistory returns where a tag points and where it pointed before, the newest
// step first: at most 33 steps. It also has the history of a removed tag.
//
// Errors: ErrNotFound if the tag never existed, ErrInvalidName, ErrInvalidTag,
// ErrIntegrity, and those of the store.
func (r *Registry) TagHistory(ctx context.Context, name, tag string) ([]TagMove, error) {
	t, err := r.ledger.ReadNamedTag(ctx, name, tag)
	if err == nil && t.Tag == nil {
		err = fmt.Errorf("%w: there never was a tag %s", ErrNotFound, tag)
	}
	if err != nil {
		return nil, wrap(ctx, OpTagHistory, name, err)
	}
	moves := []TagMove{{t.Version, t.Digest.String(), t.Stored.Modified.UTC(), !t.IsSet()}}
	for _, m := range t.Moves {
		moves = append(moves, TagMove{m.Version, m.Digest.String(), m.Time, m.State != manifest.TagSet})
	}
	return moves, nil
}
