package chunk

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mindtrace/registry/internal/manifest"
)

// Refresh makes new evidence for the packs of a save that has taken long. It
// returns a store time that is before the new evidence. The chunks of files and
// tables are in these packs.
//
// safe reports whether a pack has other evidence (rule E2 of
// docs/protocol.md). A pack of the current era only needs to answer (rule E3).
// A pack of an earlier era is put once more, into the current one, without the
// chunks that files do not use. Refresh changes its entry in packs, and the
// places of chunks in files.
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
			if err := putAgain(ctx, &cfg, files, packs, i); err != nil {
				return fmt.Errorf("renewing pack %s: %w", packs[i].ID, err)
			}
			return nil
		})
	}
	return te, g.Wait()
}

// putAgain copies packs[i] into the current era, and changes its entry. It can
// verify only the chunks that files use, so it copies only those. If the pack
// has other chunks too, the copy is a different pack, and the chunks move.
func putAgain(ctx context.Context, cfg *Config, files []manifest.File, packs []manifest.Pack, i int) error {
	var used []*manifest.Chunk
	for f := range files {
		for j := range files[f].Chunks {
			if c := &files[f].Chunks[j]; c.Pack == i { // files of other packs are not read here: another goroutine may change them
				used = append(used, c)
			}
		}
	}
	slices.SortFunc(used, func(a, b *manifest.Chunk) int { return cmp.Compare(a.Offset, b.Offset) })
	size := bufferSize(int(packs[i].Size))
	free, err := cfg.Budget.Hold(ctx, int64(size)+MaxChunk) // the pack, and one decompressed chunk
	if err != nil {
		return err
	}
	defer free()
	buf := cfg.Budget.buffer(size)
	defer cfg.Budget.keep(buf)
	s := span{pack: packs[i], size: packs[i].Size}
	body, err := s.read(ctx, cfg.Store, buf)
	if err == nil && !holdsAll(body, used) { // damaged on the way
		if body, err = s.read(ctx, cfg.Store, buf); err == nil && !holdsAll(body, used) {
			err = fmt.Errorf("%w: %s does not hold its chunks", ErrCorrupt, packs[i].Key())
		}
	}
	if err != nil {
		return err
	}
	pack, places := compact(body, used)
	body = body[:pack.Size]
	u := putter{cfg: cfg}
	if pack.Era, err = u.put(ctx, pack, body, func() {}); err != nil {
		return err
	}
	packs[i] = pack
	for n, c := range used {
		c.Offset = places[n]
	}
	return nil
}

func holdsAll(body []byte, chunks []*manifest.Chunk) bool {
	return !slices.ContainsFunc(chunks, func(c *manifest.Chunk) bool { return !Holds(body, *c) })
}

// compact moves the bytes of chunks, which are in ascending order, to the start
// of body, end to end. It returns the pack of these bytes, and the places of
// the chunks in it.
func compact(body []byte, chunks []*manifest.Chunk) (pack manifest.Pack, places []int64) {
	var stored [][]byte
	last := int64(-1)
	for _, c := range chunks {
		if c.Offset != last { // files share chunks
			last = c.Offset
			at := pack.Size
			pack.Size += int64(copy(body[at:], body[c.Offset:c.Offset+c.Len()]))
			stored = append(stored, body[at:pack.Size])
		}
		places = append(places, pack.Size-c.Len())
	}
	pack.ID = PackID(stored...)
	return pack, places
}
