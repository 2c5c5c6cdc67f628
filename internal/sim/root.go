package sim

import (
	"fmt"

	"github.com/mindtrace/registry/store"
)

// losing: savers, taggers and readers. Meanwhile the root of the store goes
// away, and perhaps comes back, like a directory that is renamed, unmounted or
// replaced. The store keeps clause 17 of the contract.
var losing = &scenario{name: "losing", plan: func(ch *choices) (before []*op, clients [][]*op) {
	p := &planner{ch: ch}
	before = append(before, p.save(""))
	for range 2 + ch.draw(2) {
		var ops []*op
		for range 1 + ch.draw(3) {
			ops = append(ops, pick(ch, []*op{
				p.save(""),
				p.save(""),
				{kind: load, name: "m"},
				{kind: tag, name: "m", version: "1.0.0", tag: "prod"},
				{kind: remove, name: "m", version: pick(ch, versions[:2])},
				{kind: gc},
			}))
		}
		clients = append(clients, ops)
	}
	return before, clients
}, tune: func(r *run) { r.loss, r.jump, r.suspend = 40, 5, 10 }}

// rootState is where the root of the simulated store is.
type rootState int

const (
	inPlace rootState = iota
	going             // under a change that is on its way: it is made, and the root is not there then
	gone
)

// turnRoot takes the root away, or brings it back.
func (r *run) turnRoot() {
	switch {
	case r.w.root != inPlace:
		r.w.root = inPlace
		r.oracle.back()
		r.note("the root is back")
		r.count("roots back")
	case r.ch.often(50):
		r.faults--
		r.w.root = going
		r.note("the root goes")
		r.count("roots gone under a change")
	default:
		r.faults--
		r.w.root = gone
		r.note("the root is gone")
		r.count("roots gone")
	}
}

// rootless answers a request while the root is not in place.
func (w *world) rootless(c *call) answer {
	lost := fmt.Errorf("%s %s: %w", c.op, c.key, store.ErrNoRoot)
	if w.root == going && c.mutates() {
		a := w.served(c)
		w.root = gone
		if a.err == nil && !w.looksBefore {
			a.err = fmt.Errorf("%w: %w", store.ErrUnknown, lost)
		}
		return a
	}
	if w.anew == nil {
		return answer{err: lost}
	}
	// An ablation: the store makes its root anew, and no client finds its content.
	objects, put, deleted := w.objects, w.put, w.deleted
	w.objects, w.put, w.deleted = w.anew, func(*call, object, object) {}, func(*call, object) {}
	defer func() { w.objects, w.put, w.deleted = objects, put, deleted }()
	return w.served(c)
}

// back records that all registers are at their place again.
func (o *oracle) back() {
	for _, reg := range o.registers {
		reg.found = true
	}
}
