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

// The reserve is some files that hold nothing. When the disk is full, they are
// removed for a put that serves to free space, and made again after it: what is
// lent is not spent, since such a put replaces a register by another, or is a
// few bytes. Several files are several inodes, which may be what is used up: lock
// files and directories that are made then take some for good.
//
// Nothing depends on them. Any process may remove them, or find them removed;
// only then may a deletion fail on a full disk.
const (
	reserveDir   = ".reserve" // List does not show it
	reserveFiles = 32
	reserveSize  = 32 << 10 // of each file; together they have room for the largest register there is as a rule
	lendTries    = 20       // so often others may take what was given up
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
				return nil // it is all there is
			}
			return err
		}
	}
	return nil
}

func reserveName(i int) string { return fmt.Sprintf("%02x", i) }

// reserve opens the directory of the reserve, and makes it if need be. It holds
// nothing that has to be durable, and so is no effect.
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

// setAside makes one file of the reserve, if it is not there and whole. What it
// holds is random, so that no file system makes nothing of it.
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
		return nil // somebody else makes it just now
	}
	if err != nil {
		return err
	}
	body := make([]byte, reserveSize)
	rand.Read(body)
	_, err = f.Write(body) // or as much as there is
	return errors.Join(err, f.Close())
}

// lend gives a put what is set aside, if the disk is full and ctx says that the
// put serves to free space. Others may take it first; they fail for want of
// more, mostly, and then it is there again.
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
	s.Reserve(context.WithoutCancel(ctx)) // what does not work now does after the next collection
	return err
}

// lacksRoom reports whether a put has failed for want of space, and has changed
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
		d.remove(reserveName(i)) // who has removed it before us has made the same room
	}
}
