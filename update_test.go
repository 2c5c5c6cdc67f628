package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/tracestore"
)

// No increment of a counter is lost: neither where older versions can be read,
// nor in an unversioned registry (docs/attacks.md, A9).
func TestUpdateRaceLosesNothing(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		workers, each := 16, 20
		r := openOn(t, st, nil)
		countUp(t, r, workers, each)
		if got := mustLoad[int](t, r, "n@1.0.0"); got != 1 || len(liveVersions(t, r, "n")) != workers*each {
			t.Errorf("the first is %d, and there are %d versions", got, len(liveVersions(t, r, "n")))
		}
	})
	t.Run("unversioned", func(t *testing.T) {
		countUp(t, openOn(t, newStore(t), &Options{Unversioned: true}), 8, 10)
	})
}

func countUp(t *testing.T, r *Registry, workers, each int) {
	t.Helper()
	errs := make(chan error, workers)
	for range workers {
		go func() {
			for range each {
				_, err := Update(context.Background(), r, "n", func(n int, from *Info) (int, error) {
					if (n == 0) != (from == nil) {
						return 0, fmt.Errorf("the counter is %d, from %v", n, from)
					}
					return n + 1, nil
				})
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range workers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got := mustLoad[int](t, r, "n"); got != workers*each {
		t.Errorf("%d × %d increments make %d", workers, each, got)
	}
}

func TestUpdate(t *testing.T) {
	r, _ := inMemory(t)
	boom := errors.New("boom")
	_, err := Update(t.Context(), r, "m", func(string, *Info) (string, error) { return "", boom })
	wantErr(t, err, boom)
	for _, name := range []string{"a_b", "m@1"} {
		_, err = Update(t.Context(), r, name, func(string, *Info) (string, error) { return "x", nil })
		wantErr(t, err, ErrInvalidName)
	}
	add := func(s string, from *Info) (string, error) {
		if from != nil {
			s += from.Version.String()
		}
		return s + ";", nil
	}
	for range 3 {
		must[Version](t)(Update(t.Context(), r, "m", add, WithTag("prod"), WithMetadata(1)))
	}
	if got := mustLoad[string](t, r, "m@prod"); got != ";1.0.0;1.0.1;" {
		t.Errorf("got %q", got)
	}
	// A deleted version is as if it had never been, but for its number.
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@1.0.2", &DeleteOptions{Force: true}))
	if v := must[Version](t)(Update(t.Context(), r, "m", add)); v.String() != "1.0.3" || mustLoad[string](t, r, "m") != ";1.0.0;1.0.1;" {
		t.Errorf("%s is %q", v, mustLoad[string](t, r, "m"))
	}
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@*", nil))
	if v := must[Version](t)(Update(t.Context(), r, "m", add)); v.String() != "1.0.4" || mustLoad[string](t, r, "m") != ";" {
		t.Errorf("%s is %q", v, mustLoad[string](t, r, "m"))
	}
	// Only a conflict is worth another try.
	mustSave(t, r, "number", 1)
	_, err = Update(t.Context(), r, "number", func(string, *Info) (string, error) { return "", nil })
	if err == nil {
		t.Error("a number was updated as a string")
	}
	_, err = Update(t.Context(), r, "m", add, WithVersion("9"))
	wantErr(t, err, ErrInvalidVersion)
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	_, err = Update(ctx, r, "m", func(s string, _ *Info) (string, error) { // another save is always faster
		if tries++; tries == 10 {
			cancel()
		}
		_, err := r.Save(context.Background(), "m", "faster")
		return s, err
	})
	wantErr(t, err, context.Canceled)
}

func TestSaveIfLatest(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []string // versions to save, "-" before one to delete
		opt   SaveOption
		want  string // the version saved
		err   error
	}{
		{"first", nil, WithIfAbsent(), "1.0.0", nil},
		{"none to follow", nil, WithIfLatest("1.0.0"), "", ErrConflict},
		{"not the first", []string{"1.0.0"}, WithIfAbsent(), "", ErrConflict},
		{"follows", []string{"1.0.0", "1.0.1"}, WithIfLatest("1.0.1"), "1.0.2", nil},
		{"spelt otherwise", []string{"1.0.0"}, WithIfLatest("v1"), "1.0.1", nil},
		{"too late", []string{"1.0.0", "1.0.1"}, WithIfLatest("1.0.0"), "", ErrConflict},
		{"never was", []string{"1.0.0"}, WithIfLatest("2.0.0"), "", ErrConflict},
		{"chosen number above", []string{"1.0.0", "3.0.0"}, WithIfLatest("1.0.0"), "", ErrConflict},
		{"pre-release above", []string{"1.0.0", "3.0.0-rc.1"}, WithIfLatest("1.0.0"), "1.0.1", nil},
		{"follows a pre-release", []string{"1.0.0-rc.1", "1.0.0-rc.2"}, WithIfLatest("1.0.0-rc.2"), "1.0.0", nil},
		{"it was deleted", []string{"1.0.0", "1.0.1", "-1.0.1"}, WithIfLatest("1.0.1"), "", ErrConflict},
		{"one above was deleted", []string{"1.0.0", "1.0.1", "-1.0.1"}, WithIfLatest("1.0.0"), "1.0.2", nil},
		{"all were deleted", []string{"1.0.0", "-1.0.0"}, WithIfAbsent(), "1.0.1", nil},
		{"all were deleted, none to follow", []string{"1.0.0", "-1.0.0"}, WithIfLatest("1.0.0"), "", ErrConflict},
		{"no version", []string{"1.0.0"}, WithIfLatest(""), "", ErrInvalidVersion},
		{"not a version", []string{"1.0.0"}, WithIfLatest("latest"), "", ErrInvalidVersion},
	} {
		trace := tracestore.New(newStore(t))
		r := openOn(t, trace, nil)
		for _, s := range c.steps {
			if v, gone := strings.CutPrefix(s, "-"); gone {
				must[*DeleteReport](t)(r.Delete(t.Context(), "m@"+v, nil))
			} else {
				mustSave(t, r, "m", s, WithVersion(s))
			}
		}
		trace.Reset()
		v, err := r.Save(t.Context(), "m", noise(1, 1<<20), c.opt)
		if !errors.Is(err, c.err) || err == nil && v.String() != c.want {
			t.Errorf("%s: saved as %s, %v; want %s, %v", c.name, v, err, c.want, c.err)
		}
		if err != nil && (trace.Count("put") > 0 || errors.Is(err, ErrNotFound)) {
			t.Errorf("%s: %d puts before %v", c.name, trace.Count("put"), err)
		}
	}
	r, _ := inMemory(t)
	for _, opt := range []SaveOption{WithIfAbsent(), WithIfLatest("1")} {
		_, err := r.Save(t.Context(), "m", "x", opt, WithVersion("2"))
		wantErr(t, err, ErrInvalidVersion)
	}
}

// Somebody saves between the check and the commit: by the next number, which
// the commit runs into, or by another while the data moves, which a second
// look finds. Nothing is saved then, and no other number tried.
func TestSaveIfLatestChangesMeanwhile(t *testing.T) {
	for _, c := range []struct {
		at   string // before a put of a key that begins so
		body any
		opts []SaveOption // of the other
	}{
		{"objects/", "small", nil},
		{"objects/", noise(1, 1<<20), nil},
		{"packs/", noise(1, 1<<20), nil},
		{"packs/", noise(1, 1<<20), []SaveOption{WithVersion("5")}},
	} {
		r, fst, mem := faulty(t)
		other := openOn(t, mem, nil)
		mustSave(t, r, "m", "zero")
		fst.Plan(nth(0, c.at, faultstore.Fault{Do: func() { mustSave(t, other, "m", "theirs", c.opts...) }}))
		_, err := r.Save(t.Context(), "m", c.body, WithIfLatest("1.0.0"))
		fst.Plan(nil)
		wantErr(t, err, ErrConflict)
		if got := liveVersions(t, r, "m"); len(got) != 2 {
			t.Errorf("live are %v", got)
		}
	}
	// A lost answer is not a conflict with oneself.
	r, fst, _ := faulty(t)
	mustSave(t, r, "m", "zero")
	fst.Plan(nth(0, "objects/", faultstore.Fault{After: store.ErrUnknown}))
	if v := mustSave(t, r, "m", "one", WithIfLatest("1.0.0")); v.String() != "1.0.1" {
		t.Errorf("saved as %s", v)
	}
}

// The latest version is replaced between the listing and the reading: there
// was a latest version at every moment, so a load finds one.
func TestLatestIsReplacedDuringALoad(t *testing.T) {
	r, fst, mem := faulty(t)
	other := openOn(t, mem, nil)
	mustSave(t, r, "m", "zero")
	fst.Plan(atCall(0, "get", manifest.VersionKey("m", Version{Major: 1}), faultstore.Fault{Do: func() {
		mustSave(t, other, "m", "one")
		must[*DeleteReport](t)(other.Delete(context.Background(), "m@1.0.0", nil))
	}}))
	if got := mustLoad[string](t, r, "m"); got != "one" {
		t.Errorf("got %q", got)
	}
}
