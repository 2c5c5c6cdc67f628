package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
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
	_, err = Update(ctx, r, "m", func(s string, _ *Info) (string, error) { // somebody is always faster
		if tries++; tries == 10 {
			cancel()
		}
		_, err := r.Save(context.Background(), "m", "faster")
		return s, err
	})
	wantErr(t, err, context.Canceled)
}

// An update looks again after it has moved its bytes: what it was made of may
// have been deleted.
func TestUpdateBesideDelete(t *testing.T) {
	r, fst, mem := faulty(t)
	other := openOn(t, mem, nil)
	mustSave(t, r, "m", noise(1, 1<<20))
	fst.Plan(atPut(0, "packs/", faultstore.Fault{Do: func() {
		must[*DeleteReport](t)(other.Delete(context.Background(), "m@1.0.0", nil))
	}}))
	var from []bool
	must[Version](t)(Update(t.Context(), r, "m", func(old []byte, info *Info) ([]byte, error) {
		from = append(from, info != nil)
		return noise(uint64(2+len(from)), 2<<20), nil
	}))
	if !slices.Equal(from, []bool{true, false}) {
		t.Errorf("it was made of a version: %v", from)
	}
}
