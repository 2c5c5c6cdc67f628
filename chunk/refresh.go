package chunk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mindtrace/registry/manifest"
)

// Refresh makes new evidence that packs are there, for a save that has been
// at it for long, and returns the store time that it is later than. The
// chunks of files and tables are in these packs.
//
// safe tells of a pack that other evidence vouches for (rule E2). A pack of
// the current era needs only to answer (rule E3). One of an earlier era is
// put once more, into the current one; its entry in packs is changed.
func Refresh(ctx context.Context, cfg Config, files []manifest.File, packs []manifest.Pack, safe func(manifest.Pack) bool) (time.Time, error) {
	te, err := cfg.Clock.Fresh(ctx, cfg.Store, 0)
	if err != nil {
		return time.Time{}, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(cfg.Puts, 2))
	for i := range packs {
		if safe != nil && safe(packs[i]) {
			continue
		}
		g.Go(func() error {
			info, err := cfg.Store.Stat(ctx, packs[i].Key())
			if err == nil && info.Size == packs[i].Size && !info.Now.IsZero() && cfg.Times.EraOf(info.Now) == packs[i].Era {
				return nil
			}
			era, err := putAgain(ctx, &cfg, files, packs, i)
			if err != nil {
				return fmt.Errorf("renewing pack %s: %w", packs[i].ID, err)
			}
			packs[i].Era = era
			return nil
		})
	}
	return te, g.Wait()
}

// putAgain copies packs[i] into the current era. Only the chunks that files
// use are verified, so only they are copied, as a pack of their own.
func putAgain(ctx context.Context, cfg *Config, files []manifest.File, packs []manifest.Pack, i int) (uint64, error) {
	s := span{pack: packs[i]}
	for f := range files {
		for _, c := range files[f].Chunks {
			if c.Pack == i {
				s.add(c, f, 0)
			}
		}
	}
	slices.SortFunc(s.parts, func(a, b part) int { return cmp.Compare(a.offset, b.offset) })
	s.parts = slices.CompactFunc(s.parts, func(a, b part) bool { return a.offset == b.offset })
	whole := int64(0)
	var sums []manifest.Digest
	for _, p := range s.parts {
		if p.offset == whole {
			whole += p.size
			sums = append(sums, p.sum)
		}
	}
	if whole != packs[i].Size || packID(sums) != packs[i].ID {
		return 0, errors.New("only a part of it is used, and its era is over; save again")
	}
	body, err := s.get(ctx, cfg.Store, nil)
	if err != nil {
		return 0, err
	}
	return putPack(ctx, cfg, packs[i], body, func() {})
}
