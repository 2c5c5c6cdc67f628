package chunk

import (
	"context"
	"fmt"
	"io"

	"github.com/mindtrace/registry/internal/manifest"
)

// Have reads and hashes a file in from, and finds out which chunks of it are
// there already, at their places. n is the number of their bytes.
func (r *Reader) Have(file int, from io.ReaderAt) (have []bool, n int64, err error) {
	f := &r.m.Content.Files[file]
	have = make([]bool, len(f.Chunks))
	buf := make([]byte, 0, 1<<20)
	var at int64
	for i, c := range f.Chunks {
		if int64(cap(buf)) < c.Size {
			buf = make([]byte, 0, c.Size)
		}
		buf = buf[:c.Size]
		switch got, err := from.ReadAt(buf, at); {
		case got == len(buf):
			if have[i] = manifest.Sum(buf) == c.SHA256; have[i] {
				n += c.Size
			}
		case err != io.EOF:
			return nil, 0, err
		default: // the file ends here
			return have, n, nil
		}
		at += c.Size
	}
	return have, n, nil
}

// FetchMissing writes the chunks of a file to dst that have reports missing. It
// verifies each chunk. It does not verify the digest of the file, and does not
// call Done.
func (r *Reader) FetchMissing(ctx context.Context, file int, have []bool, dst Dest) error {
	f := &r.m.Content.Files[file]
	if len(have) != len(f.Chunks) {
		return fmt.Errorf("the file has %d chunks, not %d", len(f.Chunks), len(have))
	}
	var spans []span
	for first := 0; first < len(have); first++ {
		if have[first] {
			continue
		}
		last := first
		for last < len(have) && !have[last] {
			last++
		}
		spans = append(spans, planFile(r.m.Placement.Packs, f, file, first, last)...)
		first = last
	}
	s, err := r.stream(ctx, spans, func(j *job) error {
		for _, p := range j.parts {
			if err := dst.WriteAt(file, j.of(&p, j.body), p.at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer s.close()
	for {
		j, err := s.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		s.release(j)
	}
}
