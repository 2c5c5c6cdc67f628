package filestore

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
)

// recorder is a trace: the operations of a store, in their order.
type recorder struct {
	mu  sync.Mutex
	ops []string // "link /path"
}

func record(s *Store) *recorder {
	r := &recorder{}
	s.trace = func(op, path string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ops = append(r.ops, op+" "+path)
	}
	return r
}

// take returns what was recorded and begins anew.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ops := r.ops
	r.ops = nil
	return ops
}

// inStore shortens the paths in ops that are inside the store, and leaves out
// those above it. Flushes that come one after the other, which may be at once,
// are sorted.
func inStore(s *Store, ops []string) []string {
	var in []string
	for _, op := range ops {
		what, path, _ := strings.Cut(op, " ")
		if path == s.root || strings.HasPrefix(path, s.root+string(filepath.Separator)) {
			in = append(in, what+" ."+filepath.ToSlash(strings.TrimPrefix(path, s.root)))
		}
	}
	for i := 0; i < len(in); i++ {
		from := i
		for i < len(in) && strings.HasPrefix(in[i], "sync") {
			i++
		}
		slices.Sort(in[from:i])
	}
	return slices.Compact(in) // a second sync, where the token had to be made later
}

func wantOps(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s did\n\t%s\nwant\n\t%s", what, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestOrderOfOperations(t *testing.T) {
	s := open(t, t.TempDir())
	r := record(s)

	first := put(t, s, "a/b/k1", "1", store.Absent)
	wantOps(t, "the first create", inStore(s, r.take()),
		"mkdir ./a", "mkdir ./a/b",
		"write ./a/b", "sync ./a/b", "syncdir .", "syncdir ./a",
		"link ./a/b/k1", "syncdir ./a/b")

	put(t, s, "a/b/k2", "1", store.Absent)
	wantOps(t, "a create beside it", inStore(s, r.take()),
		"write ./a/b", "sync ./a/b", "link ./a/b/k2", "syncdir ./a/b")

	put(t, s, "a/c/k", "1", store.Absent)
	wantOps(t, "a create in a new directory", inStore(s, r.take()),
		"mkdir ./a/c",
		"write ./a/c", "sync ./a/c", "syncdir ./a", "link ./a/c/k", "syncdir ./a/c")

	put(t, s, "a/b/k1", "2", first.Token)
	wantOps(t, "a replacement", inStore(s, r.take()),
		"write ./a/b", "sync ./a/b", "rename ./a/b/k1", "syncdir ./a/b")

	if err := s.Delete(t.Context(), "a/b/k1"); err != nil {
		t.Fatal(err)
	}
	wantOps(t, "a delete", inStore(s, r.take()), "remove ./a/b/k1", "syncdir ./a/b")
}

// The directories above the store may be as new as the store, and the first
// put makes all of them durable, up to the root of the file system.
func TestParentsOfTheStore(t *testing.T) {
	base := t.TempDir()
	s := open(t, filepath.Join(base, "x", "y"))
	r := record(s)
	if err := s.MakeRoot(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, s, "k", "1", store.Absent)
	ops := r.take()
	for _, dir := range []string{filepath.Join(base, "x"), s.root} {
		made, flushed := slices.Index(ops, "mkdir "+dir), slices.Index(ops, "syncdir "+filepath.Dir(dir))
		if made < 0 || flushed < made {
			t.Errorf("%s was made as operation %d, its parent flushed as operation %d", dir, made, flushed)
		}
	}
	for dir := base; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if !slices.Contains(ops, "syncdir "+filepath.Dir(dir)) {
			t.Errorf("%s was not flushed", filepath.Dir(dir))
		}
	}
	if link := slices.Index(ops, "link "+filepath.Join(s.root, "k")); link < 0 ||
		!slices.Equal(ops[link+1:], []string{"syncdir " + s.root}) {
		t.Errorf("after the key got its name: %q", ops[link+1:])
	}
	if t.Failed() {
		t.Logf("operations:\n\t%s", strings.Join(ops, "\n\t"))
	}
}

