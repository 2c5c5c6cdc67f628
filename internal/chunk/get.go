package chunk

import (
	"context"
	"errors"
	"fmt"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
)

// getChunk reads one chunk into buf and verifies it. If the chunk is stored
// compressed, it is first read into raw.
func getChunk(ctx context.Context, st store.Store, pack manifest.Pack, c manifest.Chunk, buf, raw []byte) ([]byte, error) {
	s := span{pack: pack, offset: c.Offset}
	s.add(c, 0, 0)
	return s.get(ctx, st, buf, raw)
}

// span is a stretch of one pack that is read with one request.
type span struct {
	pack         manifest.Pack
	offset, size int64
	parts        []part // in order of offset
	plain        int64  // bytes of the parts, decompressed
	packed       bool   // some of them are compressed
	unverified   bool   // the reader verifies the digest of the whole file instead
}

// part is a chunk in a span, and where its bytes go.
type part struct {
	sum    manifest.Digest
	offset int64 // in the span
	size   int64
	stored int64 // size in the span if it is compressed, or 0
	plain  int64 // offset among the bytes of the span's parts, decompressed
	file   int   // index of the file
	at     int64 // offset in the file
}

// get reads a span, into buf if that is large enough, and verifies its chunks.
// It reads damaged bytes once more: damage on the way or in a cache is gone
// then, damage in the store is not.
//
// If some chunks are stored compressed, it first reads into raw. Then it returns
// the decompressed bytes of all parts end to end, without the gaps.
func (s *span) get(ctx context.Context, st store.Store, buf, raw []byte) ([]byte, error) {
	if !s.packed {
		raw = buf
	}
	body, err := s.read(ctx, st, raw)
	if err != nil {
		return nil, err
	}
	plain, err := s.open(body, buf)
	if err == nil {
		return plain, nil
	}
	wrapstore.Forget(st, s.pack.Key(), s.offset, s.size)
	if body, rerr := s.read(ctx, st, raw); rerr != nil {
		return nil, rerr
	} else if plain, rerr := s.open(body, buf); rerr == nil {
		return plain, nil
	}
	return nil, err
}

// of returns the bytes of a part in the result of get.
func (s *span) of(p *part, body []byte) []byte {
	if s.packed {
		return body[p.plain : p.plain+p.size]
	}
	return body[p.offset : p.offset+p.size]
}

func (s *span) read(ctx context.Context, st store.Store, buf []byte) ([]byte, error) {
	opts := &store.GetOptions{Offset: s.offset, Length: s.size, Buffer: buf}
	body, _, err := st.Get(ctx, s.pack.Key(), opts)
	if errors.Is(err, store.ErrNotExist) {
		err = fmt.Errorf("%w: %s", ErrMissing, s.pack.Key())
	}
	return body, err
}

// open decompresses and verifies the bytes of a span.
func (s *span) open(body, buf []byte) ([]byte, error) {
	if int64(len(body)) < s.size {
		return nil, fmt.Errorf("%w: %s ends at byte %d of %d", ErrCorrupt, s.pack.Key(), s.offset+int64(len(body)), s.pack.Size)
	}
	if s.packed {
		var err error
		if body, err = s.decompress(body, buf); err != nil {
			return nil, err
		}
	}
	if s.unverified {
		return body, nil
	}
	for i := range s.parts {
		if p := &s.parts[i]; manifest.Sum(s.of(p, body)) != p.sum {
			return nil, fmt.Errorf("%w: bytes %d to %d of %s do not have their digest %s", ErrCorrupt,
				s.offset+p.offset, s.offset+p.offset+p.len(), s.pack.Key(), p.sum)
		}
	}
	return body, nil
}

// decompress puts the bytes of all parts end to end, each chunk once.
func (s *span) decompress(body, buf []byte) ([]byte, error) {
	if int64(cap(buf)) < s.plain {
		buf = make([]byte, s.plain)
	}
	buf = buf[:s.plain]
	var d decompressor
	done := int64(0)
	for _, p := range s.parts {
		if p.plain < done {
			continue // the same chunk as before, for another file
		}
		done = p.plain + p.size
		stored := body[p.offset : p.offset+p.len()]
		if p.stored == 0 {
			copy(buf[p.plain:], stored)
			continue
		}
		if _, err := d.plain(buf[p.plain:done:done], stored, p.size); err != nil {
			return nil, fmt.Errorf("%w: bytes %d to %d of %s, the chunk %s: %w", ErrCorrupt,
				s.offset+p.offset, s.offset+p.offset+p.stored, s.pack.Key(), p.sum, err)
		}
	}
	return buf, nil
}

func (p *part) len() int64 {
	if p.stored > 0 {
		return p.stored
	}
	return p.size
}
