package registry

import (
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store/faultstore"
)

// The collection sleeps between marking and sweeping, for longer than any age.
// What was saved meanwhile stays (docs/attacks.md, A24).
func TestSweepAfterASleepSparesNewPacks(t *testing.T) {
	r, fst, mem, clock := timed(t)
	garbage(t, r, clock)
	other := openOn(t, mem, nil)
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op != "list" || c.Key != manifest.PacksPrefix {
			return faultstore.Fault{}
		}
		return faultstore.Fault{Do: func() {
			mustSave(t, other, "meanwhile", noise(1, 1<<20))
			clock.advance(100 * day)
			mustSave(t, other, "meanwhile", noise(2, 1<<20), WithBase("meanwhile"))
		}}
	})
	rep := mustGC(t, r)
	fst.Plan(nil)
	if rep.Freed.Packs != 1 || rep.Young.Packs != 2 {
		t.Errorf("%+v", rep)
	}
	mustVerify(t, r)
}

// While a collection reads the registers, versions are deleted, brought back
// and saved. No live version loses its packs (docs/attacks.md, A13).
func TestChangesBesideMarkLoseNoPacks(t *testing.T) {
	for _, change := range []string{"delete", "undelete", "save from base and delete it", "delete and undelete"} {
		for _, op := range []string{"list", "get"} {
			t.Run(change+" before "+op, func(t *testing.T) {
				r, fst, mem, clock := timed(t)
				other := openOn(t, mem, nil)
				mustSave(t, r, "m", noise(1, 1<<20))
				clock.advance(30 * day)
				if change == "undelete" {
					mustDelete(t, r, "m@1")
					clock.advance(7 * day) // the last moment
				}
				done := false
				fst.Plan(func(c faultstore.Call) faultstore.Fault {
					if done || c.Op != op || !strings.HasPrefix(c.Key, "objects/") {
						return faultstore.Fault{}
					}
					done = true
					return faultstore.Fault{Do: func() {
						switch change {
						case "delete":
							mustDelete(t, other, "m@1")
						case "undelete":
							if _, err := other.Undelete(t.Context(), "m@1", nil); err != nil {
								t.Error(err)
							}
						case "save from base and delete it":
							mustSave(t, other, "a", noise(1, 1<<20), WithBase("m"))
							mustDelete(t, other, "m@1")
						case "delete and undelete":
							mustDelete(t, other, "m@1")
							if _, err := other.Undelete(t.Context(), "m@1", nil); err != nil {
								t.Error(err)
							}
						}
					}}
				})
				if rep := mustGC(t, r); rep.Freed.Packs > 0 || !done {
					t.Errorf("%+v", rep)
				}
				fst.Plan(nil)
				mustVerify(t, r)
				_, _ = other.Undelete(t.Context(), "m@1", nil)
				mustLoad[[]byte](t, r, "m@1")
			})
		}
	}
}

// Two collections at once: the second one starts, and ends, at every request of
// the first. Both are right, and one marker is left (docs/attacks.md, A31).
func TestTwoCollectionsAreBothRight(t *testing.T) {
	for at := 0; ; at++ {
		r, fst, mem, clock := timed(t)
		mustSave(t, r, "m", noise(1, 1<<20))
		garbage(t, r, clock)
		other := openOn(t, mem, nil)
		fst.Plan(func(c faultstore.Call) faultstore.Fault {
			if c.N == at {
				return faultstore.Fault{Do: func() { clock.advance(time.Second); mustGC(t, other) }}
			}
			return faultstore.Fault{}
		})
		mustGC(t, r)
		calls := fst.Calls()
		fst.Plan(nil)
		mustVerify(t, r)
		if n := len(packKeys(t, mem)); n != 1 {
			t.Errorf("at %d: %d packs", at, n)
		}
		clock.advance(time.Second)
		mustGC(t, r)
		if n := len(markers(t, mem)); n != 1 {
			t.Errorf("at %d: %d markers", at, n)
		}
		if at > calls {
			break
		}
	}
}
