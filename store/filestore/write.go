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

// Large bodies go to the disk from the memory where they are, if the file
// system offers that (O_DIRECT). Written the usual way they are copied into
// memory of the kernel first, which has to be found and cleared, and pushes out
// of it what the machine is working with: next to the digests, that was what
// a save took most of its time for. It gains nothing by it, since a pack is
// written once and flushed at once.
//
// What gets lost is that a load on the same machine finds the pack in memory.
// Where the disk is slow, that is worth more than the copy costs.
const (
	minDirect   = 1 << 20 // bytes of a body
	directSize  = 4 << 20 // of one write
	directAlign = 4 << 10 // of memory, offsets and lengths: enough for all disks

	slowDirect = 32 << 20 // bytes a second of one body, among a few others: less is slow
	maxSlow    = 4        // slow bodies in a row, and no more are written so
)

// writeBody writes the bytes of a new file.
func (s *Store) writeBody(ctx context.Context, f *os.File, body []byte) error {
	at, err := s.writeDirect(ctx, f, body)
	if err != nil {
		return err
	}
	early := at // up to where the disk has begun to write
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

// earlySize is how much the disk is told to write at a time, while the rest
// is still to come: the flush finds little left to do.
const earlySize = 4 << 20

func (s *Store) writePart(ctx context.Context, f *os.File, part []byte) (n int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	err = s.do(effect{op: opWrite, file: f, data: part}, func() (err error) { n, err = f.Write(part); return err })
	return n, err
}

// writeDirect writes as much of a large body as it can to the disk itself, and
// returns how many bytes that are: none where the file system, or what is below
// it, does not take them so.
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
	if errors.Is(err, syscall.EINVAL) { // it wants another alignment, or none of this
		s.slow.Store(maxSlow)
		err = nil
	}
	return at, errors.Join(err, setDirect(f, false))
}

func aligned(b []byte) bool { return uintptr(unsafe.Pointer(unsafe.SliceData(b)))%directAlign == 0 }

// paced notes how long the disk took for n bytes.
func (s *Store) paced(n int, took time.Duration) {
	switch {
	case took.Seconds() > float64(n)/slowDirect:
		s.slow.Add(1)
	case s.slow.Load() < maxSlow:
		s.slow.Store(0)
	}
}
