package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/mindtrace/registry/internal/chunk"
)

// deletedMeanwhile tells a pack that is gone because the version was deleted
// so long ago that it was collected, from one that is lost (attack A33).
func (r *Registry) deletedMeanwhile(ctx context.Context, f *found, err error) error {
	if !errors.Is(err, chunk.ErrMissing) {
		return err
	}
	if _, rerr := r.readLive(ctx, f.Name, f.Version); errors.Is(rerr, ErrDeleted) {
		return fmt.Errorf("%w while it was read", rerr)
	}
	return r.lost(ctx, err)
}
