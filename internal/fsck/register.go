package fsck

import (
	"context"
	"fmt"
	"strings"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
)

// mend restores a damaged register; or removes it, if nothing depends on it.
func (p *repair) mend(ctx context.Context, key string) error {
	starts := func(prefix string) bool { return strings.HasPrefix(key, prefix) }
	switch {
	case manifest.IsMilestone(key), manifest.IsCollectionKey(key):
		return p.l.Store.Delete(ctx, key)
	case starts(manifest.ObjectsPrefix):
		return p.restoreVersion(ctx, key)
	case starts(manifest.TagsPrefix("")):
		return p.restoreTag(ctx, key)
	case starts(manifest.LocksPrefix):
		return p.l.Locks.Mend(ctx, key)
	}
	return fmt.Errorf("%s can only be restored by hand: put it back from a copy", key)
}

// restoreTag sets a damaged tag to its state in the mirror. It swaps the damaged
// state, and checks afterwards that the version is live, as each change of a tag.
func (p *repair) restoreTag(ctx context.Context, key string) error {
	l := p.l
	name, tag, err := manifest.ParseTagKey(key)
	if err != nil {
		return err
	}
	here, err := l.ReadTag(ctx, name, tag)
	if err != nil && !here.IsBroken(err) {
		return err
	}
	theirs, err := p.from.l.ReadTag(ctx, name, tag)
	if err == nil && theirs.Tag == nil {
		err = fmt.Errorf("%w: no tag %s", fault.ErrNotFound, tag)
	}
	if err != nil {
		return fmt.Errorf("in the mirror: %w", err)
	}
	if theirs.IsSet() {
		f, err := l.ReadLive(ctx, name, theirs.Version)
		if err != nil {
			return fmt.Errorf("the mirror's tag points at version %s: here %w", theirs.Version, err)
		}
		if f.Digest != theirs.Digest {
			return fmt.Errorf("the mirror's tag points at version %s with the digest %s, here it has %s", theirs.Version, theirs.Digest, f.Digest)
		}
	}
	next := manifest.NewTag(name, tag, theirs.Version, theirs.Digest)
	next.State, next.Moves = theirs.State, theirs.Moves
	now, err := l.PutTag(ctx, here, next)
	if err == nil && now.IsSet() {
		err = l.ConfirmTag(ctx, now, ledger.TagRecord{})
	}
	if err == nil {
		l.Log.InfoContext(ctx, "tag restored", "name", name, "tag", tag, "version", theirs.Version)
	}
	return ledger.WrapTag(tag, err)
}
