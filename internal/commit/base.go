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

// maxBaseLooks is how many versions a transaction reads, the highest first, to
// find a live one as its base.
const maxBaseLooks = 16

// findBase returns the base: the version whose chunks may be reused. The Writer
// calls it before it puts the first pack. So it is also the place to return
// ErrExists if the number asked for is taken, before data is transferred.
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
			// It was committed too late, so its packs may be gone. A save
			// that reused them would lose them too (docs/attacks.md, A23).
			return nil, nil
		}
		err = t.Ledger.Complete(ctx, f)
	}
	if guess := t.Base == nil || t.Optional; guess && (ledger.IsUnreadable(err) || errors.Is(err, fault.ErrNotFound)) {
		t.Ledger.Log.WarnContext(ctx, "the previous version cannot be read; nothing of it is reused", "name", t.Name, "error", err)
		return nil, nil
	}
	if err != nil || f == nil {
		return nil, err
	}
	t.baseRecord = f
	return f.Manifest, nil
}

// ReadBase reads the version whose chunks may be reused: t.Base, or the highest
// live one. It returns nil if no version is live.
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
