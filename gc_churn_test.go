package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/filestore"
	"github.com/mindtrace/registry/store/memstore"
)

// shortTimes let a version be freed some seconds after it was deleted.
var shortTimes = manifest.Times{Era: 1, Window: 3, Retain: 1, Margin: 1}

// shortestToFree is the shortest time from a deletion to the sweep that frees its packs.
const shortestToFree = 5 * time.Second

// blob is one of a few contents that all churners put their objects together
// from, so that versions share chunks and packs all the time.
func blob(i int) []byte { return noise(uint64(1000+i), 100<<10+i*50<<10) }

const blobs = 8

func contentOf(seed int) []byte { return slices.Concat(blob(seed%blobs), blob(seed/blobs%blobs)) }

// churner saves, deletes, brings back and loads versions of a few names that
// others save to, too. Only it deletes what it saved, so it knows what must be
// there.
type churner struct {
	r    *Registry
	rng  *rand.Rand
	live map[string]int // reference → seed
	dead map[string]int
	// say is called before and after each change of a version.
	say func(what, ref string, seed int)

	saves, failed int
	lastFailure   error
}

func newChurner(r *Registry, seed uint64) *churner {
	return &churner{
		r: r, rng: rand.New(rand.NewPCG(seed, 1)), live: map[string]int{}, dead: map[string]int{},
		say: func(string, string, int) {},
	}
}

// pick returns one of the references of a map, which is not empty.
func (c *churner) pick(refs map[string]int) string {
	var all []string
	for ref := range refs {
		all = append(all, ref)
	}
	slices.Sort(all)
	return all[c.rng.IntN(len(all))]
}

// step does one thing. An error is a broken promise.
func (c *churner) step(ctx context.Context) error {
	n := c.rng.IntN(100)
	switch {
	case n >= 60 && len(c.live) > 0 && n < 80:
		ref := c.pick(c.live)
		seed := c.live[ref]
		c.say("deleting", ref, seed)
		if _, err := c.r.Delete(ctx, ref, nil); err != nil {
			return err
		}
		delete(c.live, ref)
		c.dead[ref] = seed
		c.say("deleted", ref, seed)
	case n >= 80 && n < 90 && len(c.dead) > 0:
		ref := c.pick(c.dead)
		seed := c.dead[ref]
		delete(c.dead, ref)
		c.say("undeleting", ref, seed)
		_, err := c.r.Undelete(ctx, ref, nil)
		if errors.Is(err, ErrDeleted) { // too late
			c.say("deleted", ref, seed)
			return nil
		}
		if err != nil {
			return err
		}
		c.live[ref] = seed
		c.say("live", ref, seed)
	case n >= 90 && len(c.live) > 0:
		ref := c.pick(c.live)
		return c.check(ctx, ref, c.live[ref])
	default:
		return c.save(ctx)
	}
	return nil
}

func (c *churner) save(ctx context.Context) error {
	name, seed := fmt.Sprintf("n%d", c.rng.IntN(3)), c.rng.IntN(blobs*blobs)
	var opts []SaveOption
	if c.rng.IntN(3) == 0 && len(c.live) > 0 {
		opts = append(opts, WithBase(c.pick(c.live)))
	}
	c.saves++
	v, err := c.r.Save(ctx, name, contentOf(seed), opts...)
	if err != nil { // too slow for the short times: not acknowledged, so nothing is promised
		c.failed, c.lastFailure = c.failed+1, err
		return nil
	}
	ref := name + "@" + v.String()
	c.live[ref] = seed
	c.say("live", ref, seed)
	return nil
}

func (c *churner) check(ctx context.Context, ref string, seed int) error {
	got, err := Load[[]byte](ctx, c.r, ref)
	if err == nil && !bytes.Equal(got, contentOf(seed)) {
		err = fmt.Errorf("%s has other bytes", ref)
	}
	return err
}

