package registry

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

// A copy that fails at any request, on either side, says which side it was,
// and is finished by the next.
func TestCopyFailsAnywhere(t *testing.T) {
	from, fromStore, _ := sourceRegistry(t, 6<<20)
	boom := errors.New("boom")
	for _, failing := range []Side{Source, Destination} {
		for n, done := 1, false; !done; n += 1 + n/8 {
			toStore := newStore(t)
			to := openOn(t, toStore, nil)
			var st store.Store = fromStore
			if failing == Destination {
				st = toStore
			}
			faulty := faultstore.New(st, nil)
			f, d := from, to
			if failing == Source {
				f = openOn(t, faulty, nil)
			} else {
				d = openOn(t, faulty, nil)
			}
			faulty.Plan(func(c faultstore.Call) faultstore.Fault {
				if c.N == n-1 {
					return faultstore.Fault{Before: boom}
				}
				return faultstore.Fault{}
			})
			_, err := Copy(t.Context(), d, f, "", nil)
			if done = err == nil; !done {
				wantErr(t, err, boom)
				if e := (*SideError)(nil); !errors.As(err, &e) || e.Side != failing {
					t.Errorf("request %d at the %s failed: %v", n, failing, err)
				}
			}
			must[*CopyReport](t)(Copy(t.Context(), to, from, "", nil))
			if !slices.Equal(contents(t, to), contents(t, from)) {
				t.Errorf("request %d at the %s failed: not the same after a second copy", n, failing)
			}
		}
	}
}

// Damage at the source is not copied.
func TestCopyOfDamage(t *testing.T) {
	from, st, _ := sourceRegistry(t, 20<<20)
	for _, key := range packKeys(t, st) {
		overwrite(t, st, key, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	}
	to, _ := inMemory(t)
	_, err := Copy(t.Context(), to, from, "big@1.0.0", nil)
	wantErr(t, err, ErrIntegrity)
	if e := (*SideError)(nil); !errors.As(err, &e) || e.Side != Source {
		t.Errorf("%v does not say that it was the source", err)
	}
	if ok := must[bool](t)(to.Has(t.Context(), "big")); ok {
		t.Error("a damaged version was copied")
	}
}

// Damage of one version, in its packs at the source or in its register at the
// destination, keeps no other version from being copied, and is told.
func TestCopyOfDamageHidesNothingElse(t *testing.T) {
	for _, where := range []Side{Source, Destination} {
		for _, ref := range []string{"", "m", "m@*"} {
			from, st := inMemory(t)
			to, dst := inMemory(t)
			for i := range uint64(3) {
				mustSave(t, from, "m", noise(i, 1<<20))
			}
			damage := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
			if where == Source {
				overwrite(t, st, manifestOf(t, from, "m@1.0.1").Packs()[0].Key(), damage)
			} else {
				must[*CopyReport](t)(Copy(t.Context(), to, from, "m@1.0.1", nil))
				overwrite(t, dst, manifest.VersionKey("m", Version{Major: 1, Patch: 1}), damage)
			}
			rep, err := Copy(t.Context(), to, from, ref, nil)
			if e := (*SideError)(nil); !errors.Is(err, ErrIntegrity) || !errors.As(err, &e) || e.Side != where || len(rep.Copied) != 2 {
				t.Errorf("%s, %q: %v, %+v", where, ref, err, rep)
			}
			mustLoad[[]byte](t, to, "m@1.0.0")
			mustLoad[[]byte](t, to, "m@1.0.2")
		}
	}
}

// An earlier copy has committed a version too late and does not know it. That
// version may have lost its packs: a later copy does not take it for done
// (docs/attacks.md, A23).
func TestCopyDoesNotTrustALateVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the first one is patient
		to, fst, _, clock := timed(t)
		from, _ := inMemory(t)
		mustSave(t, from, "m", noise(1, 1<<20))
		fst.Plan(func(c faultstore.Call) faultstore.Fault {
			return faultstore.Fault{Late: c.Op == "put" && strings.HasPrefix(c.Key, manifest.ObjectsPrefix)}
		})
		_, err := Copy(t.Context(), to, from, "m", nil)
		wantErr(t, err, ErrOutcomeUnknown)
		fst.Plan(nil)
		clock.advance(25 * time.Hour)
		fst.Release()
		_, err = Copy(t.Context(), to, from, "m", nil)
		wantErr(t, err, ErrTooSlow)
		wantErr(t, err, ErrExists) // as its number is; the others are copied
	})
}

// A late version is not taken for a copy that is there already.
func TestLateVersionIsCopiedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := noise(1, 8<<20)
		src, _ := inMemory(t)
		mustSave(t, src, "m", body)
		r, fst, clock := unversioned(t)
		saveLate(t, r, fst, clock, body)
		rep := must[*CopyReport](t)(Copy(t.Context(), r, src, "m", nil))
		if rep.Present != 0 || len(rep.Copied) != 1 {
			t.Errorf("%+v", rep)
		}
	})
}

// A version at the destination of which chunks might be reused is deleted or
// purged there meanwhile: the others are copied all the same.
func TestCopyWhoseBaseGoes(t *testing.T) {
	for goes, remove := range map[string]func(*testing.T, *Registry){
		"deleted": func(t *testing.T, to *Registry) { mustDelete(t, to, "big@1.0.0") },
		"purged":  func(t *testing.T, to *Registry) { mustPurge(t, to, "big@1.0.0", nil) },
	} {
		for _, ref := range []string{"", "big"} {
			_, st, bodies := sourceRegistry(t, 3<<20)
			to, _ := inMemory(t)
			fst := faultstore.New(st, nil)
			from := openOn(t, fst, nil)
			done := false
			fst.Plan(func(c faultstore.Call) faultstore.Fault {
				if done || c.Op != "get" || c.Key != manifest.VersionKey("big", Version{Major: 1, Patch: 1}) || len(liveVersions(t, to, "big")) == 0 {
					return faultstore.Fault{}
				}
				done = true
				return faultstore.Fault{Do: func() { remove(t, to) }}
			})
			rep, err := Copy(t.Context(), to, from, ref, nil)
			if err != nil || !done {
				t.Errorf("%s %q: %v (%t)", goes, ref, err, done)
			}
			if got := liveVersions(t, to, "big"); !slices.Equal(got, []string{"1.0.1", "1.0.2"}) {
				t.Errorf("%s %q: there are %v, %+v", goes, ref, got, rep)
				continue
			}
			if got := mustLoad[[]byte](t, to, "big@1.0.1"); !bytes.Equal(got, bodies[1]) {
				t.Errorf("%s %q: other bytes", goes, ref)
			}
		}
	}
}
