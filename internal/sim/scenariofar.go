package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/knob"
)

// This file has the scenarios that would need many or large versions. They set
// the knobs so that few and small versions are enough.

// far has milestones left every few versions, and listings of objects jump to
// them.
func far(ch *choices, k *knob.Knobs) {
	k.Milestone = pick(ch, []int{2, 3, 4})
	k.JumpAfter = pick(ch, []int{1, 2, 4})
}

// milestones: versions are saved, deleted and brought back around milestones,
// beside readers of the latest, some of whom look through all versions.
var milestones = &scenario{name: "milestones", turn: far, plan: func(ch *choices) (before []*op, clients [][]*op) {
	p := &planner{ch: ch}
	for range 1 + ch.draw(4) {
		before = append(before, p.save(pick(ch, []string{"", "", "", "1.0.3", "1.1.0-rc.1"})))
	}
	free := []string{"0.9.0", "1.0.1", "1.0.3", "1.0.4", "1.0.10", "1.1.0", "1.1.0-rc.2"}
	for range 1 + ch.draw(3) {
		var ops []*op
		for range 1 + ch.draw(2) {
			v := ""
			if ch.often(30) {
				v = pick(ch, free)
			}
			ops = append(ops, p.save(v))
		}
		clients = append(clients, ops)
	}
	var ops []*op
	for range 1 + ch.draw(4) {
		o := &op{kind: pick(ch, []kind{remove, remove, remove, undelete}), name: "m", version: pick(ch, append(versions, "1.0.4"))}
		if o.kind == remove && ch.often(60) {
			o.version = registry.Latest
		}
		ops = append(ops, o)
	}
	clients = append(clients, ops)
	if ch.often(20) {
		clients = append(clients, []*op{{kind: gc}})
	}
	var reads []*op
	for range 3 {
		reads = append(reads, pick(ch, []*op{
			{kind: load, name: "m"}, {kind: load, name: "m"}, {kind: load, name: "m", version: everything}, {kind: list, name: "m"},
		}))
	}
	return before, append(clients, reads)
}, tune: func(r *run) {
	r.burst = pick(r.ch, []int{50, 80})
	if r.jump > 10 {
		r.jump, r.suspend = 5, 10
	}
}}

// replacingFar is replacing with milestones.
var replacingFar = &scenario{name: "replacing far", unversioned: true, turn: far, plan: replacing.plan, tune: replacing.tune}

// updating: updates of one object, which do not lose one another, among saves
// and deletions.
var updating = &scenario{name: "updating", turn: func(ch *choices, k *knob.Knobs) { k.Milestone = pick(ch, []int{64, 2, 3}) }, plan: func(ch *choices) (before []*op, clients [][]*op) {
	p := &planner{ch: ch}
	for range ch.draw(4) {
		before = append(before, p.save(""))
	}
	for range 2 + ch.draw(2) {
		var ops []*op
		for range 1 + ch.draw(2) {
			o := p.save("")
			o.update = ch.often(80)
			ops = append(ops, o)
		}
		clients = append(clients, ops)
	}
	if ch.often(40) {
		clients = append(clients, []*op{{kind: pick(ch, []kind{remove, remove, undelete}), name: "m", version: pick(ch, versions)}})
	}
	return before, append(clients, []*op{{kind: load, name: "m"}})
}, tune: func(r *run) { r.jump, r.suspend = 5, 10 }}

// kilobytes are contents of files of which the first two are stored
// compressed, and the last two cannot be.
var kilobytes = func() (all []string) {
	rng := rand.NewChaCha8([32]byte{2})
	for i := range 2 {
		all = append(all, strings.Repeat(fmt.Sprintf("content %d of many bytes, ", i), 50))
	}
	noise := make([]byte, 1100)
	rng.Read(noise)
	return append(all, "noise "+string(noise), content(3))
}()

// compressing: some clients save the same bytes compressed and others save them
// uncompressed, and they reuse each other's chunks.
var compressing = &scenario{name: "compressing", turn: func(_ *choices, k *knob.Knobs) { k.MaxPack = 2400 }, plan: func(ch *choices) (before []*op, clients [][]*op) {
	p := &planner{ch: ch, big: true}
	for range ch.draw(3) {
		before = append(before, p.save(""))
	}
	for range 1 + ch.draw(3) {
		o := p.save("")
		if ch.often(20) {
			o.name, o.base = "n", "m"
		}
		clients = append(clients, []*op{o, {kind: load, name: o.name}})
	}
	if ch.often(70) {
		clients = append(clients, []*op{{kind: gc}})
	}
	which := func(kind kind) *op { return &op{kind: kind, name: "m", version: pick(ch, versions[:2])} }
	return before, append(clients, []*op{which(pick(ch, []kind{load, remove})), which(pick(ch, []kind{load, undelete}))})
}, tune: func(r *run) { r.suspend, r.burst = 40, 80 }}
