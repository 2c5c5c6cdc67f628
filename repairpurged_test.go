package registry

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
)

// A damaged register of a purged version is restored as purged, although the mirror
// still has the version, and only when no running save can rely on its packs.
func TestRepairOfPurged(t *testing.T) {
	r, _, mem, clock := timed(t)
	mustSave(t, r, "m", noise(1, 1<<20))
	mustSave(t, r, "m", "other")
	mirror, _ := inMemory(t)
	must[*CopyReport](t)(Copy(t.Context(), mirror, r, "", nil))
	clock.advance(30 * day)
	mustPurge(t, r, "m@1.0.0", nil)
	overwrite(t, mem, manifest.VersionKey("m", Version{Major: 1}), func(b []byte) []byte {
		return bytes.Replace(b, []byte(`"size"`), []byte(`"sise"`), 1)
	})
	for _, left := range []bool{true, false} {
		rep := must[*RepairReport](t)(r.Repair(t.Context(), "", mirror, nil))
		if rep.OK() == left || left && !strings.Contains(rep.Problems[0].Err.Error(), "repair it after 20") {
			t.Errorf("%+v", rep)
		}
		clock.advance(purgeGrace)
	}
	wantErr(t, r.Load(t.Context(), "m@1.0.0", new([]byte)), ErrPurged)
	wantErr(t, errOf(r.Undelete(t.Context(), "m@1.0.0", nil)), ErrPurged)
	if rep := mustGC(t, r); rep.Freed.Packs != 1 || rep.Versions.Purged != 1 {
		t.Errorf("%+v", rep)
	}
	mustVerify(t, r)
}
