package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/chunk"
)

// DeletedMeanwhile tells a pack that is gone because the version was deleted
// so long ago that it was collected, from one that is lost (attack A33).
func (l *Ledger) DeletedMeanwhile(ctx context.Context, f *Record, err error) error {
	if !errors.Is(err, chunk.ErrMissing) {
		return err
	}
	if _, rerr := l.ReadLive(ctx, f.Name, f.Version); errors.Is(rerr, fault.ErrDeleted) {
		return fmt.Errorf("%w while it was read", rerr)
	}
	return l.orRegistryGone(ctx, err)
}
