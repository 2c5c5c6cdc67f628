package registry

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

// Each rule keeps what it says, and the latest is always kept.
func TestPrune(t *testing.T) {
	// One version a day, the last of them now.
	versions := []string{"1.0.0", "1.0.1", "1.1.0", "2.0.0", "2.0.1", "3.0.0-rc.1"}
	for _, c := range []struct {
		why     string
		o       PruneOptions
		deleted string
	}{
		{"the last one is a pre-release; the latest release stays too", PruneOptions{KeepLast: 1}, "1.0.0 1.0.1 1.1.0 2.0.0"},
		{"the last three", PruneOptions{KeepLast: 3}, "1.0.0 1.0.1 1.1.0"},
		{"more than there are", PruneOptions{KeepLast: 100}, ""},
		{"by age", PruneOptions{KeepWithin: 3*24*time.Hour - time.Minute}, "1.0.0 1.0.1 1.1.0"},
		{"by age, to the moment", PruneOptions{KeepWithin: 3 * 24 * time.Hour}, "1.0.0 1.0.1"},
		{"all are young", PruneOptions{KeepWithin: 30 * 24 * time.Hour}, ""},
		{"all are old", PruneOptions{KeepWithin: 1}, "1.0.0 1.0.1 1.1.0 2.0.0"},
		{"two rules keep what either does", PruneOptions{KeepLast: 1, KeepWithin: 48 * time.Hour}, "1.0.0 1.0.1 1.1.0"},
		{"no tags", PruneOptions{KeepTagged: true}, "1.0.0 1.0.1 1.1.0 2.0.0 3.0.0-rc.1"},
	} {
		t.Run(c.why, func(t *testing.T) {
			r, _, _, clock := timed(t)
			for i, v := range versions {
				if i > 0 {
					clock.advance(day)
					r = openOn(t, r.ledger.Store, nil) // sees the new time
				}
				mustSave(t, r, "m", v, WithVersion(v))
			}
			mustSave(t, r, "m", "gone", WithVersion("9.0.0"))
			mustDelete(t, r, "m@9.0.0") // neither the latest nor one of the last
			r = openOn(t, r.ledger.Store, nil)
			dry := c.o
			dry.DryRun = true
			would := must[*PruneReport](t)(r.Prune(t.Context(), &dry))
			if n := len(liveVersions(t, r, "m")); n != len(versions) {
				t.Errorf("%d versions after a dry run", n)
			}
			rep := must[*PruneReport](t)(r.Prune(t.Context(), &c.o))
			var deleted []string
			for _, d := range rep.Deleted {
				deleted = append(deleted, d.Version.String())
			}
			if got := strings.Join(deleted, " "); got != c.deleted {
				t.Errorf("deleted %s, want %s", got, c.deleted)
			}
			if !slices.Equal(rep.Deleted, would.Deleted) || rep.Kept != would.Kept || rep.Kept+len(deleted) != len(versions) {
				t.Errorf("%+v, the dry run said %+v", rep, would)
			}
			left := liveVersions(t, r, "m")
			for _, v := range deleted {
				if slices.Contains(left, v) {
					t.Errorf("%s is live", v)
				}
				if _, err := r.Undelete(t.Context(), "m@"+v, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestPruneNamesAndPrefix(t *testing.T) {
	for _, c := range []struct {
		o    PruneOptions
		want string // what is pruned
	}{
		{PruneOptions{}, "a ab b"},
		{PruneOptions{Prefix: "a"}, "a ab"},
		{PruneOptions{Names: []string{"a", "b"}}, "a b"},
	} {
		r, _ := inMemory(t)
		for _, name := range []string{"a", "ab", "b", "gone"} {
			mustSave(t, r, name, "x")
			mustSave(t, r, name, "y")
		}
		mustDelete(t, r, "gone@*")
		c.o.KeepLast = 1
		rep := must[*PruneReport](t)(r.Prune(t.Context(), &c.o))
		var names []string
		for _, d := range rep.Deleted {
			names = append(names, d.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%+v pruned %s, want %s", c.o, got, c.want)
		}
	}
}

func TestPruneRefuses(t *testing.T) {
	r, st := inMemory(t)
	mustSave(t, r, "m", "x")
	for _, o := range []PruneOptions{{}, {KeepLast: -1}, {KeepWithin: -1, KeepLast: 1}, {Names: []string{"m"}, Prefix: "m", KeepLast: 1}, {Names: []string{"m", "my_model"}, KeepLast: 1}, {Names: []string{"none"}, KeepLast: 1}} {
		if rep, err := r.Prune(t.Context(), &o); err == nil {
			t.Errorf("%+v: %+v", o, rep)
		}
	}
	// What it cannot read, it does not take for nothing.
	must[store.Info](t)(st.Put(t.Context(), "tags/m/@/prod.json", []byte("{}"), store.Absent))
	if _, err := r.Prune(t.Context(), &PruneOptions{KeepTagged: true}); err == nil {
		t.Error("a tag that cannot be read was ignored")
	}
}

// Half-way, the report says what was deleted.
func TestPruneFailsHalfWay(t *testing.T) {
	r, fst, _, _ := timed(t)
	for range 5 {
		mustSave(t, r, "m", "x")
	}
	fst.Plan(atPut(2, "objects/", faultBefore))
	rep, err := r.Prune(t.Context(), &PruneOptions{KeepLast: 1})
	fst.Plan(func(faultstore.Call) faultstore.Fault { return faultstore.Fault{} })
	if err == nil || len(rep.Deleted) != 2 {
		t.Errorf("%+v, %v", rep, err)
	}
	if live := liveVersions(t, r, "m"); len(live) != 3 {
		t.Errorf("live are %v", live)
	}
}
