package registry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

// One user tags a version while another deletes it. Whatever the order of their
// steps, no tag is left that points at it. If one of them dies in between, a
// load says so (docs/attacks.md, A16).
func TestTagBesideDeleteDoesNotDangle(t *testing.T) {
	boom := errors.New("boom")
	const key = "objects/m/@/a1.a0.a1~"
	// In each case m@prod is 1.0.0, and is about to be moved to 1.0.1.
	type setup struct {
		t     *testing.T
		r     *Registry // subject to the faults
		other *Registry // acts in between
		fst   *faultstore.Store
	}
	move := func(s setup) error { return errOf(s.r.Tag(s.t.Context(), "m@1.0.1", "prod", nil)) }
	remove := func(s setup) error { return errOf(s.r.Delete(s.t.Context(), "m@1.0.1", nil)) }
	deletes := func(s setup, ref string, opts *DeleteOptions) func() {
		return func() {
			if _, err := s.other.Delete(context.Background(), ref, opts); err != nil {
				s.t.Error(err)
			}
		}
	}
	tags := func(s setup) func() {
		return func() {
			if _, err := s.other.Tag(context.Background(), "m@1.0.1", "prod", nil); err != nil {
				s.t.Error(err)
			}
		}
	}
	for _, c := range []struct {
		name string
		do   func(setup) error
		plan func(setup) func(faultstore.Call) faultstore.Fault
		err  error    // of do
		tags []string // afterwards
		load error    // of m@prod
	}{
		{
			"deleted whole before the tag is written", move,
			func(s setup) func(faultstore.Call) faultstore.Fault {
				return atCall(0, "put", "tags/", faultstore.Fault{Do: deletes(s, "m@1.0.1", nil)})
			}, ErrDeleted, []string{"prod=1.0.0"}, nil,
		},
		{
			"deleted whole between the write and the look", move,
			func(s setup) func(faultstore.Call) faultstore.Fault {
				return atCall(1, "get", key, faultstore.Fault{Do: deletes(s, "m@1.0.1", &DeleteOptions{Force: true})})
			}, ErrDeleted, nil, ErrNotFound,
		},
		{
			"both versions deleted before the tag is put back", move,
			func(s setup) func(faultstore.Call) faultstore.Fault {
				first := atCall(0, "put", "tags/", faultstore.Fault{Do: deletes(s, "m@1.0.1", nil)})
				then := atCall(1, "put", "tags/", faultstore.Fault{Do: deletes(s, "m@1.0.0", nil)})
				return func(c faultstore.Call) faultstore.Fault {
					f, g := first(c), then(c)
					if g.Do != nil {
						return g
					}
					return f
				}
			}, ErrDeleted, nil, ErrNotFound,
		},
		{
			"tagged between the check and the tombstone", remove,
			func(s setup) func(faultstore.Call) faultstore.Fault {
				return atCall(0, "put", key, faultstore.Fault{Do: tags(s)})
			}, nil, nil, ErrNotFound,
		},
		{
			"tagged before the check", remove,
			func(s setup) func(faultstore.Call) faultstore.Fault {
				return atCall(0, "list", "tags/", faultstore.Fault{Do: tags(s)})
			}, ErrTagged, []string{"prod=1.0.1"}, nil,
		},
		{
			"the setter's answer is lost and the version deleted", move,
			func(s setup) func(faultstore.Call) faultstore.Fault {
				return atCall(0, "put", "tags/", faultstore.Fault{Do: deletes(s, "m@1.0.1", nil), After: store.ErrUnknown})
			}, ErrDeleted, []string{"prod=1.0.0"}, nil,
		},
		{
			"the setter dies between the write and the look", move,
			func(s setup) func(faultstore.Call) faultstore.Fault {
				do := atCall(0, "put", "tags/", faultstore.Fault{Do: deletes(s, "m@1.0.1", nil)})
				die := atCall(1, "get", key, faultstore.Fault{Before: boom})
				return func(c faultstore.Call) faultstore.Fault {
					if f := die(c); f.Before != nil {
						return f
					}
					return do(c)
				}
			}, ErrOutcomeUnknown, []string{"prod=1.0.1"}, ErrDangling,
		},
		{
			"the deleter dies between the tombstone and the look", remove,
			func(s setup) func(faultstore.Call) faultstore.Fault {
				do := atCall(0, "put", key, faultstore.Fault{Do: tags(s)})
				die := atCall(1, "list", "tags/", faultstore.Fault{Before: boom})
				return func(c faultstore.Call) faultstore.Fault {
					if f := die(c); f.Before != nil {
						return f
					}
					return do(c)
				}
			}, boom, []string{"prod=1.0.1"}, ErrDangling,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, fst, mem := faulty(t)
			s := setup{t, r, openOn(t, mem, nil), fst}
			mustSave(t, r, "m", "zero")
			mustSave(t, r, "m", "one")
			mustTag(t, r, "m@1.0.0", "prod")
			fst.Plan(c.plan(s))
			err := c.do(s)
			fst.Plan(nil)
			if !errors.Is(err, c.err) {
				t.Errorf("ended with %v, want %v", err, c.err)
			}
			wantTags(t, r, "m", c.tags...)
			if err := r.Load(t.Context(), "m@prod", new(string)); !errors.Is(err, c.load) {
				t.Errorf("m@prod: %v, want %v", err, c.load)
			}
			rep := must[*VerifyReport](t)(r.Verify(t.Context(), "", nil))
			if c.load != ErrDangling {
				if !rep.OK() {
					t.Error(rep.Problems)
				}
				return
			}
			// What a crash has left is found, and can be put right.
			if len(rep.Problems) != 1 || !errors.Is(rep.Problems[0].Err, ErrDangling) {
				t.Errorf("verify finds %v", rep.Problems)
			}
			wantErr(t, r.Load(t.Context(), "m@prod", new(string)), ErrNotFound)
			mustTag(t, r, "m@1.0.0", "prod")
			if got := mustLoad[string](t, r, "m@prod"); got != "zero" {
				t.Errorf("m@prod is %q", got)
			}
		})
	}
}

