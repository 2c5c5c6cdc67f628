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
	cfg.complete()
	te, err := cfg.Clock.Fresh(ctx, cfg.Store, 0)
	if err != nil {
		return time.Time{}, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
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
	var chunks []manifest.Chunk
	for f := range files {
		for _, c := range files[f].Chunks {
			if c.Pack == i {
				chunks = append(chunks, c)
			}
		}
	}
	slices.SortFunc(chunks, func(a, b manifest.Chunk) int { return cmp.Compare(a.Offset, b.Offset) })
	chunks = slices.CompactFunc(chunks, func(a, b manifest.Chunk) bool { return a.Offset == b.Offset })
	whole := int64(0)
	for _, c := range chunks {
		if c.Offset == whole {
			whole += c.Len()
		}
	}
	if whole != packs[i].Size {
		return 0, errPart
	}
	size := class(int(packs[i].Size))
	free, err := cfg.Budget.Hold(ctx, int64(size)+MaxChunk) // the pack, and a chunk decompressed
	if err != nil {
		return 0, err
	}
	defer free()
	buf := cfg.Budget.buffer(size)
	defer cfg.Budget.keep(buf)
	s := span{pack: packs[i], size: packs[i].Size}
	body, err := s.read(ctx, cfg.Store, buf)
	if err == nil && !isPack(body, packs[i], chunks) { // damaged on the way
		if body, err = s.read(ctx, cfg.Store, buf); err == nil && !isPack(body, packs[i], chunks) {
			err = fmt.Errorf("%w: %s does not hold its chunks", ErrCorrupt, packs[i].Key())
		}
	}
	if err != nil {
		return 0, err
	}
	return putPack(ctx, cfg, packs[i], body, func() {})
}

var errPart = errors.New("only a part of it is used, and its era is over; save again")

// isPack reports whether body is the pack, made of these chunks.
func isPack(body []byte, pack manifest.Pack, chunks []manifest.Chunk) bool {
	if int64(len(body)) != pack.Size {
		return false
	}
	stored := make([][]byte, len(chunks))
	for i, c := range chunks {
		if !Holds(body, c) {
			return false
		}
		stored[i] = body[c.Offset : c.Offset+c.Len()]
	}
	return PackID(stored...) == pack.ID
}
