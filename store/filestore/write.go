package filestore

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
	"unsafe"

	"github.com/mindtrace/registry/internal/mechanism"
)

// Large bodies go to the disk straight from the memory of the process, if the
// file system supports that (O_DIRECT). A usual write copies them into the
// kernel's page cache first. The kernel has to find and clear that memory, and
// evicts other data for it; next to the digests, that was the largest part of
// a save's time. The copy gains nothing, since a pack is written once and
// flushed at once.
//
// The price: a load on the same machine does not find the pack in the page
// cache. Where the disk is slow, that is worth more than the copy costs.
const (
	minDirect   = 1 << 20 // bytes of a body
	directSize  = 4 << 20 // of one write
	directAlign = 4 << 10 // of memory, offsets and lengths: enough for all disks

	slowDirect = 32 << 20 // bytes a second: a body, written beside a few others, is slow below that
	maxSlow    = 4        // slow bodies in a row before the store stops writing directly
)

// writeBody writes the bytes of a new file.
func (s *Store) writeBody(ctx context.Context, f *os.File, body []byte) error {
	at, err := s.writeDirect(ctx, f, body)
	if err != nil {
		return err
	}
	early := at // the disk has begun to write the bytes up to here
	for at < len(body) {
		n, err := s.writePart(ctx, f, body[at:min(at+ioSize, len(body))])
		if err != nil {
			return err
		}
		if at += n; at-early >= earlySize || at == len(body) && at >= earlySize {
			writeBack(f, int64(early), int64(at-early))
			early = at
		}
	}
	return nil
}

// earlySize is how many bytes the disk is told to write at a time while the
// rest is still coming, so that the flush finds little left to do.
const earlySize = 4 << 20

func (s *Store) writePart(ctx context.Context, f *os.File, part []byte) (n int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	err = s.do(effect{op: opWrite, file: f, data: part}, func() (err error) { n, err = f.Write(part); return err })
	return n, err
}

// writeDirect writes as much of a large body as it can with O_DIRECT, and
// returns how many bytes it has written: 0 if the file system, or the device
// below it, does not support that.
func (s *Store) writeDirect(ctx context.Context, f *os.File, body []byte) (at int, err error) {
	if !mechanism.Direct || len(body) < minDirect || s.slow.Load() >= maxSlow || !aligned(body) || setDirect(f, true) != nil {
		return 0, nil
	}
	start := time.Now()
	for end := len(body) - len(body)%directAlign; at < end && err == nil; {
		var n int
		n, err = s.writePart(ctx, f, body[at:min(at+directSize, end)])
		at += n
	}
	s.paced(at, time.Since(start))
	if errors.Is(err, syscall.EINVAL) { // it needs another alignment, or does not support this
		s.slow.Store(maxSlow)
		err = nil
	}
	return at, errors.Join(err, setDirect(f, false))
}

func aligned(b []byte) bool { return uintptr(unsafe.Pointer(unsafe.SliceData(b)))%directAlign == 0 }

// paced records how long the disk took for n bytes.
func (s *Store) paced(n int, took time.Duration) {
	switch {
	case took.Seconds() > float64(n)/slowDirect:
		s.slow.Add(1)
	case s.slow.Load() < maxSlow:
		s.slow.Store(0)
	}
}
