package chunk

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/mechanism"
)

// Dest takes the bytes of files, named by their index in the manifest.
type Dest interface {
	// WriteAt takes bytes of a file. Many goroutines call it at once, for
	// different places. With ReaderOptions.FileDigests, the bytes are verified
	// only when Done is called, and may come twice.
	WriteAt(file int, p []byte, off int64) error
	// Done is called once all bytes of a file have been written and verified.
	Done(file int) error
}

// Fetch writes the regular files of the given indices to dst. Files of one
// chunk come in the order of their packs; then the other files, one by one.
func (r *Reader) Fetch(ctx context.Context, want []int, dst Dest) error {
	stored, err := r.fetchInlined(want, dst)
	if err != nil {
		return err
	}
	spans := planSmall(r.m, stored)
	small := len(spans)
	for _, i := range stored {
		if len(r.m.Content.Files[i].Chunks) > 1 {
			spans = append(spans, r.planWhole(i)...)
		}
	}
	for i := range spans[small:] {
		spans[small+i].unverified = r.byFile
	}
	s, err := r.stream(ctx, spans, func(j *job) error {
		for i := range j.parts {
			p := &j.parts[i]
			if err := dst.WriteAt(p.file, j.of(p, j.body), p.at); err != nil {
				return err
			}
			if len(r.m.Content.Files[p.file].Chunks) == 1 {
				if err := dst.Done(p.file); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer s.close()
	check := &fileCheck{m: r.m}
	for n := 0; ; n++ {
		j, err := s.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n >= small {
			if err := r.checkParts(ctx, check, s, j, dst); err != nil {
				return err
			}
		}
		s.release(j)
	}
}

// fetchInlined writes the files that are not in packs, and returns the others.
func (r *Reader) fetchInlined(want []int, dst Dest) (stored []int, err error) {
	for _, i := range want {
		b, ok, err := r.inlined(i)
		if err != nil {
			return nil, err
		}
		if !ok {
			stored = append(stored, i)
			continue
		}
		if len(b) > 0 {
			if err := dst.WriteAt(i, b, 0); err != nil {
				return nil, err
			}
		}
		if err := dst.Done(i); err != nil {
			return nil, err
		}
	}
	return stored, nil
}

// checkParts hashes the next parts of a file of several chunks.
func (r *Reader) checkParts(ctx context.Context, check *fileCheck, s *stream, j *job, dst Dest) error {
	for i := range j.parts {
		p := &j.parts[i]
		done, err := check.add(p, j.of(p, j.body))
		if errors.Is(err, ErrCorrupt) && r.byFile {
			// This is the last part of its file, so its memory is free.
			done, err = true, r.refetch(ctx, p.file, dst, s, j)
		}
		if err != nil {
			return err
		}
		if done {
			if err := dst.Done(p.file); err != nil {
				return err
			}
		}
	}
	return nil
}

// refetch writes a file once more whose digest was wrong, and verifies every
// chunk of it. It uses the memory of j, a span of the stream.
func (r *Reader) refetch(ctx context.Context, file int, dst Dest, s *stream, j *job) error {
	check := &fileCheck{m: r.m}
	for _, again := range r.planWhole(file) {
		b, err := s.read(ctx, r.st, &again, j.buf)
		if err != nil {
			return err
		}
		for i := range again.parts {
			p := &again.parts[i]
			if err := dst.WriteAt(file, again.of(p, b), p.at); err != nil {
				return err
			}
			if _, err := check.add(p, again.of(p, b)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Reader) planWhole(file int) []span {
	f := &r.m.Content.Files[file]
	return planFile(r.m.Placement.Packs, f, file, 0, len(f.Chunks))
}

// fileCheck verifies the digests of whole files. Their parts come in order.
type fileCheck struct {
	m *manifest.Manifest
	h hash.Hash
	n int64
}

func (c *fileCheck) add(p *part, b []byte) (done bool, err error) {
	if c.n == 0 {
		c.h = mechanism.New256()
	}
	c.h.Write(b)
	c.n += p.size
	f := &c.m.Content.Files[p.file]
	if c.n < f.Size {
		return false, nil
	}
	c.n = 0
	if manifest.Digest(c.h.Sum(nil)) != f.SHA256 {
		return false, fmt.Errorf("%w: %q does not have its digest %s, though its chunks have theirs", ErrCorrupt, f.Path, f.SHA256)
	}
	return true, nil
}
