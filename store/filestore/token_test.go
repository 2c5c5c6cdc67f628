package filestore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"github.com/mindtrace/registry/store"
)

// newTemp makes a temporary file in an empty store.
func newTemp(t *testing.T) *temp {
	t.Helper()
	s := open(t, t.TempDir())
	tmp, err := s.writeTemp(t.Context(), "", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tmp.discard)
	return tmp
}

// needFineStamps skips a test where times are as coarse as a second or two
// (FAT, ext4 with small inodes).
func needFineStamps(t *testing.T) {
	t.Helper()
	tmp := newTemp(t)
	at := time.Unix(1_700_000_000, 123_456_000)
	if err := tmp.setModified(at); err != nil {
		t.Fatal(err)
	}
	if !tmp.modified.Equal(at) {
		t.Skipf("time stamps are off by %s here", at.Sub(tmp.modified))
	}
}

func TestLaterThan(t *testing.T) {
	tmp := newTemp(t)
	was := tmp.modified
	if err := tmp.laterThan(was.Add(-time.Hour)); err != nil || !tmp.modified.Equal(was) {
		t.Errorf("later than an earlier time: %v, time changed by %s", err, tmp.modified.Sub(was))
	}
	for _, at := range []time.Time{was, was.Add(time.Hour), was.Add(time.Hour), time.Unix(1<<31-2, 999_999_999)} {
		if err := tmp.laterThan(at); err != nil {
			t.Fatal(err)
		}
		if late := tmp.modified.Sub(at); late <= 0 || late > 2*time.Second {
			t.Errorf("asked for a time later than %s, got %s", at, tmp.modified)
		}
		fi, err := os.Stat(tmp.f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if !fi.ModTime().Equal(tmp.modified) {
			t.Errorf("the file has the time %s, and is taken to have %s", fi.ModTime(), tmp.modified)
		}
	}
}

// setModified says what the file system has made of the time, not what it
// was told.
func TestSetModified(t *testing.T) {
	tmp := newTemp(t)
	for _, at := range []time.Time{
		time.Now(), time.Unix(0, 0), time.Unix(1, 1), time.Unix(1<<40, 0), // this one is beyond what most can say
	} {
		if err := tmp.setModified(at); err != nil {
			t.Logf("%s: %v", at, err)
			continue
		}
		fi, err := os.Stat(tmp.f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if !fi.ModTime().Equal(tmp.modified) {
			t.Errorf("told %s: the file has the time %s, and is taken to have %s", at, fi.ModTime(), tmp.modified)
		}
	}
}

// The clock of the machine that wrote last was far ahead.
func TestReplaceWhatIsFromTheFuture(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "k", "1", store.Absent)
	future := time.Now().Add(1000 * time.Hour)
	if err := os.Chtimes(s.path("k"), future, future); err != nil {
		t.Fatal(err)
	}
	_, info := get(t, s, "k")
	last := future
	for i := range 10 {
		info = put(t, s, "k", "x", info.Token)
		fi, err := os.Stat(s.path("k"))
		if err != nil {
			t.Fatal(err)
		}
		if !fi.ModTime().After(last) {
			t.Fatalf("replacement %d has the time %s, what it replaced had %s", i, fi.ModTime(), last)
		}
		last = fi.ModTime()
		if _, got := get(t, s, "k"); got.Token != info.Token {
			t.Fatalf("Put returned token %s, Get %s", info.Token, got.Token)
		}
	}
}

// At the end of time there is no later token. Then nothing is replaced: the
// same token for another body would lose updates.
func TestReplaceAtTheEndOfTime(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "k", "1", store.Absent)
	end := time.Unix(1<<34-1, 999_999_999) // of ext4
	if err := os.Chtimes(s.path("k"), end, end); err != nil {
		t.Skip(err)
	}
	_, before := get(t, s, "k")
	_, err := s.Put(t.Context(), "k", []byte("2"), before.Token)
	body, after := get(t, s, "k")
	if err == nil && after.Token == before.Token {
		t.Error("another body has the same token")
	}
	if err != nil && (body != "1" || after.Token != before.Token) {
		t.Errorf("a Put that failed with %v left %q", err, body)
	}
}