// Behind a symbolic link, the store's own parents are others than its path says.
func TestParentsBehindALink(t *testing.T) {
	base := t.TempDir()
	real := filepath.Join(base, "disk", "registry")
	if err := os.MkdirAll(real, 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(base, "link")
	if err := os.Symlink(real, link); err != nil {
		t.Skip(err)
	}
	s := open(t, link)
	r := record(s)
	put(t, s, "k", "1", store.Absent)
	ops := r.take()
	real, err := filepath.EvalSymlinks(real)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(ops, "syncdir "+filepath.Dir(real)) {
		t.Errorf("the directory that the store is in was not flushed: %q", ops)
	}
}

// Attack A42: a directory that is there already may have been made by another
// process, which has not flushed it yet.
func TestParentsMadeByOthers(t *testing.T) {
	dir := t.TempDir()
	one, two := open(t, dir), open(t, dir)
	put(t, one, "a/b/k1", "1", store.Absent)
	r := record(two)
	put(t, two, "a/b/k2", "1", store.Absent)
	ops := r.take()
	wantOps(t, "a put into directories of another process", inStore(two, ops),
		"write ./a/b", "sync ./a/b", "syncdir .", "syncdir ./a", "link ./a/b/k2", "syncdir ./a/b")
	if !slices.Contains(ops, "syncdir "+filepath.Dir(two.root)) {
		t.Error("the parent of the store was not flushed")
	}
}

// Directories that another goroutine is still making durable are not durable:
// who puts into them meanwhile flushes them as well.
func TestParentsBeingMade(t *testing.T) {
	s := open(t, t.TempDir())
	flushing, resume := make(chan struct{}), make(chan struct{})
	var flushes atomic.Int32 // of the topmost
	s.around = func(e effect, happen func() error) error {
		if e.op == opSyncDir && e.path == s.root && flushes.Add(1) == 1 {
			close(flushing)
			<-resume
		}
		return happen()
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Put(t.Context(), "a/b/k1", []byte("1"), store.Absent)
		done <- err
	}()
	await(t, flushing, done)
	put(t, s, "a/b/k2", "1", store.Absent)
	if n := flushes.Load(); n != 2 {
		t.Errorf("when the second put returned, its parents had been flushed %d times", n-1)
	}
	close(resume)
	if err := <-done; err != nil {
		t.Error(err)
	}
	put(t, s, "a/b/k3", "1", store.Absent)
	if n := flushes.Load(); n != 2 {
		t.Errorf("a third put has flushed them again")
	}
}

// Attacks A42 and A49 together: directories that this process has flushed are
// pruned, and another process makes them anew.
func TestParentsMadeAnew(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "a/b/k1", "1", store.Absent)
	before := identityOf(t, s.path("a"))
	if err := s.Delete(t.Context(), "a/b/k1"); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"a/b", "a"} {
		if err := os.Remove(s.path(dir)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(s.path("a/b"), 0o777); err != nil {
		t.Fatal(err)
	}
	if identityOf(t, s.path("a")) == before {
		t.Skip("the file system cannot tell a directory from its predecessor")
	}
	r := record(s)
	put(t, s, "a/b/k2", "1", store.Absent)
	wantOps(t, "a put into directories made anew", inStore(s, r.take()),
		"write ./a/b", "sync ./a/b", "syncdir .", "syncdir ./a", "link ./a/b/k2", "syncdir ./a/b")
}

func identityOf(t *testing.T, dir string) identity {
	t.Helper()
	id, err := identify(folderAt(t, dir).f)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// pause makes s stop before an operation, until resume is called: the last
// of ops, after the others have come in this order.
func pause(s *Store, ops ...string) (reached <-chan struct{}, resume func()) {
	at, on := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	s.trace = func(op, _ string) {
		mu.Lock()
		stop := len(ops) == 1 && ops[0] == op
		if len(ops) > 0 && ops[0] == op {
			ops = ops[1:]
		}
		mu.Unlock()
		if stop {
			close(at)
			<-on
		}
	}
	return at, sync.OnceFunc(func() { close(on) })
}

// await waits until a call has reached the operation that it is to pause at.
func await(t *testing.T, reached <-chan struct{}, done <-chan error) {
	t.Helper()
	select {
	case <-reached:
	case err := <-done:
		t.Fatalf("it returned (%v) without the operation to pause at", err)
	}
}

// Nothing is acknowledged before the last flush: a writer held up there has
// done its work for all to see, and has not returned.
func TestAcknowledgedAfterFlush(t *testing.T) {
	for _, c := range []struct {
		op   string
		call func(s *Store, match store.Token) error
	}{
		{"link", func(s *Store, _ store.Token) error {
			_, err := s.Put(t.Context(), "a/new", []byte("2"), store.Absent)
			return err
		}},
		{"rename", func(s *Store, match store.Token) error {
			_, err := s.Put(t.Context(), "a/old", []byte("2"), match)
			return err
		}},
		{"remove", func(s *Store, _ store.Token) error { return s.Delete(t.Context(), "a/old") }},
	} {
		t.Run(c.op, func(t *testing.T) {
			s := open(t, t.TempDir())
			info := put(t, s, "a/old", "1", store.Absent)
			flushing, resume := pause(s, c.op, "syncdir")
			defer resume()
			done := make(chan error, 1)
			go func() { done <- c.call(s, info.Token) }()
			await(t, flushing, done)
			select {
			case err := <-done:
				t.Fatalf("returned %v before its last flush", err)
			case <-time.After(50 * time.Millisecond):
			}
			resume()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// A writer that is refused goes on with what it found, which may be a put of
// another process that is still to be flushed: a save names a pack that
// "is there already". So the refused one flushes as well.
func TestRefusedPutFlushes(t *testing.T) {
	dir := t.TempDir()
	one, two := open(t, dir), open(t, dir)
	flushing, resume := pause(one, "link", "syncdir")
	defer resume()
	done := make(chan error, 1)
	go func() {
		_, err := one.Put(t.Context(), "a/k", []byte("1"), store.Absent)
		done <- err
	}()
	await(t, flushing, done)
	r := record(two)
	for _, match := range []store.Token{store.Absent, "stale"} {
		_, err := two.Put(t.Context(), "a/k", []byte("1"), match)
		if !errors.Is(err, store.ErrPrecondition) {
			t.Errorf("match %q: got %v, want ErrPrecondition", match, err)
		}
		want := []string{"syncdir .", "syncdir ./a"}
		if match != store.Absent {
			want = want[1:] // the parents are known by now
		}
		wantOps(t, "a refused put", inStore(two, r.take()), want...)
	}
	resume()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A Delete of an absent key is acknowledged as well, and what it builds on may
// be a Delete that is still to be flushed, or whose flush has failed.
func TestDeleteOfAbsentFlushes(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "a/k", "1", store.Absent)
	r := record(s)
	for key, want := range map[string]string{"a/gone": "syncdir ./a", "a/x/y/gone": "syncdir ./a", "b/gone": "syncdir ."} {
		if err := s.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		ops := inStore(s, r.take())
		if len(ops) == 0 || ops[len(ops)-1] != want {
			t.Errorf("Delete of %s ended with %q, want %q", key, ops, want)
		}
	}
}

// What Get and Stat show may be a put whose process was killed before its
// flush. Flush makes up for it.
func TestFlushOfOthers(t *testing.T) {
	dir := t.TempDir()
	put(t, open(t, dir), "a/b/k", "1", store.Absent)
	s := open(t, dir)
	r := record(s)
	for _, want := range [][]string{{"syncdir .", "syncdir ./a", "syncdir ./a/b"}, {"syncdir ./a/b"}} {
		if err := store.Flush(t.Context(), wrapstore.ObserveClock(s, new(wrapstore.Clock)), "a/b/k"); err != nil {
			t.Fatal(err)
		}
		wantOps(t, "Flush", inStore(s, r.take()), want...)
	}
	if err := s.Flush(t.Context(), "a/gone/k"); err != nil {
		t.Errorf("Flush of an absent key: %v", err)
	}
	if err := s.Flush(t.Context(), "../k"); err == nil {
		t.Error("Flush took a bad key")
	}
}
