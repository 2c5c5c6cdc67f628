package sim

import (
	"time"

	registry "github.com/mindtrace/registry"
)

// This file has the scenarios of purged versions.

// purging: versions are purged beside savers that have just read them and use
// them as a base, beside undeletions, and beside collections, some of which
// sleep until others have finished. Half of the schedules have one of each only.
var purging = &scenario{name: "purging", plan: func(ch *choices) (before []*op, clients [][]*op) {
	p := &planner{ch: ch, few: ch.often(50)}
	before = append(before, p.save(""))
	if p.few {
		clients = append(clients, []*op{{kind: purge, name: "m", version: versions[0]}}, []*op{p.save("")})
		return before, append(clients, []*op{{kind: gc}}, []*op{{kind: gc}})
	}
	if ch.often(50) {
		before = append(before, p.save(""))
	}
	which := func(kind kind) *op { return &op{kind: kind, name: "m", version: pick(ch, versions[:2])} }
	for range 1 + ch.draw(2) {
		var ops []*op
		for range 1 + ch.draw(3) {
			ops = append(ops, which(pick(ch, []kind{purge, purge, purge, remove, undelete, load})))
		}
		clients = append(clients, ops)
	}
	o := p.save("")
	if ch.often(30) { // as a copy within the registry does
		o.name, o.base = "n", "m"
	}
	clients = append(clients, []*op{o, p.save("")})
	for range 1 + ch.draw(2) {
		clients = append(clients, []*op{{kind: gc}, {kind: gc}})
	}
	return before, clients
}, tune: func(r *run) {
	r.burst = pick(r.ch, []int{50, 80, 95})
	r.jump, r.suspend = pick(r.ch, []int{20, 60}), pick(r.ch, []int{20, 60})
	if r.ch.often(70) { // what was saved before is old
		r.advance(2*era, "")
	}
	if r.ch.often(60) {
		r.wrong = 0
	}
}}

// purgingReplaced is purging in an unversioned registry: a purged version must
// not become the object again.
var purgingReplaced = &scenario{name: "purging replaced", unversioned: true, plan: func(ch *choices) (before []*op, clients [][]*op) {
	p := &planner{ch: ch}
	n := 1 + ch.draw(2)
	for range n {
		before = append(before, p.save(""))
	}
	which := func(kind kind) *op { return &op{kind: kind, name: "m", version: pick(ch, versions[n-1:][:2])} }
	for range 1 + ch.draw(2) {
		var ops []*op
		for range 1 + ch.draw(2) {
			ops = append(ops, pick(ch, []*op{
				{kind: purge, name: "m", version: registry.Latest},
				{kind: purge, name: "m", version: everything},
				which(purge), which(purge), which(remove), which(undelete),
				{kind: load, name: "m"},
			}))
		}
		clients = append(clients, ops)
	}
	for range 1 + ch.draw(2) {
		clients = append(clients, []*op{p.save("")})
	}
	clients = append(clients, []*op{{kind: gc}})
	return before, append(clients, []*op{{kind: load, name: "m"}, {kind: load, name: "m"}})
}, tune: func(r *run) {
	r.burst, r.suspend = pick(r.ch, []int{50, 80}), 40
	r.jump = pick(r.ch, []int{0, 10, 40})
	if r.ch.often(30) {
		r.wrong = 0
	}
	r.nap = 10 * time.Second
}}
