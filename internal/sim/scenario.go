package sim

import (
	"fmt"
	"strings"
	"time"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// scenario is what the clients do.
type scenario struct {
	name        string
	unversioned bool // the registry is unversioned
	// turn, if not nil, sets the knobs.
	turn func(ch *choices, k *knob.Knobs)
	// plan draws the operations: before are done by one client, alone and
	// undisturbed; then the others run, all at once.
	plan func(ch *choices) (before []*op, clients [][]*op)
	// tune, if not nil, changes the faults of the second part.
	tune func(*run)
}

// contents of files: a pack has room for two.
func content(i int) string { return fmt.Sprintf("content %d of some bytes..", i) }

// planner makes operations.
type planner struct {
	ch  *choices
	n   int
	few bool // all saves have the same content
	big bool // kilobytes, of which some can be compressed
}

func (p *planner) files() []string {
	if p.few {
		return []string{content(0)}
	}
	var out []string
	for range 1 + p.ch.draw(3) {
		if i := p.ch.draw(4); p.big {
			out = append(out, kilobytes[i])
		} else {
			out = append(out, content(i))
		}
	}
	return out
}

func (p *planner) save(version string) *op {
	p.n++
	o := &op{kind: save, name: "m", version: version, id: fmt.Sprintf("s%d", p.n), files: p.files()}
	o.plain = p.big && p.ch.often(25)
	return o
}

var versions = []string{"1.0.0", "1.0.1", "1.0.2", "1.0.3"}

// any draws any operation.
func (p *planner) any() *op {
	name := "m"
	if p.ch.often(20) {
		name = "n"
	}
	switch p.ch.draw(12) {
	case 0, 1, 2, 3:
		o := p.save("")
		o.name = name
		if p.ch.often(15) {
			o.base = "m"
		}
		return o
	case 4:
		o := p.save(pick(p.ch, []string{"1.0.1", "1.0.2", "1.0.10", "1.1.0", "1.0.2-rc.1"}))
		o.name = name
		return o
	case 5, 6:
		return &op{kind: load, name: name}
	case 7:
		return &op{kind: load, name: name, version: pick(p.ch, versions)}
	case 8:
		return &op{kind: remove, name: name, version: pick(p.ch, append(versions, "latest", "*"))}
	case 9:
		return &op{kind: undelete, name: name, version: pick(p.ch, versions)}
	}
	return &op{kind: gc}
}

var mixed = &scenario{name: "mixed", plan: func(ch *choices) (before []*op, clients [][]*op) {
	p := &planner{ch: ch}
	for range ch.draw(3) {
		before = append(before, p.save(""))
	}
	for range 2 + ch.draw(3) {
		var ops []*op
		for range 1 + ch.draw(3) {
			ops = append(ops, p.any())
		}
		clients = append(clients, ops)
	}
	return before, clients
}}

// The directed scenarios draw few kinds of operations, so that rare races are
// frequent.

// collecting: savers, of which many are suspended for long, beside
// collectors.
var collecting = &scenario{name: "collecting", plan: func(ch *choices) (before []*op, clients [][]*op) {
	p := &planner{ch: ch}
	for range ch.draw(2) {
		before = append(before, p.save(""))
	}
	for range 1 + ch.draw(2) {
		clients = append(clients, []*op{p.save("")})
	}
	for range 1 + ch.draw(2) {
		clients = append(clients, []*op{{kind: gc}})
	}
	return before, append(clients, []*op{p.save(""), {kind: load, name: "m"}})
}, tune: func(r *run) {
	r.suspend, r.burst = 60, 80
	if r.ch.often(50) { // the era is about to end
		toEnd := times.EraEnd(times.EraOf(r.w.now)).Sub(r.w.now)
		r.advance(toEnd-pick(r.ch, []time.Duration{time.Second, time.Minute, times.WindowD() / 2}), "")
	}
	if r.wrong > 0 {
		r.kinds = append(r.kinds, crashFloating, crashAfter)
	}
}}

// infecting: savers of the same bytes crash at the commit. The commit is applied
// late, after a collection, and another saver uses the late version as its base
// (docs/attacks.md, A23).
var infecting = &scenario{name: "infecting", plan: func(ch *choices) (before []*op, clients [][]*op) {
	p := &planner{ch: ch, few: true}
	clients = append(clients, []*op{p.save("")}, []*op{{kind: gc}})
	return nil, append(clients, []*op{p.save(""), {kind: load, name: "m"}})
}, tune: func(r *run) {
	r.suspend, r.jump, r.wrong, r.burst, r.faults = 40, 60, 60, 80, 1
	r.kinds = []fault{crashFloating, crashFloating, crashAfter}
	r.only = func(c *call) bool {
		return c.op == opPut && c.match == store.Absent && strings.HasPrefix(c.key, manifest.ObjectsPrefix)
	}
}}

// deleting: deleters and undeleters of the same versions, beside savers that
// reuse their packs, and collectors.
var deleting = &scenario{name: "deleting", plan: func(ch *choices) (before []*op, clients [][]*op) {
	p := &planner{ch: ch}
	for range 1 + ch.draw(2) {
		before = append(before, p.save(""))
	}
	which := func(kind kind) *op { return &op{kind: kind, name: "m", version: pick(ch, versions[:2])} }
	for range 2 {
		var ops []*op
		for range 1 + ch.draw(3) {
			ops = append(ops, which(pick(ch, []kind{remove, undelete, load})))
		}
		clients = append(clients, ops)
	}
	clients = append(clients, []*op{{kind: gc}}, []*op{p.save("")})
	return before, clients
}, tune: func(r *run) { r.jump, r.burst = 60, 80 }}

// racing: savers of one name, on a store that does not answer.
var racing = &scenario{name: "racing", plan: func(ch *choices) (before []*op, clients [][]*op) {
	p := &planner{ch: ch}
	for range 2 + ch.draw(3) {
		var ops []*op
		for range 1 + ch.draw(2) {
			ops = append(ops, p.save(pick(ch, []string{"", "", "", "1.0.1"})))
		}
		clients = append(clients, ops)
	}
	return nil, append(clients, []*op{{kind: load, name: "m"}, {kind: load, name: "m"}})
}, tune: func(r *run) { r.wrong, r.jump, r.suspend = 120, 5, 20 }}

// listing: versions that come while listings are under way.
var listing = &scenario{name: "listing", plan: func(ch *choices) (before []*op, clients [][]*op) {
	p := &planner{ch: ch}
	for _, v := range []string{"1.0.0", "1.2.0", "1.3.0"} {
		if ch.draw(4) < 3 {
			before = append(before, p.save(v))
		}
	}
	free := []string{"1.8.0", "1.9.0", "1.10.0", "1.11.0", "1.100.0", "2.0.0"}
	for range 2 {
		var ops []*op
		for range 1 + ch.draw(3) {
			i := ch.draw(len(free))
			ops = append(ops, p.save(free[i]))
			free = append(free[:i:i], free[i+1:]...)
		}
		clients = append(clients, ops)
	}
	return before, append(clients, []*op{{kind: load, name: "m"}, {kind: load, name: "m"}}, []*op{{kind: load, name: "m"}, p.save("")})
}, tune: func(r *run) { r.w.page, r.jump, r.suspend = 2, 0, 0 }}

// tagging: tags set on versions that are deleted at the same time.
var tagging = &scenario{name: "tagging", plan: func(ch *choices) (before []*op, clients [][]*op) {
	p := &planner{ch: ch}
	before = []*op{p.save(""), p.save("")}
	for range 2 + ch.draw(2) {
		var ops []*op
		for range 1 + ch.draw(3) {
			v := pick(ch, versions[:2])
			ops = append(ops, pick(ch, []*op{
				{kind: tag, name: "m", version: v, tag: "prod"},
				{kind: tag, name: "m", version: v, tag: "prod"},
				{kind: tag, name: "m", version: "latest", tag: "prod"},
				{kind: untag, name: "m", tag: "prod"},
				{kind: remove, name: "m", version: v},
				{kind: remove, name: "m", version: v},
				{kind: undelete, name: "m", version: v},
				{kind: load, name: "m", version: "prod"},
			}))
		}
		clients = append(clients, ops)
	}
	return before, clients
}, tune: func(r *run) { r.jump, r.suspend = 0, 10 }}

// locking: the clocks run evenly, so that of two holders one would be wrong.
var locking = &scenario{name: "locking", plan: func(ch *choices) (before []*op, clients [][]*op) {
	for range 2 + ch.draw(2) {
		var ops []*op
		for range 1 + ch.draw(2) {
			ops = append(ops, &op{kind: pick(ch, []kind{lock, rlock, lock}), name: "m"})
		}
		clients = append(clients, ops)
	}
	return nil, clients
}, tune: func(r *run) { r.jump, r.suspend, r.nap = 0, 0, 2*time.Second }}

// turning: versions are saved while the latest is deleted, beside readers of
// the latest. A deleted version must not hide a new one.
var turning = &scenario{name: "turning", plan: func(ch *choices) (before []*op, clients [][]*op) {
	p := &planner{ch: ch}
	for range 1 + ch.draw(3) {
		before = append(before, p.save(""))
	}
	for range 1 + ch.draw(2) {
		var ops []*op
		for range 1 + ch.draw(2) {
			ops = append(ops, p.save(pick(ch, []string{"", "", "1.0.2", "1.0.10"})))
		}
		clients = append(clients, ops)
	}
	for range 1 + ch.draw(2) {
		var ops []*op
		for range 1 + ch.draw(3) {
			ops = append(ops, &op{kind: pick(ch, []kind{remove, remove, remove, undelete}), name: "m", version: pick(ch, versions)})
			if ops[len(ops)-1].kind == remove && ch.often(30) {
				ops[len(ops)-1].version = registry.Latest
			}
		}
		clients = append(clients, ops)
	}
	return before, append(clients, []*op{{kind: load, name: "m"}, {kind: load, name: "m"}}, []*op{{kind: load, name: "m"}})
}, tune: func(r *run) { r.jump, r.suspend = 0, 0 }}

// replacing: an unversioned registry, in which every save replaces the object.
var replacing = &scenario{name: "replacing", unversioned: true, plan: func(ch *choices) (before []*op, clients [][]*op) {
	p := &planner{ch: ch}
	n := ch.draw(3)
	for range n {
		before = append(before, p.save(""))
	}
	if n > 0 && ch.often(50) {
		before = append(before, &op{kind: remove, name: "m", version: registry.Latest})
		clients = append(clients, []*op{{kind: undelete, name: "m", version: versions[n-1]}})
	}
	which := func(kind kind) *op {
		return &op{kind: kind, name: "m", version: pick(ch, versions[max(n-1, 0):][:2])}
	}
	for range 1 + ch.draw(2) {
		var ops []*op
		for range 1 + ch.draw(2) {
			ops = append(ops, p.save(""))
		}
		clients = append(clients, ops)
	}
	for range 1 + ch.draw(2) {
		var ops []*op
		for range 1 + ch.draw(2) {
			ops = append(ops, pick(ch, []*op{
				{kind: remove, name: "m", version: registry.Latest},
				{kind: remove, name: "m", version: "*"},
				which(remove),
				which(undelete),
				which(undelete),
				p.save(""),
				{kind: load, name: "m"},
			}))
		}
		clients = append(clients, ops)
	}
	if ch.often(30) {
		clients = append(clients, []*op{{kind: gc}})
	}
	return before, append(clients, []*op{{kind: load, name: "m"}, {kind: load, name: "m"}})
}, tune: func(r *run) {
	r.burst, r.suspend = pick(r.ch, []int{50, 80}), 40
	if r.jump > 0 {
		r.jump = 10
	}
	if r.ch.often(30) {
		r.wrong = 0
	}
}}

var scenarios = []*scenario{
	mixed, collecting, deleting, racing, listing, infecting, tagging, locking, turning, replacing,
	milestones, replacingFar, compressing, updating, losing, purging, purgingReplaced,
}
