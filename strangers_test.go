package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/gc"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// What other programs leave among registers and packs does not keep anything
// from being collected, is left alone, and is named once.
func TestGCPassesStrangers(t *testing.T) {
	r, _, mem, clock := timed(t)
	garbage(t, r, clock)
	strangers := []string{
		"objects/garbage/@/desktop.ini", "objects/garbage/@/thumbs.db", "objects/garbage/@/~syncthing~notes.txt.tmp",
		"objects/loose", "objects/my.json/@/thumbs.db", "packs/0000002967/thumbs.db", "packs/readme",
	}
	for _, key := range strangers {
		must[store.Info](t)(mem.Put(t.Context(), key, []byte("hi"), store.Absent))
	}
	rep := wouldGC(t, r)
	again := mustGC(t, r)
	if again.Freed.Packs != 1 || rep.Freed != again.Freed || !slices.Equal(again.Strangers, strangers) || !slices.Equal(rep.Strangers, strangers) {
		t.Errorf("dry run %+v\nthen %+v", rep, again)
	}
	for _, key := range strangers {
		must[store.Info](t)(mem.Stat(t.Context(), key))
	}
}

// However many keys of strangers there are, and however long, the report of
// a collection fits its register, in which the next one finds it.
func TestManyLongStrangers(t *testing.T) {
	r, _, mem, clock := timed(t)
	garbage(t, r, clock)
	segment := strings.Repeat("x", 97)
	for i := range 2 * gc.MaxStrangers {
		key := "objects/loose/" + strings.Repeat(segment+"/", 8) + fmt.Sprintf("%03d", i)
		must[store.Info](t)(mem.Put(t.Context(), key, nil, store.Absent))
	}
	rep := mustGC(t, r)
	if n := len(rep.Strangers); rep.Freed.Packs != 1 || n < 30 || n > gc.MaxStrangers {
		t.Errorf("%d are named, freed %+v", n, rep.Freed)
	}
}

// What may be a register that was renamed ends a collection: it may be all that
// names some packs. The error names it and is no mistake of the caller's.
func TestGCStopsAtCopiesOfRegisters(t *testing.T) {
	for _, name := range []string{"a1.a0.a0~-conflict-host.json", "x-conflict-host.json", "~syncthing~a1.a0.a0~.json.tmp", "a1.a0.a0~.json~", "a01.a0.a0~.json"} {
		r, _, mem, clock := timed(t)
		garbage(t, r, clock)
		body, _, err := mem.Get(t.Context(), manifest.VersionKey("garbage", Version{Major: 1}), nil)
		if err != nil {
			t.Fatal(err)
		}
		key := "objects/garbage/@/" + name
		must[store.Info](t)(mem.Put(t.Context(), key, body, store.Absent))
		rep, err := r.GC(t.Context(), nil)
		wantErr(t, err, ErrIntegrity)
		if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "move it out of the registry") {
			t.Errorf("it says %v", err)
		}
		if rep.Freed.Packs > 0 || len(packKeys(t, mem)) != 1 {
			t.Errorf("%s: %+v", name, rep)
		}
		if err := mem.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if rep := mustGC(t, r); rep.Freed.Packs != 1 {
			t.Errorf("without %s: %+v", name, rep)
		}
	}
}
