package registry

import (
	"testing"

	"github.com/mindtrace/registry/store"
)

// A process that begins with a save knows when that was: it asks a store that
// has not told it the time. A prune by age would take what has no time.
func TestFirstSaveKnowsTheTime(t *testing.T) {
	url := t.TempDir()
	must[*Registry](t)(Open(t.Context(), url, &Options{Create: true}))
	for _, opts := range [][]SaveOption{nil, {WithVersion("2.0.0")}, {WithIfLatest("2.0.0")}} {
		st := must[store.Store](t)(store.Open(t.Context(), url)) // as in a new process
		r := must[*Registry](t)(OpenStore(t.Context(), st, url, nil))
		v := mustSave(t, r, "m", "x", opts...)
		i := must[*Info](t)(r.Info(t.Context(), "m@"+v.String()))
		if i.Created.Year() < 2000 {
			t.Errorf("%s was created at %v", v, i.Created)
		}
	}
	rep := must[*PruneReport](t)(must[*Registry](t)(Open(t.Context(), url, nil)).Prune(t.Context(), &PruneOptions{KeepWithin: 1 << 50}))
	if len(rep.Deleted) != 0 {
		t.Errorf("pruned %v", rep.Deleted)
	}
}
