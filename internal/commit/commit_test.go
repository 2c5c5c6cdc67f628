package commit

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/lease"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
)

// newLedger makes a registry in memory.
func newLedger(t *testing.T) *ledger.Ledger {
	t.Helper()
	budget, err := chunk.NewBudget(chunk.MinMemory)
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New("mem:", budget, slog.New(slog.DiscardHandler))
	l.Store = wrapstore.ObserveClock(memstore.New(nil), l.Clock)
	l.Locks = lease.New(l.Store, l.Clock)
	fresh := manifest.NewSettings(time.Time{}, manifest.Times{})
	if err := l.Begin(t.Context(), nil, store.ErrNotExist, fresh); err != nil {
		t.Fatal(err)
	}
	return l
}

// empty returns a sealed manifest of no files.
func empty(t *testing.T, name string) *manifest.Manifest {
	t.Helper()
	m := manifest.NewManifest(name, manifest.Version{}, time.Now())
	m.Content.Materializer = "dir"
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	return m
}

func version(t *testing.T, s string) manifest.Version {
	t.Helper()
	v, err := manifest.ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The next number follows the highest release. Pre-releases above it do not
// count, and neither does a gap.
func TestNextVersion(t *testing.T) {
	for _, c := range []struct {
		known []string // ascending
		want  string
	}{
		{nil, "1.0.0"},
		{[]string{"2.0.0-rc.1"}, "1.0.0"},
		{[]string{"1.0.0", "1.0.1"}, "1.0.2"},
		{[]string{"1.0.0", "3.2.1"}, "3.2.2"},
		{[]string{"1.0.0", "1.0.1", "2.0.0-rc.1"}, "1.0.2"},
	} {
		var known []manifest.Version
		for _, s := range c.known {
			known = append(known, version(t, s))
		}
		if got, err := NextVersion(known); err != nil || got.String() != c.want {
			t.Errorf("after %q: %s, %v, want %s", c.known, got, err, c.want)
		}
	}
	if v, err := NextVersion([]manifest.Version{version(t, "1.0.9223372036854775807")}); err == nil {
		t.Errorf("after the highest number: %s", v)
	}
}

// Transactions that commit at the same time get numbers without a gap, each its
// own.
func TestCommitsAtTheSameTime(t *testing.T) {
	l := newLedger(t)
	const savers = 16
	got := make([]string, savers)
	var wg sync.WaitGroup
	for i := range savers {
		m := empty(t, "m")
		wg.Go(func() {
			f, err := New(l, "m").Commit(t.Context(), m, time.Time{})
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = f.Version.String()
		})
	}
	wg.Wait()
	numbers, err := l.Numbers(t.Context(), "m")
	if err != nil || len(numbers) != savers || numbers[0].String() != "1.0.0" || numbers[savers-1].String() != "1.0.15" {
		t.Errorf("%v, %v", numbers, err)
	}
	slices.Sort(got)
	if all := slices.Compact(got); len(all) != savers {
		t.Errorf("%q: a number was given twice", got)
	}
}

// A number that was asked for and is taken is ErrExists, also if its version is
// deleted.
func TestNumberIsTaken(t *testing.T) {
	l := newLedger(t)
	one := version(t, "1.0.0")
	for _, state := range []string{"free", "live", "deleted"} {
		txn := New(l, "m")
		txn.Version = &one
		_, err := txn.Commit(t.Context(), empty(t, "m"), time.Time{})
		if want := state != "free"; errors.Is(err, fault.ErrExists) != want || (err != nil) != want {
			t.Errorf("the number is %s: %v", state, err)
		}
		if state == "live" {
			f, err := l.ReadLive(t.Context(), "m", one)
			if err == nil {
				_, err = l.Bury(t.Context(), f)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A transaction with an expectation commits only if the latest version is the
// expected one. If another save comes between the listing and the commit, that is
// ErrNotExpected too.
func TestExpectation(t *testing.T) {
	l := newLedger(t)
	absent := New(l, "m")
	absent.Expect = &Expectation{Absent: true}
	late := New(l, "m")
	late.Expect = &Expectation{Absent: true}
	for _, txn := range []*Txn{absent, late} { // both see that there is no version
		if err := txn.Expected(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f, err := absent.Commit(t.Context(), empty(t, "m"), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Commit(t.Context(), empty(t, "m"), time.Time{}); !errors.Is(err, ErrNotExpected) {
		t.Errorf("%v, want %v", err, ErrNotExpected)
	}
	for want, ok := range map[string]bool{f.Version.String(): true, "1.0.1": false, "0.9.0": false} {
		txn := New(l, "m")
		txn.Expect = &Expectation{Want: version(t, want)}
		if err := txn.Expected(t.Context()); (err == nil) != ok || err != nil && !errors.Is(err, ErrNotExpected) {
			t.Errorf("expecting %s, with %s the latest: %v", want, f.Version, err)
		}
	}
}

// A version is undone if the store's answer comes so late that a collection may
// have missed its register (docs/attacks.md, A22). Its number stays taken.
func TestTooSlow(t *testing.T) {
	l := newLedger(t)
	txn := New(l, "m")
	window := l.Settings.Times.WindowD()
	m := empty(t, "m")
	m.Version = version(t, "1.0.0")
	// The evidence is young before the write, and a window old at its answer.
	_, err := txn.CommitWith(t.Context(), m, l.Clock.Now(), func() (store.Info, error) {
		info, err := txn.create(t.Context(), m)
		info.Now = info.Now.Add(window)
		return info, err
	})
	if !errors.Is(err, fault.ErrTooSlow) {
		t.Fatalf("%v, want %v", err, fault.ErrTooSlow)
	}
	if _, err := l.ReadLive(t.Context(), "m", m.Version); !errors.Is(err, fault.ErrDeleted) {
		t.Errorf("%v, want %v", err, fault.ErrDeleted)
	}
	f, err := l.Read(t.Context(), "m", m.Version)
	if err != nil || !f.NotAfter.IsZero() {
		t.Errorf("%+v, %v: it is evidence for its packs", f, err)
	}
}
