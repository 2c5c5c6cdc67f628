package proofs

import (
	"fmt"
	"sync"
	"testing"
	"time"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/servers"
)

// Many processes save one name at the same time, and in the middle of it the
// server is killed and started again, twice. Each save gets a number of its
// own; the numbers are consecutive; what was acknowledged is there, what was
// reported as failed is not. Saves outlast a restart, so that there are any
// that fail, one saver in four loses its patience.
func TestOneNameServerKilled(t *testing.T) {
	savers, each, kills := 32, 2, 2
	if testing.Short() {
		savers = 8
	}
	onEach(t, []server{{"minio", servers.PrivateMinIO}, {"gcs", servers.PrivateGCS}}, func(t *testing.T, s server) {
		l := s.fresh(t)
		rounds(t, func(round int, seed uint64) { raceThroughKills(t, l, round, seed, savers, each, kills) })
	})
}

func raceThroughKills(t *testing.T, l *location, round int, seed uint64, savers, each, kills int) {
	name := fmt.Sprintf("m%d", round)
	c := newCrowd(t, 0)
	total := savers * each
	var killer sync.WaitGroup
	killer.Go(func() { // one more, after a third and two thirds of the saves
		for k := range kills {
			for c.saved() < total*(k+1)/(kills+1) && !t.Failed() {
				time.Sleep(time.Millisecond)
			}
			l.server.Kill()
			time.Sleep(300 * time.Millisecond)
			if err := l.server.Restart(); err != nil {
				t.Error(err)
			}
		}
	})
	c.run(savers, seed, l.place, func(m *member) {
		for k := range each {
			size := 100
			if k%2 == 1 {
				size = 300 << 10 // in a pack
			}
			q := request{Op: "save", Name: name, Content: m.n*each + k + 1, Size: size}
			if m.n%4 == 3 {
				q.Patience = time.Duration(1 + m.rng.Int64N(int64(2*time.Second)))
			}
			m.do(q, 0)
		}
	})
	killer.Wait()
	checkSaves(t, l.direct, name, c.events, total)
}

// saved is how many operations have ended.
func (c *crowd) saved() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.events)
}

// checkSaves compares the versions of a name with what its savers were told.
//
// Every number from 0 on has a version, since a save takes a number only when
// all below are taken, and nothing here deletes one. Each version is that of
// one save: of one that was acknowledged with this number, or of one whose
// outcome is unknown. So the numbers of the acknowledged are consecutive but
// for those that the unknown have taken.
func checkSaves(t *testing.T, r *registry.Registry, name string, events []event, total int) {
	t.Helper()
	content, state := map[int]int{}, map[int]outcome{} // by number; by content
	acked, unknowns, failures := 0, 0, 0
	for _, e := range events {
		state[e.in.Content] = e.out.Outcome
		switch e.out.Outcome {
		case done:
			if other, twice := content[e.out.Version]; twice {
				t.Errorf("version %d was given to saves %d and %d", e.out.Version, other, e.in.Content)
			}
			content[e.out.Version] = e.in.Content
			acked++
		case unknown:
			unknowns++
		default:
			failures++
		}
	}
	var there int
	for info, err := range r.Versions(t.Context(), name) {
		if err != nil {
			t.Fatal(err)
		}
		v := int(info.Version.Patch)
		if v != there {
			t.Errorf("version %d is missing, the next is %d", there, v)
		}
		there++
		b, err := registry.Load[[]byte](t.Context(), r, name+"@"+version(v))
		if err != nil {
			t.Errorf("version %d is visible and does not load: %v", v, err)
			continue
		}
		got := contentOf(b)
		switch want, ok := content[v]; {
		case ok && got != want:
			t.Errorf("version %d was acknowledged to save %d, and is that of %d", v, want, got)
		case !ok && state[got] != unknown:
			t.Errorf("version %d is that of save %d, which was %q", v, got, state[got])
		}
		delete(content, v)
	}
	for v, save := range content {
		t.Errorf("version %d was acknowledged to save %d, and is lost", v, save)
	}
	if acked == 0 || acked < total/2 {
		t.Errorf("%d of %d saves were acknowledged: this proves little", acked, total)
	}
	t.Logf("%d saves acknowledged, %d failed, %d unknown; %d versions", acked, failures, unknowns, there)
}
