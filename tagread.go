package registry

import (
	"context"
	"iter"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

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
