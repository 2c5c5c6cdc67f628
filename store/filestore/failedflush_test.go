package filestore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
)

var errDisk = errors.New("the disk has failed")

// failing keeps the flushes of a directory from happening, as long as fail says
// so. It returns the operations that were tried.
func failing(s *Store, dir string, fail func(ops []effectOp) bool) func() []effectOp {
	var mu sync.Mutex
	var ops []effectOp
	s.around = func(e effect, happen func() error) error {
		mu.Lock()
		ops = append(ops, e.op)
		failed := e.op == opSyncDir && e.path == s.path(dir) && fail(ops)
		mu.Unlock()
		if failed {
			return errDisk
		}
		return happen()
	}
	return func() []effectOp {
		mu.Lock()
		defer mu.Unlock()
		defer func() { ops = nil }()
		return ops
	}
}

// A change that is there for all to see, and whose flush has failed, may be
// lost or not.
func TestFailedFlushLeavesTheOutcomeOpen(t *testing.T) {
	for what, c := range map[effectOp]func(s *Store, match store.Token) error{
		opLink: func(s *Store, _ store.Token) error {
			_, err := s.Put(t.Context(), "a/new", []byte("2"), store.Absent)
			return err
		},
		opRename: func(s *Store, match store.Token) error {
			_, err := s.Put(t.Context(), "a/old", []byte("2"), match)
			return err
		},
		opRemove: func(s *Store, _ store.Token) error { return s.Delete(t.Context(), "a/old") },
	} {
		s := open(t, t.TempDir())
		info := put(t, s, "a/old", "1", store.Absent)
		failing(s, "a", func(ops []effectOp) bool { return slices.Contains(ops, what) })
		if err := c(s, info.Token); !errors.Is(err, store.ErrUnknown) || !errors.Is(err, errDisk) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A directory whose name could not be flushed is flushed by the next put, too:
// nothing in it is durable before.
func TestParentsWhoseFlushFailed(t *testing.T) {
	s := open(t, t.TempDir())
	broken := true
	failing(s, "", func([]effectOp) bool { return broken })
	for range 2 {
		if _, err := s.Put(t.Context(), "a/k", []byte("1"), store.Absent); !errors.Is(err, errDisk) {
			t.Errorf("put into a directory that is not durable: %v", err)
		}
	}
	broken = false
	put(t, s, "a/k", "1", store.Absent)
}

// A replacement that has to be dated later than what it replaces is flushed
// after that, and before it has its name.
func TestTimeIsFlushedBeforeTheName(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "a/k", "1", store.Absent)
	at := time.Now().Add(time.Hour)
	if err := os.Chtimes(s.path("a/k"), at, at); err != nil {
		t.Fatal(err)
	}
	info, err := s.Stat(t.Context(), "a/k")
	if err != nil {
		t.Fatal(err)
	}
	tried := failing(s, "a", func([]effectOp) bool { return false })
	put(t, s, "a/k", "2", info.Token)
	ops := tried()
	name := slices.Index(ops, opRename)
	last := func(op effectOp) int {
		for i := name; i >= 0; i-- {
			if ops[i] == op {
				return i
			}
		}
		return -1
	}
	if dated, flushed := last(opTime), last(opSync); name < 0 || dated < 0 || flushed < dated {
		t.Errorf("%q: it has its name before its date is flushed", ops)
	}
}

// The directories above the store belong to others. One that this user may not
// read is their concern; one whose flush fails is the store's.
func TestDirectoryAboveCannotBeFlushed(t *testing.T) {
	for _, why := range []error{fs.ErrPermission, errDisk} {
		s := open(t, t.TempDir())
		s.around = func(e effect, happen func() error) error {
			if e.op == opSyncDir && e.path == filepath.Dir(s.root) {
				return why
			}
			return happen()
		}
		_, err := s.Put(t.Context(), "k", nil, store.Absent)
		if why == fs.ErrPermission && err != nil || why == errDisk && !errors.Is(err, errDisk) {
			t.Errorf("%v above the store: %v", why, err)
		}
	}
}
