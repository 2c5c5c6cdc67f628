package commit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
)

// maxBaseLooks is how many versions a transaction looks at to find one that is
// live and that it can reuse chunks of.
const maxBaseLooks = 16

// findBase finds the version whose chunks may be reused: the one named, or
// the highest live one. The Writer calls it before it puts the first pack, and
// so it also refuses a version that exists, before the data moves.
func (t *Txn) findBase(ctx context.Context) (*manifest.Manifest, error) {
	if err := t.list(ctx); err != nil {
		return nil, err
	}
	if t.Version != nil && t.isTaken(ctx) {
		return nil, t.errExists(ctx)
	}
	if t.NoReuse {
		return nil, nil
	}
	f, err := t.ReadBase(ctx)
	if err == nil && f != nil {
		if !f.Sound(f.Stored.Modified) {
			return nil, nil // committed too late: its packs may be gone (attack A23)
		}
		err = t.Ledger.Complete(ctx, f)
	}
	if guess := t.Base == nil || t.Optional; guess && (ledger.IsUnreadable(err) || errors.Is(err, fault.ErrNotFound)) {
		t.Ledger.Log.WarnContext(ctx, "the version before cannot be read; nothing of it is reused", "name", t.Name, "error", err)
		return nil, nil
	}
	if err != nil || f == nil {
		return nil, err
	}
	t.baseRecord = f
	return f.Manifest, nil
}

// ReadBase reads the version whose chunks may be reused; nil if there is none.
func (t *Txn) ReadBase(ctx context.Context) (*ledger.Record, error) {
	if t.Base != nil {
		f, err := t.Ledger.Resolve(ctx, *t.Base)
		if err != nil {
			return nil, fmt.Errorf("base %s: %w", t.Base, err)
		}
		return f, nil
	}
	for _, v := range slices.Backward(t.Known[max(0, len(t.Known)-maxBaseLooks):]) {
		f, err := t.Ledger.Read(ctx, t.Name, v)
		switch {
		case errors.Is(err, fault.ErrNotFound):
		case err != nil:
			return nil, err
		case f.State == manifest.Live:
			return f, nil
		case t.Ledger.Decides(f):
			return nil, nil
		}
	}
	return nil, nil
}
