package proofs

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/faultproxy"
)

// Every verb, on each server, through a network that loses, repeats, delays
// and cuts a share of the requests and answers, at random: what was reported
// as done is so, what was reported as failed is not, and what is unknown is
// one of the two. The conformance suite of the stores is no use here: it
// demands an outcome of each request, and through this network there is none.
func TestEveryVerbThroughFaults(t *testing.T) {
	shares := []float64{0.1}
	if os.Getenv(soakEnv) != "" {
		shares = []float64{0.02, 0.1, 0.2}
	}
	on := []server{minio, versity, gcs}
	if testing.Short() {
		on = on[:1]
	}
	onEach(t, on, func(t *testing.T, s server) {
		for _, share := range shares {
			t.Run(fmt.Sprintf("%.0f%%", 100*share), func(t *testing.T) {
				rounds(t, func(round int, seed uint64) { verbsThroughFaults(t, s, share, seed) })
			})
		}
	})
}

func verbsThroughFaults(t *testing.T, s server, share float64, seed uint64) {
	from, to := s.fresh(t), s.fresh(t)
	proxy := faultproxy.Start(t, from.server.Addr(), faultproxy.Random(seed, share))
	var mu sync.Mutex
	book, copies, saves, n := ledger{}, ledger{}, map[int]outcome{}, map[string]int{}
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			v := &victim{
				t: t, name: fmt.Sprintf("n%d", i), book: ledger{}, copies: ledger{}, saves: map[int]outcome{}, n: map[string]int{},
				r: patiently(t, from.by(proxy.Addr()), nil), to: patiently(t, to.by(proxy.Addr()), nil),
			}
			if v.r == nil || v.to == nil {
				return
			}
			v.script(i)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(book, v.book)
			maps.Copy(copies, v.copies)
			maps.Copy(saves, v.saves)
			for what, k := range v.n {
				n[what] += k
			}
		})
	}
	wg.Wait()
	proxy.Settle() // nothing is on its way any more
	check(t, from.direct, book)
	noStrangers(t, from.direct, book, saves)
	check(t, to.direct, copies)
	if n["done"] < n["failed"]+n["unknown"] || proxy.Faults() == 0 {
		t.Errorf("%v, %d faults: this proves little", n, proxy.Faults())
	}
	t.Logf("%v, %d faults", n, proxy.Faults())
}

// noStrangers checks that each live version is that of a save which was
// acknowledged with its number, or whose outcome is unknown.
func noStrangers(t *testing.T, r *registry.Registry, book ledger, saves map[int]outcome) {
	t.Helper()
	for info, err := range r.Latest(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		for info, err := range r.Versions(t.Context(), info.Name) {
			if err != nil {
				t.Fatal(err)
			}
			ref := info.Name + "@" + info.Version.String()
			b, err := registry.Load[[]byte](t.Context(), r, ref)
			if err != nil {
				t.Errorf("%s is visible and does not load: %v", ref, err)
			} else if book[ref] == nil && saves[contentOf(b)] != unknown {
				t.Errorf("%s is that of save %d, which was %q", ref, contentOf(b), saves[contentOf(b)])
			}
		}
	}
}

// patiently opens a registry that can hardly be reached.
func patiently(t *testing.T, p place, opts *registry.Options) *registry.Registry {
	var errs []error
	for range 10 {
		r, err := registry.Open(t.Context(), p.url, opts)
		if err == nil {
			return r
		}
		errs = append(errs, err)
	}
	t.Error(errors.Join(errs...))
	return nil
}

// victim is a client on a bad network. Nobody else uses its name.
type victim struct {
	t      *testing.T
	name   string
	r, to  *registry.Registry
	book   ledger          // what has to be in r
	copies ledger          // and in to
	saves  map[int]outcome // by content
	n      map[string]int
}

func (v *victim) script(i int) {
	var saved []request
	for k, size := range []int{100, 700 << 10, 1 << 20, 5000, 700 << 10, 100} {
		q := request{Op: "save", Name: v.name, Content: 1 + 100*i + k, Size: size}
		a := v.do(q)
		v.saves[q.Content] = a.Outcome
		if a.Outcome == done {
			q.Version = a.Version
			v.book[q.ref()] = []int{q.Content}
			saved = append(saved, q)
		}
	}
	for k, q := range saved {
		v.look(request{Op: "load", Name: v.name, Version: q.Version}, q.ref())
		switch {
		case k%3 == 1:
			v.change(request{Op: "delete", Name: v.name, Version: q.Version}, q.ref(), 0)
			v.look(request{Op: "load", Name: v.name, Version: q.Version}, q.ref())
			if k > 1 {
				v.change(request{Op: "undelete", Name: v.name, Version: q.Version}, q.ref(), q.Content)
			}
		case k%3 == 2:
			v.change(request{Op: "tag", Name: v.name, Version: q.Version, Tag: "prod"}, v.name+"@prod", q.Content)
		default:
			v.change(request{Op: "tag", Name: v.name, Version: q.Version, Tag: "old"}, v.name+"@old", q.Content)
			v.change(request{Op: "untag", Name: v.name, Tag: "old"}, v.name+"@old", 0)
			v.do(request{Op: "gc"})
		}
	}
	for range 2 { // a copy that failed half-way is finished by the next
		v.copy()
	}
}

func (v *victim) do(q request) answer {
	a := do(v.t.Context(), v.r, q)
	v.n[string(a.Outcome)]++
	if a.Content < 0 {
		v.t.Errorf("%+v: bytes that nobody saved", q)
	}
	return a
}

// may is what a reference may be; one never heard of is nothing.
func (v *victim) may(ref string) []int {
	if may := v.book[ref]; may != nil {
		return may
	}
	return []int{0}
}

// change does what makes a reference be content, if it succeeds.
func (v *victim) change(q request, ref string, content int) {
	may := v.may(ref)
	switch a := v.do(q); a.Outcome {
	case done:
		v.book[ref] = []int{content}
	case unknown:
		v.book[ref] = append(slices.Clone(may), content)
	case absent, deleted, conflict:
		// It says that it is so already, or that it has changed meanwhile:
		// of that there may only be talk if an earlier change is unknown.
		if len(may) == 1 && (may[0] == 0) != (q.Op == "untag" || q.Op == "delete") {
			v.t.Errorf("%+v: %+v, though %s is %v", q, a, ref, may)
		}
	}
}

// look loads what has to be there, or not.
func (v *victim) look(q request, ref string) {
	a := v.do(q)
	switch may := v.may(ref); a.Outcome {
	case done:
		if !slices.Contains(may, a.Content) {
			v.t.Errorf("%s is content %d, it may be %v", ref, a.Content, may)
		}
	case absent, deleted:
		if !slices.Contains(may, 0) {
			v.t.Errorf("%s: %+v, though it is %v", ref, a, may)
		}
	}
}

func (v *victim) copy() {
	rep, err := registry.Copy(v.t.Context(), v.to, v.r, v.name, nil)
	for _, c := range rep.Copied {
		ref := c.Name + "@" + c.Version.String()
		if may := v.book[ref]; may != nil {
			v.copies[ref] = may
		}
	}
	if err == nil {
		v.n["done"]++
		for ref, may := range v.book {
			if ref != v.name+"@prod" && ref != v.name+"@old" && !slices.Contains(may, 0) {
				v.copies[ref] = may
			}
		}
		return
	}
	v.n["failed"]++
}
