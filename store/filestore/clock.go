package filestore

import (
	"context"
	"os"
	"time"
)

// Now implements store.Store. The clock is that of the file system, which on
// a network mount is the server's: it is read off a new file. A directory
// that cannot be written to has no clock but our own.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	before := time.Now()
	f, err := os.CreateTemp(s.root, tempPrefix+"*")
	if err != nil {
		return s.now(), nil
	}
	defer os.Remove(f.Name())
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return time.Time{}, err
	}
	changed, err := changeTime(f, fi)
	if err != nil {
		return time.Time{}, err
	}
	s.observe(changed, before, time.Now())
	return changed, nil
}

// observe takes note of a time that the file system stamped between two
// moments of our own clock. Less than a second is the file system's coarser
// clock tick, not another clock.
func (s *Store) observe(at, before, after time.Time) {
	const tick = time.Second
	off := time.Duration(0)
	switch early, late := before.Round(0).Sub(at), at.Sub(after.Round(0)); {
	case early > tick:
		off = -early
	case late > tick:
		off = late
	}
	s.offset.Store(int64(off))
}

func (s *Store) now() time.Time {
	return time.Now().Round(0).Add(time.Duration(s.offset.Load()))
}