// livePacks returns the keys of the packs that live versions name.
func livePacks(t *testing.T, r *Registry) []string {
	t.Helper()
	keys := map[string]bool{}
	for info, err := range r.ledger.Store.List(t.Context(), manifest.ObjectsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		if manifest.IsMilestone(info.Key) {
			continue
		}
		name, v, err := manifest.ParseVersionRegisterKey(info.Key)
		if err != nil {
			t.Fatal(err)
		}
		f := must[*ledger.Record](t)(r.ledger.Read(t.Context(), name, v))
		if f.State != manifest.Live {
			continue
		}
		if err := r.ledger.Complete(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		for _, p := range f.Packs() {
			keys[p.Key()] = true
		}
	}
	var sorted []string
	for k := range keys {
		sorted = append(sorted, k)
	}
	slices.Sort(sorted)
	return sorted
}

// settle collects until what was deleted is too old to be kept, and checks
// that then exactly what live versions name is left.
func settle(t *testing.T, r *Registry) {
	t.Helper()
	var rep *GCReport
	for range 600 { // a registry at rest needs some ten seconds of its clock
		rep = mustGC(t, r)
		if rep.Tombstones.Packs == 0 && rep.Young.Packs == 0 && rep.Versions.Deleted == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if have, want := packKeys(t, r.ledger.Store), livePacks(t, r); !slices.Equal(have, want) {
		t.Errorf("%d packs are left, live versions name %d; %+v", len(have), len(want), rep)
	}
	if n := len(markers(t, r.ledger.Store)); n != 1 {
		t.Errorf("%d markers are left", n)
	}
	mustVerify(t, r)
}

// Savers that share content, deletions, undeletions and loads, beside two
// collections that never stop: what was acknowledged is there, and in the end
// nothing else is.
func TestGCBesideEverything(t *testing.T) {
	t.Parallel()
	// The clock of the memory store moves with every request, so that a few
	// hundred requests are a window.
	var ticks atomic.Int64
	start := time.Unix(1_700_000_000, 0)
	mem := memstore.New(&memstore.Options{Now: func() time.Time {
		return start.Add(time.Duration(ticks.Add(1)) * 3 * time.Millisecond)
	}})
	file, err := filestore.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, st := range map[string]store.Store{"mem": mem, "file": file} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			openOn(t, st, &Options{times: shortTimes})
			besideEverything(t, st)
		})
	}
}

func besideEverything(t *testing.T, st store.Store) {
	const workers, least, most, enoughFreed = 6, 60, 3000, 30
	var freed atomic.Int64
	var wg sync.WaitGroup
	churners := make([]*churner, workers)
	for i := range churners {
		c := newChurner(openOn(t, st, nil), uint64(i))
		churners[i] = c
		wg.Go(func() {
			for n := 0; n < least || n < most && freed.Load() < enoughFreed; n++ {
				if err := c.step(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	stop := make(chan struct{})
	var collectors sync.WaitGroup
	for range 2 {
		r := openOn(t, st, nil)
		collectors.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				rep, err := r.GC(t.Context(), nil)
				if err != nil {
					t.Error(err)
					return
				}
				freed.Add(int64(rep.Freed.Packs))
				// What was live when it was read can be deleted and freed before the
				// sweep, by the other collection, if this one takes so long.
				now, err := st.Now(t.Context())
				if rep.Missing > 0 && err == nil && now.Sub(rep.Started) < shortestToFree {
					t.Errorf("%d packs of live versions are missing", rep.Missing)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	collectors.Wait()
	saves, failed, live := 0, 0, 0
	for _, c := range churners {
		saves, failed, live = saves+c.saves, failed+c.failed, live+len(c.live)
		if c.lastFailure != nil {
			t.Logf("a save failed: %v", c.lastFailure)
		}
		for ref, seed := range c.live {
			if err := c.check(t.Context(), ref, seed); err != nil {
				t.Error(err)
			}
		}
	}
	if freed.Load() < enoughFreed || failed > saves/2 {
		t.Errorf("%d packs were freed, %d of %d saves failed: this proves little", freed.Load(), failed, saves)
	}
	r := openOn(t, st, nil)
	if rep := mustVerify(t, r); rep.Versions != live {
		t.Errorf("%d versions are live, %d should be", rep.Versions, live)
	}
	t.Logf("%d saves, %d of them failed, %d versions live, %d packs freed meanwhile", saves, failed, live, freed.Load())
	settle(t, r)
}