// Setters, deleters and undeleters of a few versions, all at once: in the end
// every tag points at a live version (docs/attacks.md, A16). The seed is
// printed.
func TestTagsPointAtLiveVersionsAfterARace(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		const workers, each, versions = 8, 30, 4
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := openOn(t, st, nil)
		for range versions {
			mustSave(t, r, "m", "x")
		}
		var wg sync.WaitGroup
		for w := range workers {
			rng := rand.New(rand.NewPCG(seed, uint64(w)))
			wg.Go(func() {
				for range each {
					ref, tag := fmt.Sprintf("m@1.0.%d", rng.IntN(versions)), []string{"a", "b"}[rng.IntN(2)]
					var err error
					switch rng.IntN(6) {
					case 0:
						_, err = r.Delete(context.Background(), ref, &DeleteOptions{Force: true})
					case 1:
						_, err = r.Delete(context.Background(), ref, nil)
					case 2:
						_, err = r.Undelete(context.Background(), ref, nil)
					case 3:
						_, err = r.Untag(context.Background(), "m", tag, nil)
					default:
						_, err = r.Tag(context.Background(), ref, tag, nil)
					}
					if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrTagged) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if rep := must[*VerifyReport](t)(r.Verify(context.Background(), "", nil)); !rep.OK() {
			t.Error(rep.Problems)
		}
	})
}

// A fault at each call of setting a tag in turn: what is reported as failed
// has changed nothing, then or later; what is acknowledged is there.
func TestTagFailureAtEveryCall(t *testing.T) {
	boom := errors.New("boom")
	for name, fault := range map[string]faultstore.Fault{
		"before": {Before: boom}, "unknown": {Before: store.ErrUnknown}, "lost": {After: store.ErrUnknown}, "late": {Late: true},
	} {
		for n := range 5 {
			r, fst, mem := faulty(t)
			mustSave(t, r, "m", "zero")
			mustSave(t, r, "m", "one")
			mustTag(t, r, "m@1.0.0", "prod")
			fst.Plan(func(c faultstore.Call) faultstore.Fault {
				if c.N != n || c.Op != "put" && name != "before" {
					return faultstore.Fault{}
				}
				return fault
			})
			_, err := r.Tag(t.Context(), "m@1.0.1", "prod", nil)
			fst.Plan(nil)
			fst.Release()
			got := tagsOf(t, openOn(t, mem, nil), "m")
			switch {
			case err == nil && !slices.Equal(got, []string{"prod=1.0.1"}):
				t.Errorf("%s at call %d: acknowledged, but tags are %v", name, n, got)
			case err != nil && !errors.Is(err, ErrOutcomeUnknown) && !slices.Equal(got, []string{"prod=1.0.0"}):
				t.Errorf("%s at call %d: failed with %v, but tags are %v", name, n, err, got)
			case (n == 4 || name != "before") && err != nil:
				t.Errorf("%s at call %d: %v", name, n, err)
			}
		}
	}
}

// Of many that move a tag from the same version, one wins.
func TestConditionalTagRace(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		const racers = 16
		r := openOn(t, st, nil)
		for range racers + 1 {
			mustSave(t, r, "m", "x")
		}
		mustTag(t, r, "m@1.0.0", "prod")
		errs := make(chan error, racers)
		for i := range racers {
			go func() {
				errs <- errOf(r.Tag(context.Background(), fmt.Sprintf("m@1.0.%d", i+1), "prod", &TagOptions{IfVersion: "1.0.0"}))
			}()
		}
		won := 0
		for range racers {
			if err := <-errs; err == nil {
				won++
			} else {
				wantErr(t, err, ErrConflict)
			}
		}
		if n := len(must[[]TagMove](t)(r.TagHistory(t.Context(), "m", "prod"))); won != 1 || n != 2 {
			t.Errorf("%d racers won, the tag was in %d states", won, n)
		}
	})
}

// Movers without a condition all get through; none of them is forgotten.
func TestTagRace(t *testing.T) {
	r, _ := inMemory(t)
	const racers = 16
	errs := make(chan error, racers)
	for range racers {
		mustSave(t, r, "m", "x")
	}
	for i := range racers {
		go func() { errs <- errOf(r.Tag(context.Background(), fmt.Sprintf("m@1.0.%d", i), "prod", nil)) }()
	}
	for range racers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := len(must[[]TagMove](t)(r.TagHistory(t.Context(), "m", "prod"))); n != racers {
		t.Errorf("the tag was in %d states, want %d", n, racers)
	}
}
