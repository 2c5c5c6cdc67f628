package sim

import (
	"slices"

	"github.com/klauspost/compress/zstd"
)

// This file reads versions back, without the registry's help.

var decoder = func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	return d
}()

func (o *oracle) readBack(reg *register) {
	m := reg.m
	compressed := false
	for i, f := range m.Content.Files {
		var b []byte
		for _, c := range f.Chunks {
			pack := o.r.w.objects[m.Placement.Packs[c.Pack].Key()].body
			if c.Offset+c.Len() > int64(len(pack)) {
				o.fail("I1: %s: pack too short", reg.key)
				return
			}
			stored := pack[c.Offset : c.Offset+c.Len()]
			if c.Stored > 0 {
				compressed = true
				plain, err := decoder.DecodeAll(stored, nil)
				if err != nil || int64(len(plain)) != c.Size {
					o.fail("I1: %s: a chunk decompresses to %d bytes, not %d: %v", reg.key, len(plain), c.Size, err)
					return
				}
				stored = plain
			}
			b = append(b, stored...)
		}
		if want := o.saves[reg.id].files; i >= len(want) || string(b) != want[i] {
			o.fail("I1: %s: file %s is %.40q", reg.key, f.Path, b)
		}
	}
	if compressed != slices.Contains(m.Requires, "zstd") {
		o.fail("%s requires %q; compressed: %t", reg.key, m.Requires, compressed)
	}
	if compressed {
		o.r.count("compressed versions read back")
	}
	o.r.count("versions read back")
}
