package chunk

import (
	"crypto/sha256"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/mindtrace/registry/internal/manifest"
)

// A decompressor turns chunks as they are stored into their bytes. The zero
// value is ready; it is for one goroutine.
type decompressor struct{ dec *zstd.Decoder }

// plain decompresses the frames in stored, which must hold size bytes, into dst
// if that has room. It uses no more memory than size, whatever sizes the frames
// claim.
func (d *decompressor) plain(dst, stored []byte, size int64) ([]byte, error) {
	if d.dec == nil {
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true),
			zstd.WithDecoderMaxMemory(MaxChunk), zstd.WithDecoderMaxWindow(MaxChunk))
		if err != nil {
			return nil, err
		}
		d.dec = dec
	}
	if int64(cap(dst)) < size {
		dst = make([]byte, size)
	}
	b, err := d.dec.DecodeAll(stored, dst[:0:size])
	if err != nil {
		return nil, err
	}
	if int64(len(b)) != size {
		return nil, fmt.Errorf("decompressed to %d bytes, not %d", len(b), size)
	}
	return b, nil
}

// chunk returns the verified bytes of a chunk from its stored bytes. They are
// in dst, or in stored itself if the chunk is not compressed.
func (d *decompressor) chunk(dst, stored []byte, c *manifest.Chunk) ([]byte, error) {
	b := stored
	if c.Stored > 0 {
		var err error
		if b, err = d.plain(dst, stored, c.Size); err != nil {
			return nil, err
		}
	}
	if manifest.Sum(b) != c.SHA256 {
		return nil, fmt.Errorf("its bytes do not have the digest %s", c.SHA256)
	}
	return b, nil
}

// Holds reports whether the bytes of a pack hold the chunk undamaged.
func Holds(pack []byte, c manifest.Chunk) bool {
	if c.Offset+c.Len() > int64(len(pack)) {
		return false
	}
	_, err := new(decompressor).chunk(nil, pack[c.Offset:c.Offset+c.Len()], &c)
	return err == nil
}

// PackID returns the id of a pack of these chunks. Each argument is one chunk,
// as it is stored.
func PackID(stored ...[]byte) manifest.Digest {
	sums := make([]manifest.Digest, len(stored))
	for i := range stored {
		sums[i] = manifest.Sum(stored[i])
	}
	return packID(sums)
}

// packID is the SHA-256 of the digests of a pack's chunks, as they are stored,
// in order. For an uncompressed chunk that is the chunk's own digest, so the
// bytes are not hashed twice.
func packID(sums []manifest.Digest) manifest.Digest {
	h := sha256.New()
	for i := range sums {
		h.Write(sums[i][:])
	}
	return manifest.Digest(h.Sum(nil))
}

// levels are the levels that Restored tries, the usual one first.
var levels = []zstd.EncoderLevel{zstd.SpeedFastest, zstd.SpeedDefault, zstd.SpeedBetterCompression, zstd.SpeedBestCompression}

// minSkip is the size of the smallest frame that decoders skip: a magic number
// and the length of its content.
const minSkip = 8

// Restored returns the stored form of a chunk, c.Len() bytes, to repair a pack.
// If the chunk is stored compressed, the bytes may differ from the lost ones,
// which another version of the encoder may have made. Restored fails if it
// cannot make frames of exactly that size.
func Restored(plain []byte, c manifest.Chunk) ([]byte, error) {
	if c.Stored == 0 {
		return plain, nil
	}
	for _, level := range levels {
		b := newEncoder(level, 1).EncodeAll(plain, nil)
		if int64(len(b)) == c.Stored {
			return b, nil
		}
		if rest := c.Stored - int64(len(b)); rest >= minSkip { // a frame that decoders skip fills the rest
			n := rest - minSkip
			b = append(b, 0x50, 0x2a, 0x4d, 0x18, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
			return append(b, make([]byte, n)...), nil
		}
	}
	return nil, fmt.Errorf("chunk %s cannot be compressed to %d bytes again; save its version anew", c.SHA256, c.Stored)
}
