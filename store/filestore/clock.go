package filestore

import (
	"context"
	"time"

	"github.com/mindtrace/registry/internal/oserror"
)

// reading is a reading of the file system's clock.
type reading struct {
	here   time.Time     // the local clock at that moment, wall and monotonic
	offset time.Duration // of the file system's clock from the local one
}

// tick is a difference of two clocks that does not count: file systems stamp
// files with a coarse clock.
const tick = time.Second

// Now implements store.Store. The clock is that of the file system, which on
// a network mount is the server's. Now reads it off a new file. In a directory
// that cannot be written to, it uses the last reading, or else the local clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	before := time.Now()
	var at time.Time
	err := s.lend(ctx, func() (err error) {
		at, err = s.stamp()
		return err
	})
	switch class := oserror.Of(err); {
	case err == nil:
		s.observe(at, before, time.Now())
	case class == oserror.Absent, class == oserror.Denied, class == oserror.ReadOnly, class == oserror.Full:
		if at, err = s.now(), nil; at.IsZero() {
			at = before.Round(0)
		}
	}
	if err = s.found(err); err != nil {
		return time.Time{}, err
	}
	return at, nil
}

// stamp reads the file system's clock off a new file.
func (s *Store) stamp() (time.Time, error) {
	d, err := s.openFolder("")
	if err != nil {
		return time.Time{}, err
	}
	defer d.close()
	f, err := s.createTemp(d)
	if err != nil {
		return time.Time{}, err
	}
	defer s.removeTemp(d, f)
	defer f.Close()
	st, err := statusOfFile(f)
	return st.changed, err
}

// observe records a time that the file system stamped between two moments of
// the local clock. It ignores the zero time.
func (s *Store) observe(at, before, after time.Time) {
	if at.IsZero() {
		return
	}
	r := &reading{here: after}
	switch early, late := before.Round(0).Sub(at), at.Sub(after.Round(0)); {
	case early > tick:
		r.offset = -early
	case late > tick:
		r.offset = late
	}
	s.clock.Store(r)
}

// now computes the file system's clock from the last reading. It is zero
// before the first reading, and after the local clock was set: the local clock
// never stands in for the store's.
func (s *Store) now() time.Time {
	r := s.clock.Load()
	if r == nil {
		return time.Time{}
	}
	t := time.Now()
	at := t.Round(0)
	if set := at.Sub(r.here.Round(0)) - t.Sub(r.here); set.Abs() > tick {
		return time.Time{}
	}
	return at.Add(r.offset)
}
