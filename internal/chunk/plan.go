package chunk

import (
	"cmp"
	"slices"

	"github.com/mindtrace/registry/internal/manifest"
)

// maxGap is how many unwanted bytes between two chunks are read to save
// a request.
const maxGap = 256 << 10

// planSmall returns the spans of the wanted files that have one chunk. They are
// in the order of the packs. A chunk is read once, even if several files share
// it.
func planSmall(m *manifest.Manifest, want []int) []span {
	type item struct {
		manifest.Chunk
		file int
	}
	var items []item
	for _, i := range want {
		if c := m.Content.Files[i].Chunks; len(c) == 1 {
			items = append(items, item{c[0], i})
		}
	}
	slices.SortFunc(items, func(a, b item) int {
		return cmp.Or(cmp.Compare(a.Pack, b.Pack), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.file, b.file))
	})
	var spans []span
	pack := -1
	for _, it := range items {
		n := len(spans)
		if it.Pack != pack || it.Offset > spans[n-1].offset+spans[n-1].size+maxGap || spans[n-1].full(&it.Chunk) {
			spans = append(spans, span{pack: m.Placement.Packs[it.Pack], offset: it.Offset})
			pack, n = it.Pack, n+1
		}
		spans[n-1].add(it.Chunk, it.file, 0)
	}
	return spans
}

// planFile returns the spans of the chunks [first, last) of a file, in the
// order of the file.
func planFile(packs []manifest.Pack, f *manifest.File, file, first, last int) []span {
	var spans []span
	var at int64
	for i := range first {
		at += f.Chunks[i].Size
	}
	pack := -1
	for _, c := range f.Chunks[first:last] {
		n := len(spans)
		if c.Pack != pack || c.Offset != spans[n-1].offset+spans[n-1].size || spans[n-1].full(&c) {
			spans = append(spans, span{pack: packs[c.Pack], offset: c.Offset})
			pack, n = c.Pack, n+1
		}
		spans[n-1].add(c, file, at)
		at += c.Size
	}
	return spans
}

// add extends the span to the end of c, which does not begin before the span.
func (s *span) add(c manifest.Chunk, file int, at int64) {
	offset := c.Offset - s.offset
	p := part{sum: c.SHA256, offset: offset, size: c.Size, stored: c.Stored, plain: s.plain, file: file, at: at}
	if s.ends(&c) {
		p.plain = s.parts[len(s.parts)-1].plain
	} else {
		s.plain += c.Size
	}
	s.parts = append(s.parts, p)
	s.size = max(s.size, offset+c.Len())
	s.packed = s.packed || c.Stored > 0
}

// ends reports whether the span's last part is the same chunk.
func (s *span) ends(c *manifest.Chunk) bool {
	n := len(s.parts)
	return n > 0 && s.parts[n-1].offset == c.Offset-s.offset && s.parts[n-1].size == c.Size && s.parts[n-1].stored == c.Stored
}

// full reports whether the span's parts with c would exceed MaxPack bytes,
// decompressed.
func (s *span) full(c *manifest.Chunk) bool { return s.plain+c.Size > MaxPack && !s.ends(c) }
