package registry

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/tracestore"
)

// liar is a store that creates keys that exist, now and then, as a server with
// two pools does.
type liar struct {
	store.Store
	lies bool
}

func (l *liar) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	if l.lies && match == store.Absent && rand.N(2) == 0 {
		if info, err := l.Store.Stat(ctx, key); err == nil {
			match = info.Token
		}
	}
	return l.Store.Put(ctx, key, body, match)
}

// No registry is made in a store that lies.
func TestInitProbes(t *testing.T) {
	l := &liar{newStore(t), true}
	_, err := OpenStore(t.Context(), l, "liar:", &Options{Create: true})
	wantErr(t, err, ErrUnsafeStore)
	for info := range l.List(t.Context(), "", "") {
		t.Errorf("%s was left", info.Key)
	}
	l.lies = false
	if _, err := l.Put(t.Context(), manifest.ProbePrefix+"left/a", nil, store.Absent); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(t.Context(), l, "liar:", &Options{Create: true}); err != nil {
		t.Error(err) // what a probe has left does not count
	}
}

// After a day, the first write probes the store again; other calls do not.
func TestWritesProbeOnceADay(t *testing.T) {
	clock := newTestClock()
	l := &liar{Store: newStoreAt(t, clock.now)}
	trace := tracestore.New(l)
	r := openOn(t, trace, nil)
	probes := func(do func()) bool {
		trace.Reset()
		do()
		return strings.Contains(trace.String(), "probe/")
	}
	if probes(func() { mustSave(t, r, "a", "1") }) {
		t.Error("probed again on the same day")
	}
	clock.advance(25 * time.Hour)
	r = openOn(t, trace, nil)
	if probes(func() { mustLoad[string](t, r, "a") }) {
		t.Error("a load probed")
	}
	if !probes(func() { mustSave(t, r, "a", "2") }) {
		t.Error("not probed after a day")
	}
	other := openOn(t, trace, nil)
	if probes(func() { mustSave(t, r, "a", "3"); mustSave(t, other, "a", "4") }) {
		t.Error("probed again after it was recorded")
	}
	clock.advance(25 * time.Hour)
	l.lies = true
	r = openOn(t, trace, nil)
	_, err := r.Save(t.Context(), "a", "5")
	wantErr(t, err, ErrUnsafeStore)
	_, err = r.Delete(t.Context(), "a@1.0.0", nil)
	wantErr(t, err, ErrUnsafeStore)
	if got := mustLoad[string](t, r, "a"); got != "4" {
		t.Errorf("latest is %q after a save that was refused", got)
	}
}
