package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/chunk"
)

// DeletedMeanwhile says why a pack was missing while f was read; err is the error
// of the read. If the version was deleted during the read, so long ago that
// a collection has freed its packs, the error is ErrDeleted. If the registry as
// a whole is gone, the error is ErrNoRegistry. Otherwise it is err: the pack is
// lost (docs/attacks.md, A33).
func (l *Ledger) DeletedMeanwhile(ctx context.Context, f *Record, err error) error {
	if !errors.Is(err, chunk.ErrMissing) {
		return err
	}
	if _, rerr := l.ReadLive(ctx, f.Name, f.Version); errors.Is(rerr, fault.ErrDeleted) {
		return fmt.Errorf("%w while it was read", rerr)
	}
	return l.orRegistryGone(ctx, err)
}
