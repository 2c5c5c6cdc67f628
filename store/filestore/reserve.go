package filestore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/store"
)

// The reserve is a number of files without content of use. When the disk is
// full, a put that serves to free space removes them, and makes them again
// afterwards. The room is only lent: the put replaces one register by another,
// or writes a few bytes. There are several files because inodes may be what
// the disk has run out of; lock files and directories keep those that they
// take.
//
// No correctness depends on the reserve. Any process may remove the files, or
// find them removed; then a deletion may fail on a full disk.
const (
	reserveDir   = ".reserve" // List does not show it
	reserveFiles = 32
	reserveSize  = 32 << 10 // bytes of each file; together they fit the largest usual register
	lendTries    = 20       // other processes may take the room this often
)

var _ store.Reserver = (*Store)(nil)

// Reserve implements store.Reserver.
func (s *Store) Reserve(ctx context.Context) error {
	d, err := s.reserve()
	if err != nil {
		return err
	}
	defer d.close()
	for i := range reserveFiles {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := setAside(d, reserveName(i)); err != nil {
			if oserror.Of(err) == oserror.Full {
				return nil // the disk has no more room
			}
			return err
		}
	}
	return nil
}

func reserveName(i int) string { return fmt.Sprintf("%02x", i) }

// reserve opens the directory of the reserve, and makes it if it does not
// exist. It does not have to be durable, so making it is not an effect.
func (s *Store) reserve() (*folder, error) {
	top, err := s.openFolder("")
	if err != nil {
		return nil, err
	}
	defer top.close()
	if _, err := top.status(reserveDir); oserror.Of(err) == oserror.Absent {
		if err := top.mkdir(reserveDir); err != nil && oserror.Of(err) != oserror.Exists {
			return nil, err
		}
	}
	return s.openFolder(reserveDir)
}

// setAside makes one file of the reserve, unless it exists and is whole. Its
// bytes are random, so that no file system can compress them away.
func setAside(d *folder, name string) error {
	if st, err := d.status(name); err == nil {
		if st.size >= reserveSize {
			return nil
		}
		if err := d.remove(name); err != nil && oserror.Of(err) != oserror.Absent {
			return err
		}
	}
	f, err := d.create(name)
	if oserror.Of(err) == oserror.Exists {
		return nil // another process is making it
	}
	if err != nil {
		return err
	}
	body := make([]byte, reserveSize)
	rand.Read(body)
	_, err = f.Write(body) // as much of it as fits
	return errors.Join(err, f.Close())
}

// lend runs a put. If the disk is full and ctx says that the put serves to
// free space, it gives up the reserve and tries again. Another process may
// take the room first; mostly it needs more, fails, and leaves it.
func (s *Store) lend(ctx context.Context, put func() error) error {
	err := put()
	if !lacksRoom(err) || !store.IsFreeing(ctx) {
		return err
	}
	for try := 0; lacksRoom(err) && try < lendTries; try++ {
		if try > 0 {
			select {
			case <-ctx.Done():
				return errors.Join(err, ctx.Err())
			case <-time.After(time.Duration(try) * time.Millisecond):
			}
		}
		s.giveUp()
		err = put()
	}
	s.Reserve(context.WithoutCancel(ctx)) // if this fails, the next collection makes the reserve
	return err
}

// lacksRoom reports whether a put has failed for lack of space and has changed
// nothing.
func lacksRoom(err error) bool {
	return oserror.Of(err) == oserror.Full && !errors.Is(err, store.ErrUnknown)
}

// giveUp removes the reserve.
func (s *Store) giveUp() {
	d, err := s.openFolder(reserveDir)
	if err != nil {
		return
	}
	defer d.close()
	for i := range reserveFiles {
		d.remove(reserveName(i)) // if another process was faster, the room is free as well
	}
}
