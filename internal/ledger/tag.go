package ledger

import (
	"context"
	"iter"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// TagRecord is a tag's register as it was read, or as it was just written. If
// the register does not exist, it is the zero value.
type TagRecord struct {
	*manifest.Tag // nil also if the register is damaged
	Stored        store.Info
}

// IsBroken reports whether the tag's register is damaged; err is the error of
// ReadTag. The register's token is known then, so it can be replaced.
func (t TagRecord) IsBroken(err error) bool {
	return t.Tag == nil && t.Stored.Token != store.Absent && IsDamaged(err)
}

// IsSet reports whether the tag points at a version. A removed tag does not.
func (t TagRecord) IsSet() bool { return t.Tag != nil && t.State == manifest.TagSet }

// Removed returns the register's state after the removal of the tag. It still
// says what the tag pointed at.
func (t TagRecord) Removed() *manifest.Tag {
	if t.Tag == nil {
		return nil
	}
	gone := *t.Tag
	gone.State = manifest.Deleted
	return &gone
}

// ReadNamedTag is ReadTag with a check of name and tag, for input of users.
// Errors: manifest.ErrInvalidName, manifest.ErrInvalidTag.
func (l *Ledger) ReadNamedTag(ctx context.Context, name, tag string) (TagRecord, error) {
	if err := manifest.ValidName(name); err != nil {
		return TagRecord{}, err
	}
	if err := manifest.ValidTag(tag); err != nil {
		return TagRecord{}, err
	}
	return l.ReadTag(ctx, name, tag)
}

// ReadTag returns the register of a tag. If it does not exist, the error is nil
// and the record zero. A failure that concerns this register only is an
// *UnreadableError; see IsBroken.
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

// PutTag replaces the state was of a tag's register by next. If the register has
// changed since was was read, the error is ErrConflict.
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

// Tags yields the tags of an object that point at versions. After an error it
// goes on if the error is an *UnreadableError, and ends otherwise.
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
					return // where err is set, it is not the key of a tag; verify reports it
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
			if res.Out.IsSet() && !yield(res.Out, nil) {
				return
			}
		}
	}
}
