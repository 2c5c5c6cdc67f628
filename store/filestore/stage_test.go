package filestore

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/mindtrace/registry/store"
)

func stage(t *testing.T, s *Store, key string, body []byte) *staged {
	t.Helper()
	g, err := s.Stage(t.Context(), key, body)
	if err != nil {
		t.Fatalf("stage %s: %v", key, err)
	}
	t.Cleanup(g.Discard)
	return g.(*staged)
}

// A staged body is invisible, and gets its name only after its flush; Commit
// returns after that of the directory.
func TestStageOrder(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "a/first", "1", store.Absent)
	r := record(s)
	body := bytes.Repeat([]byte("x"), minStaged+5)
	g := stage(t, s, "a/k", body)
	wantOps(t, "Stage", inStore(s, r.take()), "write ./a")
	clear(body) // it is the caller's again
	if got := keys(t, s, ""); len(got) != 1 {
		t.Errorf("before Commit there are %q", got)
	}
	r.take()
	info, err := g.Commit(t.Context(), "a/k")
	if err != nil {
		t.Fatal(err)
	}
	wantOps(t, "Commit", inStore(s, r.take()), "sync ./a", "link ./a/k", "syncdir ./a")
	got, there := get(t, s, "a/k")
	if got != strings.Repeat("x", minStaged+5) {
		t.Errorf("there are %d other bytes", len(got))
	}
	if there.Token != info.Token || there.Size != info.Size || !there.Modified.Equal(info.Modified) || info.Now.Before(info.Modified) {
		t.Errorf("Commit returned %+v, Get %+v", info, there)
	}
}

// Commit has the outcomes of a Put, and may be repeated.
func TestStageOutcomes(t *testing.T) {
	s := open(t, t.TempDir())
	body := bytes.Repeat([]byte("y"), minStaged)
	one, two := stage(t, s, "a/k", body), stage(t, s, "a/k", body)
	if _, err := one.Commit(t.Context(), "a/k"); err != nil {
		t.Fatal(err)
	}
	r := record(s)
	for _, g := range []*staged{one, two} {
		if _, err := g.Commit(t.Context(), "a/k"); !errors.Is(err, store.ErrPrecondition) {
			t.Errorf("Commit to a key that is there: %v", err)
		}
		// The winner may not have flushed it yet, and the caller goes on with it.
		wantOps(t, "a refused Commit", inStore(s, r.take()), "syncdir ./a")
	}
	for _, g := range []*staged{one, two} { // named already, and not
		for _, key := range []string{"b/", "a/"} { // the next era's key is elsewhere
			key += map[*staged]string{one: "one", two: "two"}[g]
			if _, err := g.Commit(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			if got, _ := get(t, s, key); got != string(body) {
				t.Errorf("%s has %d other bytes", key, len(got))
			}
		}
	}
	if g, err := s.Stage(t.Context(), "a/k", body); g != nil || err != nil {
		t.Errorf("a key that is there was staged, %v", err)
	}
	if _, err := s.Stage(t.Context(), "a/large", make([]byte, store.MaxBody+1)); err == nil {
		t.Error("a body over the limit was staged")
	}
	stage(t, s, "a/dropped", body).Discard()
	one.Discard()
	two.Discard()
	if left := leftovers(t, s); len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
}

// Attack A42: the kernel reports a failed write to one flush alone. After it,
// no other flush makes the bytes fit to be named.
func TestStageFlushFailsForGood(t *testing.T) {
	s := open(t, t.TempDir())
	g := stage(t, s, "a/k", make([]byte, minStaged))
	g.t.flushErr = errors.New("the disk has failed")
	r := record(s)
	for range 2 {
		if _, err := g.Commit(t.Context(), "a/k"); !errors.Is(err, g.t.flushErr) {
			t.Errorf("Commit after a failed flush: %v", err)
		}
	}
	wantOps(t, "Commit after a failed flush", inStore(s, r.take()))
	g = stage(t, s, "a/k", make([]byte, minStaged))
	g.t.f.Close() // as good a failure as any
	for range 2 {
		if _, err := g.Commit(t.Context(), "a/k"); err == nil || g.t.flushErr == nil {
			t.Errorf("Commit without a flush: %v", err)
		}
	}
	if got := keys(t, s, ""); len(got) > 0 {
		t.Errorf("there is %q", got)
	}
}
