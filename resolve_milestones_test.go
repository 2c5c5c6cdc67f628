package registry

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mindtrace/registry/internal/commit"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/tracestore"
)

// milestonesEvery opens a registry that leaves milestones every so many
// versions.
func milestonesEvery(t testing.TB, n int, st store.Store) *Registry {
	r := openOn(t, st, nil)
	r.ledger.Knobs.Milestone = n
	return r
}

// seed puts the registers of versions 1.0.0 to 1.0.<n-1>, all of them dead but
// the last live ones.
func seed(t testing.TB, st store.Store, name string, n, live int) {
	t.Helper()
	m := manifest.NewManifest(name, Version{Major: 1}, newTestClock().now())
	m.Content.Materializer = "string"
	m.Content.Files = []manifest.File{{Path: "value.txt", Size: 4, SHA256: manifest.Sum([]byte("seed"))}}
	m.Placement.Inline = []byte("seed")
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		m.Version.Patch, m.State = uint64(i), manifest.Live
		if i < n-live {
			m.State = manifest.Deleted
		}
		body, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Put(t.Context(), manifest.VersionKey(name, m.Version), body, store.Absent); err != nil {
			t.Fatal(err)
		}
	}
}

// However many versions there are, finding the latest and saving the next
// stay at a fixed number of requests, a listing of at most a thousand keys
// being one.
func TestRequestsAmongManyVersions(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 5000
	}
	for _, c := range []struct {
		name string
		opts Options
		live int
	}{
		{"versioned", Options{}, n},
		{"unversioned", Options{Unversioned: true}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			mem := newStore(t)
			trace := tracestore.New(mem)
			r := openOn(t, trace, &c.opts)
			seed(t, mem, "m", n, c.live)
			v := mustSave(t, r, "m", "one") // looks through all, and leaves a milestone
			if v.Patch != uint64(n) {
				t.Fatalf("saved %s", v)
			}
			for _, c := range []struct {
				what  string
				limit int
				do    func()
			}{
				{"load the latest", 3, func() {
					if got := mustLoad[string](t, r, "m"); got != "one" {
						t.Errorf("loaded %q", got)
					}
				}},
				{"info of the latest", 3, func() { must[*Info](t)(r.Info(t.Context(), "m")) }},
				{"save", 3 + 3*(1-min(1, c.live-1)), func() { mustSave(t, r, "m", "two") }}, // and what it replaces
				{"save if latest", 5 + 3*(1-min(1, c.live-1)), func() {
					mustSave(t, r, "m", "three", WithIfLatest(must[*Info](t)(r.Info(t.Context(), "m")).Version.String()))
				}},
				{"list objects", 5, func() {
					for info, err := range r.Latest(t.Context(), "") {
						if err != nil || info.Version.Patch != uint64(n)+2 {
							t.Errorf("%+v, %v", info, err)
						}
					}
				}},
			} {
				trace.Reset()
				c.do()
				got := trace.Count("")
				if c.what == "save if latest" {
					got -= 3 // of the Info before
				}
				if got > c.limit {
					t.Errorf("%s takes %d requests, the limit is %d:\n%.2000s", c.what, got, c.limit, trace)
				}
			}
		})
	}
}

// The milestones are left often enough, however versions are numbered, and
// not much more often.
func TestMilestonesKeepUp(t *testing.T) {
	for _, c := range []struct {
		name string
		opt  func(i int) []SaveOption
	}{
		{"automatic", func(int) []SaveOption { return nil }},
		{"minors", func(i int) []SaveOption { return []SaveOption{WithVersion(fmt.Sprintf("1.%d.0", i))} }},
		{"downwards", func(i int) []SaveOption { return []SaveOption{WithVersion(fmt.Sprintf("1.0.%d", 5000-i))} }},
		{"pre-releases among them", func(i int) []SaveOption {
			if i%3 == 0 {
				return []SaveOption{WithVersion(fmt.Sprintf("3.0.0-rc.%d", i))}
			}
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			mem := newStore(t)
			r := milestonesEvery(t, 8, mem)
			n := 400
			for i := range n {
				mustSave(t, r, "m", "x", c.opt(i)...)
			}
			milestones := 0
			for info, err := range mem.List(t.Context(), manifest.ObjectsPrefix, "") {
				if err != nil {
					t.Fatal(err)
				}
				if manifest.IsMilestone(info.Key) {
					milestones++
				}
			}
			versions, _, err := r.ledger.HighestVersions(t.Context(), "m")
			switch c.name {
			case "downwards": // the first one says it all
				if milestones > 2 || len(versions) > 2 {
					t.Errorf("%d milestones, %d versions above the last", milestones, len(versions))
				}
			case "pre-releases among them": // those are above all releases
				if milestones > n/6 {
					t.Errorf("%d milestones", milestones)
				}
			default:
				if milestones > n/6 || len(versions) > 64 {
					t.Errorf("%d milestones, %d versions above the last", milestones, len(versions))
				}
			}
			if err != nil {
				t.Error(err)
			}
			mustVerify(t, r)
			mustGC(t, r)
		})
	}
}

