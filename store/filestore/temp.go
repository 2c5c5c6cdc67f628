package filestore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const tempPrefix = ".tmp-" // begins the names of temporary files, which List does not show

// temp is a temporary file with a body that does not have the name of its key
// yet.
type temp struct {
	s *Store
	f *os.File
	// dir is the directory of the file, which is flushed once the file has
	// its name. It is open already: an error of opening it later would make
	// the outcome unknown.
	dir      *folder
	parents  *chain // directories to flush before the file gets its name; nil: none
	modified time.Time
	size     int64
	named    bool // its temporary name is gone

	flushed  bool  // nothing has changed since the last flush
	flushErr error // final: a second flush proves nothing (docs/attacks.md, A42)
}

// writeTemp writes a body into a new file in the directory rel.
func (s *Store) writeTemp(ctx context.Context, rel string, body []byte) (_ *temp, err error) {
	dir, f, err := s.openTemp(ctx, rel)
	if err != nil {
		return nil, err
	}
	t := &temp{s: s, f: f, dir: dir, size: int64(len(body))}
	defer func() {
		if err != nil {
			t.discard()
		}
	}()
	if t.parents, err = s.unsecured(rel, dir); err != nil {
		return nil, err
	}
	s.note("write", dir.path)
	if err := s.writeBody(ctx, f, body); err != nil {
		return nil, err
	}
	return t, t.setModified(time.Now())
}

// openTemp creates a temporary file in the directory rel, which it makes if it
// does not exist. Another process may prune the directory while it is empty,
// again and again, until the file is in it (docs/attacks.md, A49).
func (s *Store) openTemp(ctx context.Context, rel string) (*folder, *os.File, error) {
	const tries = 1000
	for try := 0; ; try++ {
		d, err := s.openFolder(rel)
		if err == nil {
			var f *os.File
			if f, err = s.createTemp(d); err == nil {
				return d, f, nil
			}
			d.close()
		}
		if !errors.Is(err, fs.ErrNotExist) || try == tries {
			return nil, nil, err
		}
		if err := errors.Join(ctx.Err(), s.here()); err != nil {
			return nil, nil, err
		}
		if err := s.makeFolder(rel); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
	}
}

// createTemp creates a temporary file in a directory.
func (s *Store) createTemp(d *folder) (f *os.File, err error) {
	name := tempPrefix + rand.Text()[:16]
	err = s.do(effect{op: opCreate, path: d.join(name)}, func() (err error) {
		f, err = d.create(name)
		return err
	})
	return f, err
}

// removeTemp removes a file that createTemp has created. If that fails, Clean
// removes it later.
func (s *Store) removeTemp(d *folder, f *os.File) {
	s.do(effect{op: opRemove, path: f.Name()}, func() error { return d.remove(filepath.Base(f.Name())) })
}

// sync flushes the file, unless it is flushed already, and at the same time
// the directories above that may be new.
func (t *temp) sync() error {
	if t.flushErr != nil {
		return t.flushErr
	}
	secured := t.s.flushChain(t.parents)
	if !t.flushed {
		t.s.note("sync", t.dir.path)
		t.flushErr = t.s.do(effect{op: opSync, file: t.f}, t.f.Sync)
		t.flushed = t.flushErr == nil
	}
	if err := secured(); t.flushErr == nil && err != nil {
		t.flushErr = err
	}
	t.parents = nil
	return t.flushErr
}

// setModified gives the file its token. The kernel's own time stamps are too
// coarse: two puts in one tick would share one.
func (t *temp) setModified(at time.Time) error {
	set := func() error { return t.dir.setModTime(t.f, at) }
	if err := t.s.do(effect{op: opTime, file: t.f, time: at}, set); err != nil {
		return err
	}
	st, err := statusOfFile(t.f)
	if err != nil {
		return err
	}
	t.modified = st.modified // with the precision of this file system
	t.flushed = false
	return nil
}

// laterThan makes the modification time later than at, by as little as the
// file system can express.
//
// Another program may have given the file the last date that the file system
// can express. No Store gave it that date, so the next token is the present
// time, which is later than every date that a Store has given.
func (t *temp) laterThan(at time.Time) error {
	if t.modified.After(at) {
		return nil
	}
	now := t.modified
	for _, step := range []time.Duration{1, time.Microsecond, time.Millisecond, time.Second, 2 * time.Second} {
		err := t.setModified(at.Add(step))
		if err != nil && at.Sub(now) < foreignDate {
			return err
		}
		if err == nil && t.modified.After(at) {
			return t.sync()
		}
	}
	if at.Sub(now) >= foreignDate {
		if err := t.setModified(now); err != nil {
			return err
		}
		return t.sync()
	}
	return fmt.Errorf("file store: %s does not keep modification times", t.dir.path)
}

// foreignDate is how far in the future a date has to be to come from another
// program: each writer of a Store adds a few seconds at most.
const foreignDate = 100 * 365 * 24 * time.Hour

// unname removes the temporary name; the file stays open.
func (t *temp) unname() {
	if !t.named {
		t.s.removeTemp(t.dir, t.f)
		t.named = true
	}
}

// discard closes the file and its directories. It removes the file unless that
// has got the name of a key.
func (t *temp) discard() {
	t.f.Close()
	t.unname()
	t.parents.close()
	t.dir.close()
}
