package proofs

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	registry "github.com/mindtrace/registry"
)

// kill -9 of sixteen processes that save, delete, bring back, tag and collect,
// at random moments, each replaced at once. Afterwards everything that was
// acknowledged is there, nothing is half there, and every byte verifies.
func TestProcessesKilled(t *testing.T) {
	members, each, kills := 16, 20, 40
	if testing.Short() {
		members, each, kills = 4, 15, 8
	}
	onEach(t, []server{directory, minio}, func(t *testing.T, s server) {
		rounds(t, func(round int, seed uint64) {
			l, total := s.fresh(t), ledger{}
			c := newCrowd(t, kills)
			ledgers := make(chan ledger, members)
			c.run(members, seed, l.place, func(m *member) {
				own := owner{m: m, tag: fmt.Sprintf("t%d", m.n), book: ledger{}}
				for range each {
					own.step()
				}
				ledgers <- own.book
			})
			close(ledgers)
			for book := range ledgers {
				maps.Copy(total, book)
			}
			check(t, l.direct, total)
			if c.killed < kills/2 {
				t.Errorf("%d processes killed: this proves little", c.killed)
			}
			if round == 0 {
				t.Logf("%d operations, %d processes killed in the middle of one: %v", len(c.events), c.killed, c.acknowledged())
			}
		})
	})
}

// ledger is what has to be so: by reference the contents that a load may give.
// 0 stands for nothing there.
type ledger map[string][]int

// owner deletes and tags only what it has saved itself, and so knows what has
// to be there, unless it was killed.
type owner struct {
	m     *member
	book  ledger
	live  []request // saves that are acknowledged and not deleted
	dead  []request
	kept  []request // tagged, never deleted
	saves int
	tag   string
}

func (o *owner) step() {
	n := o.m.rng.IntN(100)
	switch {
	case n < 45 || len(o.live) == 0:
		o.saves++
		q := request{Op: "save", Name: fmt.Sprintf("n%d", o.m.rng.IntN(3)), Content: o.m.n<<12 | o.saves, Size: 100}
		switch o.m.rng.IntN(4) {
		case 0, 1:
			q.Size = 300 << 10
		case 2:
			q.Size = 3 << 20
		}
		if a := o.do(q); a.Outcome == done {
			q.Version = a.Version
			o.live = append(o.live, q)
			o.book[q.ref()] = []int{q.Content}
		} else if a.Outcome != unknown {
			o.m.t.Errorf("%+v: %+v", q, a)
		}
	case n < 65:
		if q, ok := o.change("delete", &o.live, &o.dead, 0); !ok {
			o.book[q.ref()] = []int{0, q.Content}
		}
	case n < 75 && len(o.dead) > 0:
		if q, ok := o.change("undelete", &o.dead, &o.live, -1); !ok {
			o.book[q.ref()] = []int{0, q.Content}
		}
	case n < 90:
		q := o.live[0]
		if o.m.rng.IntN(3) == 0 && len(o.kept) > 0 {
			q = o.kept[o.m.rng.IntN(len(o.kept))]
		} else {
			o.live, o.kept = o.live[1:], append(o.kept, q)
		}
		o.point(q)
	default:
		if a := o.do(request{Op: "gc"}); a.Outcome != done && a.Outcome != unknown {
			o.m.t.Errorf("gc: %+v", a)
		}
	}
}

func (o *owner) do(q request) answer { return o.m.do(q, 60*time.Millisecond) }

// change deletes or brings back one of a list. It returns the save of the
// version, and false if the outcome is unknown.
func (o *owner) change(op string, from, to *[]request, becomes int) (request, bool) {
	i := o.m.rng.IntN(len(*from))
	q := (*from)[i]
	*from = slices.Delete(*from, i, i+1)
	a := o.do(request{Op: op, Name: q.Name, Version: q.Version})
	switch a.Outcome {
	case done:
		*to = append(*to, q)
		if becomes < 0 {
			becomes = q.Content
		}
		o.book[q.ref()] = []int{becomes}
		return q, true
	case unknown:
		return q, false
	}
	o.m.t.Errorf("%s %s: %+v", op, q.ref(), a)
	return q, true
}

// point moves the owner's tag of a name.
func (o *owner) point(q request) {
	ref := q.Name + "@" + o.tag
	before := o.book[ref]
	if before == nil {
		before = []int{0}
	}
	switch a := o.do(request{Op: "tag", Name: q.Name, Version: q.Version, Tag: o.tag}); a.Outcome {
	case done:
		o.book[ref] = []int{q.Content}
	case unknown:
		o.book[ref] = append(slices.Clone(before), q.Content)
	default:
		o.m.t.Errorf("tag %s: %+v", q.ref(), a)
	}
}

// checkOne compares what a reference gives with what it may give.
func checkOne(t *testing.T, r *registry.Registry, ref string, may []int) {
	t.Helper()
	got := 0
	b, err := registry.Load[[]byte](t.Context(), r, ref)
	switch {
	case err == nil:
		got = contentOf(b)
	case !errors.Is(err, registry.ErrNotFound):
		t.Errorf("%s: %v", ref, err)
		return
	}
	if !slices.Contains(may, got) {
		t.Errorf("%s is content %d (%v), it may be %v", ref, got, err, may)
	}
}

// check compares a registry with what has to be so.
func check(t *testing.T, r *registry.Registry, book ledger) {
	t.Helper()
	for ref, may := range book {
		checkOne(t, r, ref, may)
	}
	rep, err := r.Verify(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !rep.OK() || rep.Versions == 0 {
		t.Errorf("%d versions, problems: %v", rep.Versions, rep.Problems)
	}
}
