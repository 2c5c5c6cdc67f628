package registry

import (
	"context"
	"errors"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/store"
)

// Delete deletes the versions that ref means: one version
// ("my:model@1.2.3", "my:model@latest"), or all in a range ("my:model@<2",
// "my:model@*"). A name alone is refused. It returns the versions deleted,
// also when it fails half-way.
//
// A version in a range whose register is damaged, or of a newer format, is left
// alone, and the others are deleted; the error, which is ErrIntegrity or
// ErrNewer, names it. In an unversioned registry older versions that a save
// has left behind are deleted too.
//
// A deleted version can be brought back with Undelete for a week. Its number
// is never used again. Its data is freed by garbage collection, some time
// later.
//
// If one of the versions has a tag, nothing is deleted and the error is
// ErrTagged, unless WithForce is given: then the tags are removed. So is a tag
// that is set at the same moment. Undelete does not bring tags back.
func (r *Registry) Delete(ctx context.Context, ref string, opts ...DeleteOption) ([]Version, error) {
	ctx = store.Freeing(ctx)
	var name string
	var tried []Version
	done, err := r.ledger.Delete(ctx, ref, isForced(opts), func(f *ledger.Record) error {
		name, tried = f.Name, append(tried, f.Version)
		_, err := r.ledger.Bury(ctx, f)
		return err
	})
	if derr := r.ledger.DropTags(ctx, name, tried); derr != nil {
		err = errors.Join(err, derr)
	}
	return done, wrap(ctx, "delete", ref, err)
}

// WouldDelete returns what Delete would delete.
func (r *Registry) WouldDelete(ctx context.Context, ref string, opts ...DeleteOption) ([]Version, error) {
	found, err := r.ledger.Delete(ctx, ref, isForced(opts), func(*ledger.Record) error { return nil })
	return found, wrap(ctx, "delete", ref, err)
}

// DeleteOption adjusts one Delete or WouldDelete.
type DeleteOption interface{ applyDelete(*deleteOptions) }

type deleteOptions struct{ force bool }

type deleteOption func(*deleteOptions)

func (f deleteOption) applyDelete(o *deleteOptions) { f(o) }

// WithForce deletes versions that have tags too, and removes the tags.
func WithForce() DeleteOption {
	return deleteOption(func(o *deleteOptions) { o.force = true })
}

func isForced(opts []DeleteOption) bool {
	var o deleteOptions
	for _, opt := range opts {
		opt.applyDelete(&o)
	}
	return o.force
}

// Undelete brings a deleted version back. It takes an exact version, and works
// for a week after the deletion. In an unversioned registry only the highest
// version can come back. One whose save failed with ErrTooSlow cannot; one that
// is live still, though saved or brought back too late, is ErrTooSlow itself.
func (r *Registry) Undelete(ctx context.Context, ref string) error {
	return wrap(ctx, "undelete", ref, r.ledger.Undelete(ctx, ref))
}
