package gc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// sweepBatch is how many packs are found before they are deleted: a listing should
// not be disturbed by deletions all the time.
const sweepBatch = 1000

// sweep deletes the packs of closed eras that are not roots.
//
// This decision never becomes wrong: no version can name one of these packs later,
// and no saver writes to a closed era. So it does no harm if a deletion lands
// late, beside a save of the same bytes (docs/attacks.md, A20), or if another
// collection runs at the same time (A31).
func (c *collector) sweep(ctx context.Context) error {
	var batch []store.Info
	var last uint64
	for info, err := range c.l.Store.List(ctx, manifest.PacksPrefix, "") {
		if err != nil {
			return ledger.ListingError(err)
		}
		p, err := manifest.ParsePackKey(info.Key)
		if err != nil {
			c.stranger(info.Key)
			continue
		}
		if c.report.Eras.Total == 0 || p.Era != last {
			last = p.Era
			c.report.Eras.Total++
			if c.closed(p.Era) {
				c.report.Eras.Closed++
			}
		}
		c.report.Total.add(info.Size)
		flag, named := c.roots[rootOf(p)]
		if named {
			c.roots[rootOf(p)] = flag | listed
		}
		switch {
		case flag&byLive != 0:
			c.report.Live.add(info.Size)
		case flag&byDeleted != 0:
			c.report.Tombstones.add(info.Size)
		case named:
			c.report.Purged.add(info.Size)
		case !c.closed(p.Era):
			c.report.Young.add(info.Size)
		default:
			batch = append(batch, info)
		}
		if len(batch) == sweepBatch {
			if err := c.free(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
		c.progress("sweeping packs", c.report.Total.Bytes, false)
	}
	for _, flag := range c.roots {
		if flag&byLive != 0 && flag&listed == 0 {
			c.report.Missing++
		}
	}
	return c.free(ctx, batch)
}

// free deletes packs, and counts them.
func (c *collector) free(ctx context.Context, packs []store.Info) error {
	all := func(yield func(store.Info, error) bool) {
		for _, info := range packs {
			if !yield(info, nil) {
				return
			}
		}
	}
	remove := func(ctx context.Context, info store.Info) (struct{}, error) {
		if c.dryRun {
			return struct{}{}, nil
		}
		return struct{}{}, c.remove(ctx, info.Key)
	}
	for res := range ledger.Parallel(ctx, all, remove) {
		switch {
		case res.Err == nil:
			c.report.Freed.add(res.In.Size)
		case errors.Is(res.Err, errRetained):
			c.report.Retained.add(res.In.Size)
			c.l.Log.WarnContext(ctx, "pack kept", "key", res.In.Key, "error", res.Err)
		default:
			return fmt.Errorf("deleting %s: %w", res.In.Key, res.Err)
		}
	}
	return ctx.Err()
}

// remove deletes a key that is never written again. errRetained: the store
// refuses it.
func (c *collector) remove(ctx context.Context, key string) error {
	err := c.retry(ctx, func() error { return c.l.Store.Delete(ctx, key) })
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", errRetained, err)
	}
	return err
}
