package fsck

import (
	"context"
	"fmt"
	"strings"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
)

// mend puts a damaged register right, or removes what nothing depends on.
func (p *repair) mend(ctx context.Context, key string) error {
	starts := func(prefix string) bool { return strings.HasPrefix(key, prefix) }
	switch {
	case manifest.IsMilestone(key), manifest.IsCollectionKey(key):
		return p.r.Store.Delete(ctx, key)
	case starts(manifest.ObjectsPrefix):
		return p.register(ctx, key)
	case starts(manifest.TagsPrefix("")):
		return p.tag(ctx, key)
	case starts(manifest.LocksPrefix):
		return p.r.Locks.Mend(ctx, key)
	}
	return fmt.Errorf("put %s back from a copy by hand", key)
}

// tag restores a tag as it is in the mirror. It is a change of the tag like any
// other, of the state that was found damaged.
func (p *repair) tag(ctx context.Context, key string) error {
	r := p.r
	name, tag, err := manifest.ParseTagKey(key)
	if err != nil {
		return err
	}
	here, err := r.ReadTag(ctx, name, tag)
	if err != nil && !here.Broken(err) {
		return err
	}
	theirs, err := p.from.r.ReadTag(ctx, name, tag)
	if err == nil && theirs.Tag == nil {
		err = fmt.Errorf("%w: no tag %s", fault.ErrNotFound, tag)
	}
	if err != nil {
		return fmt.Errorf("in the mirror: %w", err)
	}
	if theirs.Set() {
		f, err := r.ReadLive(ctx, name, theirs.Version)
		if err != nil {
			return fmt.Errorf("the mirror's tag points at version %s: here %w", theirs.Version, err)
		}
		if f.Digest != theirs.Digest {
			return fmt.Errorf("the mirror's tag points at version %s with the digest %s, here it has %s", theirs.Version, theirs.Digest, f.Digest)
		}
	}
	next := manifest.NewTag(name, tag, theirs.Version, theirs.Digest)
	next.State, next.Moves = theirs.State, theirs.Moves
	now, err := r.PutTag(ctx, here, next)
	if err == nil && now.Set() {
		err = r.Settle(ctx, now, ledger.TagRecord{})
	}
	if err == nil {
		r.Log.InfoContext(ctx, "tag restored", "name", name, "tag", tag, "version", theirs.Version)
	}
	return ledger.TagErr(tag, err)
}
