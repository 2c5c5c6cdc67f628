package chunk

import (
	"context"
	"errors"
	"fmt"

	"github.com/mindtrace/registry/manifest"
	"github.com/mindtrace/registry/store"
)

// getChunk reads one chunk and verifies it.
func getChunk(ctx context.Context, st store.Store, pack manifest.Pack, c manifest.Chunk, buf []byte) ([]byte, error) {
	s := span{pack: pack, offset: c.Offset, size: c.Size, parts: []part{{sum: c.SHA256, size: c.Size}}}
	return s.get(ctx, st, buf)
}

// span is a stretch of one pack that is read with one request.
type span struct {
	pack         manifest.Pack
	offset, size int64
	parts        []part // in order of offset
	unverified   bool   // who reads it verifies the digest of the whole file
}

// part is a chunk in a span, and where its bytes go.
type part struct {
	sum    manifest.Digest
	offset int64 // in the span
	size   int64
	file   int   // index of the file
	at     int64 // offset in the file
}

// get reads a span and verifies its chunks, into buf if that is large enough.
// What is damaged on the way, or in a cache, is read once more; what is damaged
// in the store stays so.
func (s *span) get(ctx context.Context, st store.Store, buf []byte) ([]byte, error) {
	body, err := s.read(ctx, st, buf)
	if err != nil {
		return nil, err
	}
	if err = s.verify(body); err == nil {
		return body, nil
	}
	store.Forget(st, s.pack.Key())
	if body, err := s.read(ctx, st, buf); err != nil {
		return nil, err
	} else if s.verify(body) == nil {
		return body, nil
	}
	return nil, err
}

func (s *span) read(ctx context.Context, st store.Store, buf []byte) ([]byte, error) {
	opts := &store.GetOptions{Offset: s.offset, Length: s.size, Buffer: buf}
	body, _, err := st.Get(ctx, s.pack.Key(), opts)
	if errors.Is(err, store.ErrNotExist) {
		err = fmt.Errorf("%w: %s", ErrMissing, s.pack.Key())
	}
	return body, err
}

func (s *span) verify(body []byte) error {
	if int64(len(body)) < s.size {
		return fmt.Errorf("%w: %s ends at byte %d of %d", ErrCorrupt, s.pack.Key(), s.offset+int64(len(body)), s.pack.Size)
	}
	if s.unverified {
		return nil
	}
	for _, p := range s.parts {
		if manifest.Sum(body[p.offset:p.offset+p.size]) != p.sum {
			return fmt.Errorf("%w: bytes %d to %d of %s do not have their digest %s", ErrCorrupt,
				s.offset+p.offset, s.offset+p.offset+p.size, s.pack.Key(), p.sum)
		}
	}
	return nil
}
