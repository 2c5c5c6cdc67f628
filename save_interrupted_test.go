package registry

import (
	"context"
	"strings"
	"testing"

	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/tracestore"
)

// A save that was interrupted and is run again makes the same packs: those
// that are there are not put twice.
func TestInterruptedSaveIsContinued(t *testing.T) {
	r, fst, mem := faulty(t)
	body := noise(1, 100<<20)
	fst.Plan(atPut(4, "packs/", faultBefore))
	if _, err := r.Save(t.Context(), "m", body); err == nil {
		t.Fatal("no error")
	}
	fst.Plan(nil)
	first := packKeys(t, mem)
	if len(first) < 2 {
		t.Fatalf("only %d packs were put before the failure", len(first))
	}
	mustSave(t, r, "m", body)
	all := packKeys(t, mem)
	if len(all) != len(manifestOf(t, r, "m").Packs()) {
		t.Errorf("%d packs in the store, %d in the manifest: the first try left others", len(all), len(manifestOf(t, r, "m").Packs()))
	}
}

// A save that is interrupted half-way and run again puts what is missing, and
// asks once for each pack whether it is there, without listing any.
func TestInterruptedSaveMovesOnlyTheRest(t *testing.T) {
	mem := newStore(t)
	fst := faultstore.New(mem, nil)
	trace := tracestore.New(fst)
	r := openOn(t, trace, nil)
	r.ledger.Knobs.MaxPack = 4 << 20
	body := noise(1, 100<<20)
	put := func() (n int64) {
		for _, c := range trace.Calls() {
			if c.Op == "put" && c.Err == nil && strings.HasPrefix(c.Key, "packs/") {
				n += c.Bytes
			}
		}
		return n
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 14
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op == "put" && strings.HasPrefix(c.Key, "packs/") {
			if n--; n < 0 {
				return faultstore.Fault{Do: cancel}
			}
		}
		return faultstore.Fault{}
	})
	if _, err := r.Save(ctx, "m", body); err == nil {
		t.Fatal("no error")
	}
	fst.Plan(nil)
	if first := put(); first > int64(len(body))*3/4 {
		t.Fatalf("%d MB were put before the end", first>>20)
	}
	trace.Reset()
	var report SaveReport
	if _, err := r.Save(t.Context(), "m", body, WithReport(&report)); err != nil {
		t.Fatal(err)
	}
	if moved := put(); report.Found == 0 || report.Found+moved != report.Stored {
		t.Errorf("reported %d bytes as found of %d stored, %d were put", report.Found, report.Stored, moved)
	}
	if again := put(); again > int64(len(body))*55/100 {
		t.Errorf("put %d MB of %d MB again", again>>20, len(body)>>20)
	}
	lists := 0
	for _, c := range trace.Calls() {
		if c.Op == "list" && !strings.HasPrefix(c.Key, "objects/m/") {
			lists++
		}
	}
	if packs := len(manifestOf(t, r, "m").Packs()); trace.Count("stat") > packs || lists > 0 {
		t.Errorf("%d looks at %d packs, %d listings", trace.Count("stat"), packs, lists)
	}
}