// What top finds, the whole listing finds: whatever was saved in which order,
// and deleted.
func TestLatestWithMilestonesIsTheLatest(t *testing.T) {
	for round := range uint64(20) {
		rng := rand.New(rand.NewPCG(round, 1))
		mem := newStore(t)
		r := milestonesEvery(t, 3, mem)
		r.ledger.Knobs.JumpAfter = 5
		for step := range 60 {
			switch rng.IntN(6) {
			case 0:
				v := Version{Major: rng.Uint64N(3), Minor: rng.Uint64N(12), Patch: rng.Uint64N(12)}
				if rng.IntN(3) == 0 {
					v.Pre = fmt.Sprintf("rc.%d", rng.IntN(20))
				}
				if _, err := r.Save(t.Context(), "m", "x", WithVersion(v.String())); err != nil && !errors.Is(err, ErrExists) {
					t.Fatal(err)
				}
			case 1:
				if _, err := r.Delete(t.Context(), "m@latest", nil); err != nil && !errors.Is(err, ErrNotFound) {
					t.Fatal(err)
				}
			case 2:
				// A lost milestone, or one of a mirror that is being filled.
				v := Version{Major: rng.Uint64N(4), Minor: 13}
				for info, err := range mem.List(t.Context(), manifest.ObjectsPrefix, "") {
					if err == nil && manifest.IsMilestone(info.Key) && rng.IntN(3) == 0 {
						if err := mem.Delete(t.Context(), info.Key); err != nil {
							t.Fatal(err)
						}
					}
				}
				if rng.IntN(4) == 0 {
					mem.Put(t.Context(), manifest.MilestoneKey("m", v), nil, store.Absent)
				}
			default:
				all := must[[]Version](t)(r.ledger.Numbers(t.Context(), "m"))
				want := must[Version](t)(commit.NextVersion(all))
				if got := mustSave(t, r, "m", "x"); got != want {
					t.Fatalf("round %d, step %d: saved %s, the next is %s of %v", round, step, got, want, all)
				}
			}
			all := must[[]Version](t)(r.ledger.Numbers(t.Context(), "m"))
			want, _, werr := r.ledger.Best(t.Context(), ledger.Ref{Name: "m"}, all)
			got, err := r.ledger.Resolve(t.Context(), ledger.Ref{Name: "m"})
			if (werr == nil) != (err == nil) || err == nil && got.Version != want.Version {
				t.Fatalf("round %d, step %d: the latest is %v, %v, not %v, %v", round, step, got, err, want, werr)
			}
			var listed []Version
			for info, err := range r.Latest(t.Context(), "") {
				if err != nil {
					t.Fatal(err)
				}
				listed = append(listed, info.Version)
			}
			if werr == nil && !slices.Equal(listed, []Version{want.Version}) || werr != nil && listed != nil {
				t.Fatalf("round %d, step %d: listed %v, not %v, %v", round, step, listed, want, werr)
			}
		}
	}
}

// There are two listings: one shows the milestone, the other begins there. A
// commit between them is seen, and a version that was the latest and will never
// be again is not returned (docs/attacks.md, A7).
func TestCommitBetweenTheTwoListingsIsSeen(t *testing.T) {
	for _, c := range []struct {
		name   string
		commit func(t *testing.T, r *Registry)
		want   Version
	}{
		{"the next", func(t *testing.T, r *Registry) { mustSave(t, r, "m", "x") }, Version{Major: 1, Patch: 20}},
		{"many, with a milestone", func(t *testing.T, r *Registry) {
			for range 10 {
				mustSave(t, r, "m", "x")
			}
		}, Version{Major: 1, Patch: 29}},
		{"1.10.0 and then 1.9.1", func(t *testing.T, r *Registry) {
			mustSave(t, r, "m", "x", WithVersion("1.10.0"))
			mustSave(t, r, "m", "x", WithVersion("1.9.1"))
		}, Version{Major: 1, Minor: 10}},
		{"one below the milestone", func(t *testing.T, r *Registry) { mustSave(t, r, "m", "x", WithVersion("0.1.0")) }, Version{Major: 1, Patch: 19}},
		{"the next, and the others deleted", func(t *testing.T, r *Registry) {
			mustSave(t, r, "m", "x")
			must[*DeleteReport](t)(r.Delete(t.Context(), "m@<1.0.20", nil))
		}, Version{Major: 1, Patch: 20}},
		{"all deleted but one below the milestone", func(t *testing.T, r *Registry) {
			must[*DeleteReport](t)(r.Delete(t.Context(), "m@>=1.0.2", nil))
		}, Version{Major: 1, Patch: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			mem := newStore(t)
			fst := faultstore.New(mem, nil)
			r, other := milestonesEvery(t, 8, fst), milestonesEvery(t, 8, mem)
			for range 20 {
				mustSave(t, other, "m", "x")
			}
			if _, whole, err := other.ledger.HighestVersions(t.Context(), "m"); whole || err != nil {
				t.Fatalf("there is no milestone, %v", err)
			}
			fst.Plan(atCall(1, "list", manifest.VersionsPrefix("m"), faultstore.Fault{Do: func() { c.commit(t, other) }}))
			if got := must[*Info](t)(r.Info(t.Context(), "m")).Version; got != c.want {
				t.Errorf("the latest is %s, not %s", got, c.want)
			}
		})
	}
}

// A milestone without a register hides nothing: not the releases below it,
// where a pre-release lies above.
func TestMilestoneWithoutRegister(t *testing.T) {
	r, mem := inMemory(t)
	for _, v := range []string{"1.0.0", "1.0.3", "2.0.0-rc.1"} {
		mustSave(t, r, "m", v, WithVersion(v))
	}
	must[store.Info](t)(mem.Put(t.Context(), manifest.MilestoneKey("m", must[Version](t)(ParseVersion("1.0.5"))), nil, store.Absent))
	if got := mustLoad[string](t, r, "m"); got != "1.0.3" {
		t.Errorf("latest is %s", got)
	}
	if v := must[Version](t)(r.Save(t.Context(), "m", "next")); v.String() != "1.0.4" {
		t.Errorf("the next save is %s, not 1.0.4", v)
	}
}
