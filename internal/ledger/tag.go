package ledger

import (
	"context"
	"iter"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// TagRecord is a tag's register as it was read. Where there is none, it is the
// zero value.
type TagRecord struct {
	*manifest.Tag // nil of one that is damaged, too
	Stored        store.Info
}

// Broken reports whether err says that the register is damaged. Its state is
// known then, and can be replaced.
func (t TagRecord) Broken(err error) bool {
	return t.Tag == nil && t.Stored.Token != store.Absent && IsDamaged(err)
}

// Set reports whether the tag points anywhere.
func (t TagRecord) Set() bool { return t.Tag != nil && t.State == manifest.TagSet }

// Removed is the tag as it is when it has been removed.
func (t TagRecord) Removed() *manifest.Tag {
	if t.Tag == nil {
		return nil
	}
	gone := *t.Tag
	gone.State = manifest.Deleted
	return &gone
}

// ReadNamedTag is readTag for what a user has named.
func (l *Ledger) ReadNamedTag(ctx context.Context, name, tag string) (TagRecord, error) {
	if err := manifest.ValidName(name); err != nil {
		return TagRecord{}, err
	}
	if err := manifest.ValidTag(tag); err != nil {
		return TagRecord{}, err
	}
	return l.ReadTag(ctx, name, tag)
}

// ReadTag returns the register of a tag. That there is none is no error.
// A failure that concerns it alone is an *UnreadableError; see broken.
func (l *Ledger) ReadTag(ctx context.Context, name, tag string) (TagRecord, error) {
	var t *manifest.Tag
	info, err := l.ReadRegister(ctx, manifest.TagKey(name, tag), name+"@"+tag, func(body []byte) (err error) {
		t, err = manifest.DecodeTag(body, name, tag)
		return err
	})
	if IsNotFound(err) {
		return TagRecord{}, nil
	}
	if err != nil {
		return TagRecord{Stored: info}, err
	}
	return TagRecord{Tag: t, Stored: info}, nil
}

// PutTag writes the state next over the register was.
func (l *Ledger) PutTag(ctx context.Context, was TagRecord, next *manifest.Tag) (TagRecord, error) {
	if was.Tag != nil {
		next = was.Move(next.State, next.Version, next.Digest, was.Stored.Modified)
	}
	body, err := next.Encode()
	if err != nil {
		return TagRecord{}, err
	}
	info, err := l.Write(ctx, manifest.TagKey(next.Name, next.Tag), body, was.Stored.Token, next.Nonce)
	if err != nil {
		return TagRecord{}, err
	}
	return TagRecord{next, info}, nil
}

// Tags yields the tags of an object that are set. An error is the last, unless
// it is an *UnreadableError.
func (l *Ledger) Tags(ctx context.Context, name string) iter.Seq2[TagRecord, error] {
	return func(yield func(TagRecord, error) bool) {
		names := func(yield func(string, error) bool) {
			for info, err := range l.Store.List(ctx, manifest.TagsPrefix(name), "") {
				if err != nil {
					if err = ListingError(err); !yield("", err) || !IsUnreadable(err) {
						return
					}
					continue
				}
				if _, tag, err := manifest.ParseTagKey(info.Key); err == nil && !yield(tag, nil) {
					return // an error: not ours; verify tells
				}
			}
		}
		read := func(ctx context.Context, tag string) (TagRecord, error) { return l.ReadTag(ctx, name, tag) }
		for res := range Parallel(ctx, names, read) {
			if res.Err != nil {
				if !yield(TagRecord{}, res.Err) || !IsUnreadable(res.Err) {
					return
				}
				continue
			}
			if res.Out.Set() && !yield(res.Out, nil) {
				return
			}
		}
	}
}
