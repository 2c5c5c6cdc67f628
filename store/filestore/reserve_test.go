package filestore

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/mindtrace/registry/store"
)

// reserved counts the whole files of the reserve.
func reserved(t *testing.T, s *Store) (n int) {
	t.Helper()
	for i := range reserveFiles {
		if fi, err := os.Stat(filepath.Join(s.root, reserveDir, reserveName(i))); err == nil && fi.Size() == reserveSize {
			n++
		}
	}
	return n
}

// fullUnlessLent makes every write fail as long as something is set aside, and
// the next times so many more, as if others had taken it.
func fullUnlessLent(t *testing.T, s *Store, why error, taken int) {
	t.Helper()
	if err := s.Reserve(t.Context()); err != nil || reserved(t, s) != reserveFiles {
		t.Fatalf("%d files set aside, %v", reserved(t, s), err)
	}
	s.around = func(e effect, happen func() error) error {
		if e.op == opWrite {
			if reserved(t, s) > 0 {
				return &os.PathError{Op: "write", Path: e.file.Name(), Err: why}
			}
			if taken--; taken >= 0 {
				return &os.PathError{Op: "write", Path: e.file.Name(), Err: why}
			}
		}
		return happen()
	}
}

// A put that serves to free space gets what is set aside, also by a quota, and
// after others have taken it for a moment; then it is there again. Other puts
// do not get it.
func TestReserveIsLent(t *testing.T) {
	for _, why := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		for _, taken := range []int{0, 3, lendTries - 1} {
			s := open(t, t.TempDir())
			info, err := s.Put(t.Context(), "a/b", []byte("1"), store.Absent)
			if err != nil {
				t.Fatal(err)
			}
			fullUnlessLent(t, s, why, taken)
			if _, err := s.Put(t.Context(), "a/c", []byte("1"), store.Absent); !errors.Is(err, why) || reserved(t, s) != reserveFiles {
				t.Errorf("a save: %v, %d files set aside", err, reserved(t, s))
			}
			free := store.Freeing(t.Context())
			if _, err := s.Put(free, "a/b", []byte("2"), info.Token); err != nil {
				t.Errorf("%v, taken %d times: a replacement: %v", why, taken, err)
			}
			if _, err := s.Put(free, "a/d", []byte("3"), store.Absent); err != nil {
				t.Errorf("%v: a new key: %v", why, err)
			}
			if reserved(t, s) != reserveFiles {
				t.Errorf("%d files are set aside after that", reserved(t, s))
			}
		}
	}
}

// Where nothing is to be had, it ends; and a put that may have happened is not
// made twice.
func TestReserveEnds(t *testing.T) {
	s := open(t, t.TempDir())
	fullUnlessLent(t, s, syscall.ENOSPC, 1<<30)
	if _, err := s.Put(store.Freeing(t.Context()), "a/b", []byte("1"), store.Absent); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	s = open(t, t.TempDir())
	links := 0
	s.around = func(e effect, happen func() error) error {
		if e.op == opLink {
			links++
		}
		if e.op == opSyncDir && links > 0 {
			return syscall.ENOSPC
		}
		return happen()
	}
	if _, err := s.Put(store.Freeing(t.Context()), "a/b", []byte("1"), store.Absent); !errors.Is(err, store.ErrUnknown) || links != 1 {
		t.Errorf("%v, %d links", err, links)
	}
}

// What is set aside is neither listed, nor cleaned away, nor in the way of a
// new registry; a part that is missing, or cut short, is made whole.
func TestReserveIsNoPart(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	for info, err := range s.List(t.Context(), "", "") {
		t.Errorf("listed: %v, %v", info, err)
	}
	if name, err := s.Foreign(t.Context()); name != "" || err != nil {
		t.Errorf("foreign: %q, %v", name, err)
	}
	now, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if done, err := s.Clean(t.Context(), []string{"", reserveDir + "/"}, now.AddDate(1, 0, 0), false); err != nil || done != (store.Cleaned{}) {
		t.Errorf("cleaned %+v, %v", done, err)
	}
	if err := errors.Join(os.Remove(filepath.Join(s.root, reserveDir, "00")), os.Truncate(filepath.Join(s.root, reserveDir, "03"), 5)); err != nil {
		t.Fatal(err)
	}
	if err := s.Reserve(t.Context()); err != nil || reserved(t, s) != reserveFiles {
		t.Errorf("%d, %v", reserved(t, s), err)
	}
}
