package registry

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

var faultBefore = faultstore.Fault{Before: errors.New("boom")}

// faulty returns a registry on a store whose faults can be planned.
func faulty(t *testing.T) (*Registry, *faultstore.Store, store.Store) {
	mem := newStore(t)
	fst := faultstore.New(mem, nil)
	return openOn(t, fst, nil), fst, mem
}

// faultyStrict is faulty with strict locking.
func faultyStrict(t *testing.T) (*Registry, *faultstore.Store, store.Store) {
	mem := newStore(t)
	fst := faultstore.New(mem, nil)
	return openOn(t, fst, strict), fst, mem
}

// timed returns a registry on a store whose faults can be planned, the store
// below it, which never fails, and its clock, which the test moves.
func timed(t *testing.T) (*Registry, *faultstore.Store, store.Store, *testClock) {
	clock := newTestClock()
	mem := newStoreAt(t, clock.now)
	fst := faultstore.New(mem, nil)
	return openOn(t, fst, nil), fst, mem, clock
}

// atPut makes a plan that applies f to the nth put (from 0) of a key that
// contains part.
func atPut(n int, part string, f faultstore.Fault) func(faultstore.Call) faultstore.Fault {
	seen := 0
	return func(c faultstore.Call) faultstore.Fault {
		if c.Op != "put" || !strings.Contains(c.Key, part) {
			return faultstore.Fault{}
		}
		seen++
		if seen-1 == n {
			return f
		}
		return faultstore.Fault{}
	}
}

// atCall makes a plan that applies f to the nth call (from 0) of an operation
// on a key that contains part.
func atCall(n int, op, part string, f faultstore.Fault) func(faultstore.Call) faultstore.Fault {
	return func(c faultstore.Call) faultstore.Fault {
		if c.Op != op || !strings.Contains(c.Key, part) {
			return faultstore.Fault{}
		}
		if n--; n == -1 {
			return f
		}
		return faultstore.Fault{}
	}
}

// saveLate saves m so that its register lands after its time: it is live, never
// acknowledged, and its packs are there by chance.
func saveLate(t *testing.T, r *Registry, fst *faultstore.Store, clock *testClock, body []byte) {
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op == "put" && strings.HasPrefix(c.Key, "objects/") {
			return faultstore.Fault{Late: true}
		}
		return faultstore.Fault{}
	})
	_, err := r.Save(t.Context(), "m", body)
	wantErr(t, err, ErrOutcomeUnknown)
	clock.advance(25 * time.Hour)
	fst.Plan(nil)
	fst.Release()
}

// slow is a value whose save takes as long as the test wants: after half of
// its bytes it calls pause.
type slow struct {
	body  []byte
	pause func()
	off   int
}

func (s *slow) Read(p []byte) (int, error) {
	if s.off >= len(s.body)/2 && s.pause != nil {
		s.pause()
		s.pause = nil
	}
	n := copy(p, s.body[s.off:])
	s.off += n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// lookAtPacks plans that look is called as often as a pack is asked for.
func lookAtPacks(look func()) func(faultstore.Call) faultstore.Fault {
	return func(c faultstore.Call) faultstore.Fault {
		if c.Op == "get" && strings.HasPrefix(c.Key, "packs/") {
			return faultstore.Fault{Do: look}
		}
		return faultstore.Fault{}
	}
}

// cancelAt plans that a context ends when so many packs have been asked for.
func cancelAt(fst *faultstore.Store, packs int, cancel func()) {
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op == "get" && strings.HasPrefix(c.Key, "packs/") {
			if packs--; packs < 0 {
				return faultstore.Fault{Do: cancel}
			}
		}
		return faultstore.Fault{}
	})
}
