package manifest

import (
	"errors"
	"fmt"
)

func (p *Placement) empty() bool {
	return len(p.Inline) == 0 && len(p.Packs) == 0 && len(p.Split) == 0 && len(p.Extents) == 0 && len(p.Zstd) == 0
}

// pack sets Split, Extents and Zstd from the chunks of the files.
func (p *Placement) pack(files []File) {
	p.Split, p.Extents, p.Zstd = nil, nil, nil
	if len(p.Packs) == 0 {
		return
	}
	zstd := compressed(files)
	next := int64(-1) // the offset that continues the last extent
	for i := range files {
		f := &files[i]
		if len(f.Chunks) > 1 {
			s := split{File: i, Sizes: make([]int64, len(f.Chunks)), SHA256: make([]Digest, len(f.Chunks))}
			for j, c := range f.Chunks {
				s.Sizes[j], s.SHA256[j] = c.Size, c.SHA256
			}
			p.Split = append(p.Split, s)
		}
		for _, c := range f.Chunks {
			if n := len(p.Extents); n > 0 && p.Extents[n-1][0] == int64(c.Pack) && next == c.Offset {
				p.Extents[n-1][2]++
			} else {
				p.Extents = append(p.Extents, [3]int64{int64(c.Pack), c.Offset, 1})
			}
			next = c.Offset + c.Len()
			if zstd {
				p.Zstd = append(p.Zstd, c.Stored)
			}
		}
	}
}

// unpack sets the chunks of the files from the placement. It checks that the tables
// are complete, and agree with each other and with the rest of the manifest.
func (m *Manifest) unpack() error {
	files, p := m.Content.Files, &m.Placement
	if err := checkFiles(files); err != nil {
		return err
	}
	size, err := totalSize(files)
	if err != nil {
		return err
	}
	if size != m.Size || len(files) != m.Count {
		return fmt.Errorf("%d files of %d bytes, not %d of %d", len(files), size, m.Count, m.Size)
	}
	d, err := m.Content.Digest()
	if err != nil {
		return err
	}
	if d != m.Digest {
		return fmt.Errorf("the content has the digest %s, not %s", d, m.Digest)
	}
	if len(p.Packs) == 0 {
		return p.checkInline(files, size)
	}
	if len(p.Inline) > 0 {
		return errors.New("both inline and in packs")
	}
	if err := checkPacks(p.Packs); err != nil {
		return err
	}
	if err := p.cut(files); err != nil {
		return err
	}
	if err := p.shrink(files); err != nil {
		return err
	}
	return p.place(files)
}

// totalSize adds the sizes of the files. It refuses a sum that overflows: such
// files could claim more bytes than the manifest's Size.
func totalSize(files []File) (int64, error) {
	var size int64
	for i := range files {
		if size += files[i].Size; size < 0 {
			return 0, errors.New("the sizes of the files add up to more than 2⁶³-1")
		}
	}
	return size, nil
}

func (p *Placement) checkInline(files []File, size int64) error {
	if len(p.Split) > 0 || len(p.Extents) > 0 || len(p.Zstd) > 0 {
		return errors.New("chunks without packs")
	}
	if int64(len(p.Inline)) != size {
		return fmt.Errorf("%d bytes inline, the files have %d", len(p.Inline), size)
	}
	if size > MaxInline {
		return fmt.Errorf("%d bytes inline, the limit is %d", size, MaxInline)
	}
	return nil
}

func checkPacks(packs []Pack) error {
	for _, k := range packs {
		if k.Size <= 0 || k.Size > MaxPack || k.Era >= maxEra {
			return fmt.Errorf("pack %s has size %d, era %d", k.ID, k.Size, k.Era)
		}
	}
	return nil
}

// cut sets the chunks of the files, without their places.
func (p *Placement) cut(files []File) error {
	rest := p.Split
	for i := range files {
		f := &files[i]
		if len(rest) > 0 && rest[0].File == i {
			s := rest[0]
			rest = rest[1:]
			if len(s.Sizes) != len(s.SHA256) || len(s.Sizes) < 2 {
				return fmt.Errorf("chunks of %q: %d sizes, %d digests", f.Path, len(s.Sizes), len(s.SHA256))
			}
			f.Chunks = make([]Chunk, len(s.Sizes))
			var sum int64
			for j := range s.Sizes {
				if s.Sizes[j] <= 0 || s.Sizes[j] > MaxChunk {
					return fmt.Errorf("chunk of %q has size %d", f.Path, s.Sizes[j])
				}
				f.Chunks[j] = Chunk{SHA256: s.SHA256[j], Size: s.Sizes[j]}
				sum += s.Sizes[j]
			}
			if sum != f.Size {
				return fmt.Errorf("chunks of %q have %d bytes, the file %d", f.Path, sum, f.Size)
			}
			continue
		}
		if f.Size > MaxChunk {
			return fmt.Errorf("%q has %d bytes and no chunks", f.Path, f.Size)
		}
		if f.Size > 0 {
			f.Chunks = []Chunk{{SHA256: f.SHA256, Size: f.Size}}
		}
	}
	if len(rest) > 0 {
		return fmt.Errorf("chunks of file %d, out of order or beyond the %d files", rest[0].File, len(files))
	}
	return nil
}

// shrink sets the stored sizes of compressed chunks.
func (p *Placement) shrink(files []File) error {
	if len(p.Zstd) == 0 {
		return nil
	}
	rest := p.Zstd
	for i := range files {
		for j := range files[i].Chunks {
			c := &files[i].Chunks[j]
			if len(rest) == 0 {
				return errors.New("more chunks than stored sizes")
			}
			c.Stored, rest = rest[0], rest[1:]
			if c.Stored < 0 || c.Stored >= c.Size {
				return fmt.Errorf("chunk of %q of %d bytes is compressed to %d", files[i].Path, c.Size, c.Stored)
			}
		}
	}
	if len(rest) > 0 {
		return errors.New("more stored sizes than chunks")
	}
	if !compressed(files) {
		return errors.New("stored sizes, and no chunk is compressed")
	}
	return nil
}

// place sets the packs and offsets of the chunks.
func (p *Placement) place(files []File) error {
	var e [3]int64 // pack, offset, chunks left
	rest := p.Extents
	for i := range files {
		for j := range files[i].Chunks {
			c := &files[i].Chunks[j]
			if e[2] == 0 {
				if len(rest) == 0 {
					return errors.New("more chunks than places")
				}
				e, rest = rest[0], rest[1:]
				if e[0] < 0 || e[0] >= int64(len(p.Packs)) || e[1] < 0 || e[2] <= 0 {
					return fmt.Errorf("bad extent %v", e)
				}
			}
			c.Pack, c.Offset = int(e[0]), e[1]
			if c.Offset > p.Packs[c.Pack].Size-c.Len() {
				return fmt.Errorf("chunk reaches past the end of pack %s", p.Packs[c.Pack].ID)
			}
			e[1] += c.Len()
			e[2]--
		}
	}
	if e[2] != 0 || len(rest) > 0 {
		return errors.New("more places than chunks")
	}
	return nil
}
