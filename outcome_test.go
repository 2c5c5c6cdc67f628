package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

// faulty returns a registry on a store whose faults can be planned.
func faulty(t *testing.T) (*Registry, *faultstore.Store, store.Store) {
	mem := newStore(t)
	fst := faultstore.New(mem, nil)
	return openOn(t, fst, nil), fst, mem
}

// nth makes a plan that applies f to the nth put (from 0) of a key that
// contains part.
func nth(n int, part string, f faultstore.Fault) func(faultstore.Call) faultstore.Fault {
	seen := 0
	return func(c faultstore.Call) faultstore.Fault {
		if c.Op != "put" || !strings.Contains(c.Key, part) {
			return faultstore.Fault{}
		}
		seen++
		if seen-1 == n {
			return f
		}
		return faultstore.Fault{}
	}
}

func liveVersions(t *testing.T, r *Registry, name string) []string {
	t.Helper()
	var vs []string
	for i, err := range r.Versions(t.Context(), name) {
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		vs = append(vs, i.Version.String())
	}
	return vs
}

// The create is applied and its answer is lost. The retry is refused, and the
// save recognizes itself (docs/attacks.md, A1).
func TestCreateWithLostAnswerIsOneSave(t *testing.T) {
	r, fst, _ := faulty(t)
	for _, opts := range [][]SaveOption{nil, {WithVersion("5.0.0")}} {
		fst.Plan(nth(0, "objects/", faultstore.Fault{After: store.ErrUnknown}))
		v := mustSave(t, r, "m", "x", opts...)
		fst.Plan(nil)
		if got := liveVersions(t, r, "m"); got[len(got)-1] != v.String() {
			t.Errorf("saved as %s, live are %v", v, got)
		}
	}
	if got := liveVersions(t, r, "m"); !slices.Equal(got, []string{"1.0.0", "5.0.0"}) {
		t.Errorf("live versions are %v", got)
	}
}

// The create is delayed, and lands after everything else. One save is one
// version, whatever the order (docs/attacks.md, A2).
func TestLateCreateIsOneVersion(t *testing.T) {
	r, fst, _ := faulty(t)
	fst.Plan(nth(0, "objects/", faultstore.Fault{Late: true}))
	v := mustSave(t, r, "m", "x")
	fst.Plan(nil)
	fst.Release()
	if got := liveVersions(t, r, "m"); !slices.Equal(got, []string{v.String()}) {
		t.Errorf("one save, live versions are %v", got)
	}

	// Somebody else takes the number in the meantime: the zombie is dead, and
	// the save goes on to the next.
	taken := false
	plan := nth(0, "objects/", faultstore.Fault{Late: true})
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		f := plan(c)
		if c.Op == "put" && strings.Contains(c.Key, "objects/") && !f.Late && !taken {
			taken = true
			f.Do = func() {
				other := openOn(t, fst, nil)
				mustSave(t, other, "m", "theirs")
			}
		}
		return f
	})
	v = mustSave(t, r, "m", "mine")
	fst.Plan(nil)
	fst.Release()
	if got := liveVersions(t, r, "m"); v.String() != "1.0.2" || !slices.Equal(got, []string{"1.0.0", "1.0.1", "1.0.2"}) {
		t.Errorf("saved as %s, live versions are %v", v, got)
	}
	if got := mustLoad[string](t, r, "m@1.0.1"); got != "theirs" {
		t.Errorf("1.0.1 is %q", got)
	}
}

// The create is applied, its answer is lost, and the version is deleted before
// the saver looks. The tombstone's history shows the nonce
// (docs/attacks.md, A3).
func TestSaveDeletedBeforeItsCheckHasWon(t *testing.T) {
	r, fst, mem := faulty(t)
	other := openOn(t, mem, nil)
	plan := nth(0, "objects/", faultstore.Fault{After: store.ErrUnknown})
	second := nth(1, "objects/", faultstore.Fault{Do: func() {
		must[*DeleteReport](t)(other.Delete(context.Background(), "m@1.0.0", nil))
	}})
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		f, g := plan(c), second(c)
		if g.Do != nil {
			return g
		}
		return f
	})
	if v := mustSave(t, r, "m", "x"); v.String() != "1.0.0" {
		t.Errorf("saved as %s: the same save is committed twice", v)
	}
}

