package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mindtrace/registry/internal/manifest"
)

// maxBaseLooks is how many versions a transaction looks at to find one that is
// live and that it can reuse chunks of.
const maxBaseLooks = 16

// findBase finds the version whose chunks may be reused: the one named, or
// the highest live one. The Writer calls it before it puts the first pack, and
// so it also refuses a version that exists, before the data moves.
func (t *txn) findBase(ctx context.Context) (*manifest.Manifest, error) {
	if err := t.list(ctx); err != nil {
		return nil, err
	}
	if t.version != nil && t.isTaken(ctx) {
		return nil, t.exists(ctx)
	}
	if t.noReuse {
		return nil, nil
	}
	f, err := t.readBase(ctx)
	if err == nil && f != nil {
		if !f.Sound(f.info.Modified) {
			return nil, nil // committed too late: its packs may be gone (attack A23)
		}
		err = t.r.complete(ctx, f)
	}
	if guess := t.base == nil || t.optional; guess && (unreadable(err) || errors.Is(err, ErrNotFound)) {
		t.r.log.WarnContext(ctx, "the version before cannot be read; nothing of it is reused", "name", t.name, "error", err)
		return nil, nil
	}
	if err != nil || f == nil {
		return nil, err
	}
	t.found = f
	return f.Manifest, nil
}

// readBase reads the version whose chunks may be reused; nil if there is none.
func (t *txn) readBase(ctx context.Context) (*found, error) {
	if t.base != nil {
		f, err := t.r.resolve(ctx, *t.base)
		if err != nil {
			return nil, fmt.Errorf("base %s: %w", t.base, err)
		}
		return f, nil
	}
	for _, v := range slices.Backward(t.known[max(0, len(t.known)-maxBaseLooks):]) {
		f, err := t.r.read(ctx, t.name, v)
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return nil, err
		case f.State == manifest.Live:
			return f, nil
		case t.r.settles(f):
			return nil, nil
		}
	}
	return nil, nil
}
