package filestore

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
)

// A file that somebody has dated far into the future, or the past, is read and
// replaced like any other, and its tokens never repeat.
func TestFarDates(t *testing.T) {
	for _, year := range []int{1, 1600, 1969, 2261, 2262, 2300, 2400, 2446, 2500, 9999} {
		s := made(t, t.TempDir())
		info, err := s.Put(t.Context(), "a/b", []byte("0"), store.Absent)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[store.Token]bool{info.Token: true}
		if err := date(s, "a", "b", time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)); err != nil {
			t.Logf("%d: %v", year, err) // not here
			continue
		}
		for i := range 4 {
			info, err := s.Stat(t.Context(), "a/b")
			if err != nil {
				t.Fatal(err)
			}
			if _, got, err := s.Get(t.Context(), "a/b", nil); err != nil || got.Token != info.Token {
				t.Errorf("%d: Get says %q, Stat %q, %v", year, got.Token, info.Token, err)
			}
			for listed, err := range s.List(t.Context(), "", "") {
				if err != nil || listed.Token != info.Token {
					t.Errorf("%d: List says %q, Stat %q, %v", year, listed.Token, info.Token, err)
				}
			}
			put, err := s.Put(t.Context(), "a/b", []byte{byte(i)}, info.Token)
			if err != nil {
				t.Errorf("%d, replacement %d: %v", year, i, err)
				break
			}
			if seen[put.Token] || put.Token == info.Token {
				t.Errorf("%d, replacement %d: the token %q was there before", year, i, put.Token)
			}
			seen[put.Token] = true
			if _, err := s.Put(t.Context(), "a/b", nil, info.Token); !errors.Is(err, store.ErrPrecondition) {
				t.Errorf("%d: by the token before: %v", year, err)
			}
		}
	}
}

// date gives a file a modification time.
func date(s *Store, dir, name string, at time.Time) error {
	d, err := s.openFolder(dir)
	if err != nil {
		return err
	}
	defer d.close()
	f, err := os.OpenFile(d.join(name), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return d.setModTime(f, at)
}

// Dates next to one another have tokens of their own, also far away, and so far
// apart that a count of nanoseconds begins anew.
func TestTokensOfFarDates(t *testing.T) {
	seen := map[store.Token]time.Time{}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if around := time.Unix(now.Unix()+1<<64/1_000_000_000, 1<<64%1_000_000_000); tokenOf(now) == tokenOf(around) {
		t.Errorf("%s and %s share a token", now, around)
	}
	for _, year := range []int{1, 1677, 1678, 1969, 2026, 2261, 2262, 2263, 2446, 9999} {
		for _, add := range []time.Duration{0, 1, time.Microsecond, time.Second, 1e9 + 1} {
			at := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Add(add)
			if was, ok := seen[tokenOf(at)]; ok {
				t.Errorf("%s and %s share the token %q", was, at, tokenOf(at))
			}
			seen[tokenOf(at)] = at
		}
	}
}