// If the store never answers, the error is ErrOutcomeUnknown, with the key and nonce
// to look for, and not a failure (docs/attacks.md, I5).
func TestUnknownOutcomeIsReported(t *testing.T) {
	for _, late := range []bool{false, true} {
		r, fst, _ := faulty(t)
		ctx, cancel := context.WithCancel(t.Context())
		puts := 0
		fst.Plan(func(c faultstore.Call) faultstore.Fault {
			if c.Op != "put" {
				return faultstore.Fault{}
			}
			if puts++; puts == 3 {
				cancel()
			}
			if late {
				return faultstore.Fault{Late: true}
			}
			return faultstore.Fault{Before: store.ErrUnknown}
		})
		_, err := r.Save(ctx, "m", "x")
		wantErr(t, err, ErrOutcomeUnknown)
		wantErr(t, err, context.Canceled)
		oe := (*OutcomeError)(nil)
		if !errors.As(err, &oe) || oe.Key != manifest.VersionKey("m", Version{Major: 1}) {
			t.Fatalf("%v does not say where to look", err)
		}
		fst.Plan(nil)
		fst.Release()
		mine, _, err := r.ledger.Wrote(t.Context(), oe.Key, manifest.Nonce(oe.Nonce))
		if late && (err != nil || !mine) {
			t.Errorf("the late create is not found by its nonce: %v", err)
		}
	}
}

// Every definite failure leaves nothing to be seen, then or later; whatever
// is acknowledged is there. The fault hits each call of a save in turn.
func TestFailureAtEveryCall(t *testing.T) {
	body := noise(1, 20<<20)
	boom := errors.New("boom")
	for _, kind := range []string{"before", "after", "unknown", "cancel"} {
		for n := 0; ; n++ {
			r, fst, mem := faulty(t)
			mustSave(t, r, "m", body[:1<<20])
			ctx, cancel := context.WithCancel(t.Context())
			hit := atomic.Bool{}
			fst.Plan(func(c faultstore.Call) faultstore.Fault {
				if c.N != n {
					return faultstore.Fault{}
				}
				hit.Store(true)
				switch kind {
				case "before":
					return faultstore.Fault{Before: boom}
				case "after":
					if c.Op == "put" { // a put that was applied never claims otherwise
						return faultstore.Fault{After: store.ErrUnknown}
					}
					return faultstore.Fault{After: boom}
				case "unknown":
					return faultstore.Fault{Before: store.ErrUnknown}
				}
				return faultstore.Fault{Do: cancel}
			})
			v, err := r.Save(ctx, "m", body)
			cancel()
			fst.Plan(nil)
			name := fmt.Sprintf("%s at call %d", kind, n)
			check := openOn(t, mem, nil)
			got := liveVersions(t, check, "m")
			switch {
			case err == nil:
				if !slices.Equal(got, []string{"1.0.0", v.String()}) || !slices.Equal(mustLoad[[]byte](t, check, "m"), body) {
					t.Errorf("%s: acknowledged %s, live are %v", name, v, got)
				}
			case !errors.Is(err, ErrOutcomeUnknown):
				if !slices.Equal(got, []string{"1.0.0"}) {
					t.Errorf("%s: failed with %v, but live are %v", name, err, got)
				}
			}
			if rep := must[*VerifyReport](t)(check.Verify(t.Context(), "", nil)); !rep.OK() {
				t.Errorf("%s: %v", name, rep.Problems)
			}
			// And the next save works.
			if v := mustSave(t, check, "m", "next"); v.Patch < 1 {
				t.Errorf("%s: next is %s", name, v)
			}
			if !hit.Load() {
				if n < 5 {
					t.Errorf("only %d calls were hit", n)
				}
				break
			}
		}
	}
}

// The same for a load: an error or the right bytes, and never a panic.
func TestLoadFailureAtEveryCall(t *testing.T) {
	r, fst, _ := faulty(t)
	body := noise(2, 20<<20)
	mustSave(t, r, "m", body)
	boom := errors.New("boom")
	for n := range 5 {
		fst.Plan(func(c faultstore.Call) faultstore.Fault {
			if c.N == n {
				return faultstore.Fault{Before: boom}
			}
			return faultstore.Fault{}
		})
		got, err := Load[[]byte](t.Context(), r, "m")
		if n < 3 { // list, register, at least one pack
			wantErr(t, err, boom)
		} else if err == nil && !slices.Equal(got, body) {
			t.Error("wrong bytes and no error")
		}
	}
}

// Savers of one name all get through, each with a number of its own
// (docs/attacks.md, A8).
func TestManySaversOfOneNameAllGetThrough(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		const savers, each = 16, 5
		r := openOn(t, st, nil)
		results := make(chan string, savers*each)
		for i := range savers {
			go func() {
				for k := range each {
					v, err := r.Save(context.Background(), "m", fmt.Sprintf("%d/%d", i, k))
					if err != nil {
						results <- err.Error()
						continue
					}
					results <- v.String()
				}
			}()
		}
		var got []string
		for range savers * each {
			got = append(got, <-results)
		}
		want := liveVersions(t, r, "m")
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || len(slices.Compact(got)) != savers*each {
			t.Errorf("acknowledged %v, live %v", got, want)
		}
	})
}