// Attack A17: v1, v2, v1 with equal bytes are three states.
func TestEqualBytesAreNotEqualStates(t *testing.T) {
	s := open(t, t.TempDir())
	one := put(t, s, "k", "v1", store.Absent)
	two := put(t, s, "k", "v2", one.Token)
	three := put(t, s, "k", "v1", two.Token)
	if one.Token == two.Token || two.Token == three.Token || one.Token == three.Token {
		t.Errorf("tokens %s, %s, %s", one.Token, two.Token, three.Token)
	}
	if _, err := s.Put(t.Context(), "k", []byte("v3"), one.Token); err == nil {
		t.Error("the token of the first state replaced the third, of equal bytes")
	}
}

// Nobody writes to a key again that was deleted; if somebody does, the token
// is yet another, where time stamps are fine enough.
func TestTokensOfOneKeyCreatedAgain(t *testing.T) {
	needFineStamps(t)
	s := open(t, t.TempDir())
	seen := map[store.Token]int{}
	for i := range 100 {
		info := put(t, s, "k", "same", store.Absent)
		if before, ok := seen[info.Token]; ok {
			t.Fatalf("creations %d and %d have the token %s", before, i, info.Token)
		}
		seen[info.Token] = i
		if err := s.Delete(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	}
}

// No program can make a put look older than it is: neither before nor after.
func TestModifiedCannotBeBackdated(t *testing.T) {
	s := open(t, t.TempDir())
	info := put(t, s, "k", "1", store.Absent)
	old := time.Now().Add(-1000 * time.Hour)
	if err := os.Chtimes(s.path("k"), old, old); err != nil {
		t.Fatal(err)
	}
	got, err := s.Stat(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if got.Modified.Before(info.Modified) {
		t.Errorf("Modified went from %s to %s", info.Modified, got.Modified)
	}
	if got.Token == info.Token {
		t.Error("the token is not the modification time")
	}
}

// Attack A22: a writer is put to sleep before it gives its file the name. Late
// commits must be seen as late: Modified is when the name was given, not
// when the bytes were written.
func TestModifiedIsTheTimeOfTheName(t *testing.T) {
	needFineStamps(t)
	const sleep, tick = 500 * time.Millisecond, 100 * time.Millisecond
	s := open(t, t.TempDir())
	info := store.Info{Token: store.Absent}
	for _, op := range []string{"link", "rename"} {
		var woke time.Time
		s.trace = func(o, _ string) {
			if o == op {
				time.Sleep(sleep)
				woke = time.Now()
			}
		}
		info = put(t, s, "k", op, info.Token)
		if woke.IsZero() {
			t.Fatalf("no %s", op)
		}
		if info.Modified.Before(woke.Add(-tick)) {
			t.Errorf("after a %s that came late, Modified is %s early", op, woke.Sub(info.Modified))
		}
		got, err := s.Stat(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		if !got.Modified.Equal(info.Modified) {
			t.Errorf("Put said Modified is %s, Stat says %s", info.Modified, got.Modified)
		}
		if info.Now.Before(info.Modified) {
			t.Errorf("Put said it is %s, and was modified %s", info.Now, info.Modified)
		}
	}
}

// A disk that takes its time to flush is no clock that is slow.
func TestSlowFlushDoesNotTurnTheClock(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "a", "1", store.Absent) // flushes the parents
	n := 0
	s.trace = func(op, _ string) {
		if op == "syncdir" {
			n++
			time.Sleep(1200 * time.Millisecond)
		}
	}
	info := put(t, s, "b", "1", store.Absent)
	if n != 1 {
		t.Fatalf("%d flushes", n)
	}
	if off := s.clock.Load().offset; off != 0 {
		t.Errorf("after a slow flush the file system's clock is taken to be %s off", off)
	}
	if late := info.Now.Sub(info.Modified); late < 1100*time.Millisecond {
		t.Errorf("Put said that it is %s after the put, when it was 1.2s", late)
	}
}

func TestObserve(t *testing.T) {
	s := open(t, t.TempDir())
	now := time.Now()
	for _, c := range []struct{ at, before, after, want time.Duration }{
		{0, 0, 0, 0},
		{-5 * time.Millisecond, 0, 0, 0},                                      // a coarse tick
		{5 * time.Second, 0, 10 * time.Second, 0},                             // a slow answer
		{-time.Hour, 0, time.Second, -time.Hour},                              // the server is behind
		{time.Hour, -time.Second, 0, time.Hour},                               // the server is ahead
		{time.Hour + time.Minute, 0, time.Minute, time.Hour},                  // and slow
		{-time.Hour, -10 * time.Second, 0, -time.Hour + 10*time.Second},       // and slow
		{900 * time.Millisecond, 0, 0, 0}, {-999 * time.Millisecond, 0, 0, 0}, // no other clock
	} {
		s.observe(now.Add(c.at).Round(0), now.Add(c.before), now.Add(c.after))
		if got := s.clock.Load().offset; got != c.want {
			t.Errorf("stamp at %s between %s and %s: offset %s, want %s", c.at, c.before, c.after, got, c.want)
		}
	}
}

func TestNowLeavesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	before := time.Now()
	now, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if off := now.Sub(before); off < -time.Second || off > time.Minute {
		t.Errorf("the clock is %s off", off)
	}
	if left, _ := filepath.Glob(filepath.Join(s.root, "*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if left, _ := filepath.Glob(filepath.Join(s.root, ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	// Nothing is created before the first Put.
	missing := open(t, filepath.Join(s.root, "missing"))
	if _, err := missing.Now(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(missing.root); err == nil {
		t.Error("Now has created the store's directory")
	}
}

// Our own clock is not passed off as the store's: before it was read, an
// answer carries none.
func TestNowIsSilentUntilRead(t *testing.T) {
	dir := t.TempDir()
	put(t, open(t, dir), "a", "1", store.Absent)
	s := open(t, dir) // another process
	silent := func(when string, want bool) {
		t.Helper()
		_, got, err := s.Get(t.Context(), "a", nil)
		if err != nil {
			t.Fatal(err)
		}
		stat, err := s.Stat(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		_, absent, _ := s.Get(t.Context(), "b", nil)
		for info := range s.List(t.Context(), "", "") {
			if info.Now.IsZero() != want {
				t.Errorf("%s, List says that it is %v", when, info.Now)
			}
		}
		if got.Now.IsZero() != want || stat.Now.IsZero() != want || absent.Now.IsZero() != want {
			t.Errorf("%s, Get says that it is %v, of an absent key %v, Stat %v", when, got.Now, absent.Now, stat.Now)
		}
	}
	silent("before the clock was read", true)
	if _, err := s.Now(t.Context()); err != nil {
		t.Fatal(err)
	}
	silent("after the clock was read", false)
	r := *s.clock.Load()
	r.here = r.here.Round(0).Add(-time.Hour) // what the wall clock said, without the monotonic one
	if s.clock.Store(&r); s.now().IsZero() {
		t.Error("an hour later, the clock is not known any more")
	}
}

// After our own clock was set, forward or back, nobody knows what the file
// system's says.
func TestClockThatWasSet(t *testing.T) {
	s := open(t, t.TempDir())
	if _, err := s.Now(t.Context()); err != nil {
		t.Fatal(err)
	}
	read := *s.clock.Load()
	for _, set := range []time.Duration{-time.Hour, 0, time.Hour} {
		r := read
		// The monotonic clock goes on, whatever the wall clock is set to.
		(*struct {
			wall uint64
			ext  int64
			loc  *time.Location
		})(unsafe.Pointer(&r.here)).ext += int64(set)
		s.clock.Store(&r)
		if known := !s.now().IsZero(); known != (set == 0) {
			t.Errorf("set by %s: the clock is known: %t", set, known)
		}
	}
}

// A body that no Put can have stored costs no memory.
func TestOversizedFileIsRefused(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "a", "1", store.Absent)
	if err := os.Truncate(filepath.Join(s.root, "a"), 15<<40); err != nil {
		t.Skip(err)
	}
	if _, _, err := s.Get(t.Context(), "a", nil); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("15 TiB: %v", err)
	}
	b, info, err := s.Get(t.Context(), "a", &store.GetOptions{Length: 1})
	if err != nil || string(b) != "1" || info.Size != 15<<40 {
		t.Errorf("a range of it: %q, %d bytes, %v", b, info.Size, err)
	}
}
