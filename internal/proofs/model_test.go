package proofs

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"
)

// What a name is, in a few lines: a row of versions, each a content until it
// is deleted, which grows at its end. And what a tag is: a number or nothing.
// Tests here never delete a version that is tagged, so the two are independent,
// and a history is linearizable if that of each of them is.

// event is an operation in a history. Times are from one clock; one whose
// outcome is unknown never returned.
type event struct {
	client    int
	in        request
	out       answer
	call, ret int64
}

const never = math.MaxInt64

// history turns events into what a model checks. Operations that definitely
// did nothing, and reads that failed, say nothing: they are left out.
func history(events []event) []porcupine.Operation {
	var ops []porcupine.Operation
	for _, e := range events {
		reads := e.in.Op == "load" || e.in.Op == "latest" || e.in.Op == "tagged"
		switch {
		case e.in.Op == "gc", e.out.Outcome == failed, e.out.Outcome == conflict, reads && e.out.Outcome == unknown:
			continue
		case e.out.Outcome == unknown:
			e.ret = never
		}
		ops = append(ops, porcupine.Operation{ClientId: e.client, Input: e.in, Output: e.out, Call: e.call, Return: e.ret})
	}
	return ops
}

// versions are the contents of a name's versions by number, 0 for those that
// are deleted.
type versions []int

// latest returns the highest version that is live, or -1.
func (vs versions) latest() int {
	for v := len(vs) - 1; v >= 0; v-- {
		if vs[v] != 0 {
			return v
		}
	}
	return -1
}

// missing is what is said of a version that is not live.
func (vs versions) missing(v int) outcome {
	if v < len(vs) {
		return deleted
	}
	return absent
}

func (vs versions) live(v int) bool { return v < len(vs) && vs[v] != 0 }

func (vs versions) with(v, content int) versions {
	next := slices.Clone(vs)
	if v == len(next) {
		next = append(next, 0)
	}
	next[v] = content
	return next
}

// step says whether an operation may end as it did, and what comes of it.
func (vs versions) step(in request, out answer) (bool, versions) {
	switch in.Op {
	case "save":
		return out.Outcome == unknown || out.Outcome == done && out.Version == len(vs), vs.with(len(vs), in.Content)
	case "load":
		if !vs.live(in.Version) {
			return out.Outcome == vs.missing(in.Version), vs
		}
		return out.Outcome == done && out.Version == in.Version && out.Content == vs[in.Version], vs
	case "latest":
		v := vs.latest()
		if v < 0 {
			return out.Outcome == vs.missing(0), vs
		}
		return out.Outcome == done && out.Version == v && out.Content == vs[v], vs
	case "delete":
		if !vs.live(in.Version) {
			return out.Outcome == unknown || out.Outcome == vs.missing(in.Version), vs
		}
		return out.Outcome == unknown || out.Outcome == done, vs.with(in.Version, 0)
	}
	return false, vs
}

// pointer is where a tag points, or -1.
type pointer int

func (p pointer) step(in request, out answer) (bool, pointer) {
	switch in.Op {
	case "tag":
		return out.Outcome == unknown || out.Outcome == done, pointer(in.Version)
	case "untag":
		return out.Outcome == unknown || (out.Outcome == done) == (p >= 0), -1
	case "tagged":
		if p < 0 {
			return out.Outcome == absent, p
		}
		return out.Outcome == done && out.Version == int(p), p
	}
	return false, p
}

// registerModel is a registry, by names and tags.
var registerModel = porcupine.Model{
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		parts := map[string][]porcupine.Operation{}
		for _, op := range all {
			q := op.Input.(request)
			key := q.Name
			if q.Tag != "" {
				key += "@" + q.Tag
			}
			parts[key] = append(parts[key], op)
		}
		var list [][]porcupine.Operation
		for _, part := range parts {
			list = append(list, part)
		}
		return list
	},
	// What a part is about, only its first operation says.
	Init: func() any { return nil },
	Step: func(state, in, out any) (bool, any) {
		q, a := in.(request), out.(answer)
		if q.Tag != "" {
			p, ok := state.(pointer)
			if !ok {
				p = -1
			}
			return anyState(p.step(q, a))
		}
		vs, _ := state.(versions)
		return anyState(vs.step(q, a))
	},
	Equal: func(a, b any) bool {
		va, ok := a.(versions)
		vb, both := b.(versions)
		if ok && both {
			return slices.Equal(va, vb)
		}
		return !ok && !both && a == b
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v: %+v", in, out) },
}

func anyState[S any](ok bool, s S) (bool, any) { return ok, s }

// A history that a registry must not have is refused, and one that it may
// have is not. Without this a proof by history proves nothing.
func TestModel(t *testing.T) {
	save := func(content, v int, call, ret int64) event {
		return event{0, request{Op: "save", Name: "m", Content: content}, answer{Outcome: done, Version: v}, call, ret}
	}
	lost := func(content int, call int64) event {
		return event{1, request{Op: "save", Name: "m", Content: content}, answer{Outcome: unknown}, call, call + 1}
	}
	latest := func(v, content int, call, ret int64) event {
		return event{2, request{Op: "latest", Name: "m"}, answer{Outcome: done, Version: v, Content: content}, call, ret}
	}
	load := func(v int, a answer, call, ret int64) event {
		return event{3, request{Op: "load", Name: "m", Version: v}, a, call, ret}
	}
	remove := func(v int, o outcome, call, ret int64) event {
		return event{4, request{Op: "delete", Name: "m", Version: v}, answer{Outcome: o}, call, ret}
	}
	tag := func(op string, v int, o outcome, call, ret int64) event {
		q, a := request{Op: op, Name: "m", Tag: "prod", Version: v}, answer{Outcome: o}
		if op == "tagged" {
			q.Version, a.Version = 0, v
		}
		return event{5, q, a, call, ret}
	}
	is := func(v, content int) answer { return answer{Outcome: done, Version: v, Content: content} }
	for _, tt := range []struct {
		name   string
		legal  bool
		events []event
	}{
		{"one after the other", true, []event{save(7, 0, 1, 2), save(8, 1, 3, 4), latest(1, 8, 5, 6)}},
		{"overlapping saves in either order", true, []event{save(7, 1, 1, 9), save(8, 0, 2, 8), latest(1, 7, 10, 11)}},
		{"stale latest", false, []event{save(7, 0, 1, 2), save(8, 1, 3, 4), latest(0, 7, 5, 6)}},
		{"latest during a save is either", true, []event{save(7, 0, 1, 2), save(8, 1, 3, 6), latest(0, 7, 4, 5)}},
		{"latest goes back", false, []event{save(7, 0, 1, 2), save(8, 1, 3, 20), latest(1, 8, 4, 5), latest(0, 7, 6, 7)}},
		{"lost save", false, []event{save(7, 0, 1, 2), load(0, answer{Outcome: absent}, 3, 4)}},
		{"one number twice", false, []event{save(7, 0, 1, 9), save(8, 0, 2, 8)}},
		{"a number left out", false, []event{save(7, 0, 1, 2), save(8, 2, 3, 4)}},
		{"a number left to a save of unknown outcome", true, []event{save(7, 0, 1, 2), lost(9, 3), save(8, 2, 5, 6), load(1, is(1, 9), 7, 8)}},
		{"an unknown save is never seen", true, []event{save(7, 0, 1, 2), lost(9, 3), save(8, 1, 5, 6), latest(1, 8, 7, 8)}},
		{"an unknown save is seen twice", false, []event{lost(9, 1), load(0, is(0, 9), 3, 4), load(1, is(1, 9), 5, 6)}},
		{"silently replaced", false, []event{save(7, 0, 1, 2), lost(9, 3), load(0, is(0, 9), 5, 6)}},
		{"a failed save is seen", false, []event{{0, request{Op: "save", Name: "m", Content: 7}, answer{Outcome: failed}, 1, 2}, latest(0, 7, 3, 4)}},
		{"half-written", false, []event{save(7, 0, 1, 2), load(0, is(0, -1), 3, 4)}},
		{"number used again", false, []event{save(7, 0, 1, 2), remove(0, done, 3, 4), save(8, 0, 5, 6)}},
		{"number not used again", true, []event{save(7, 0, 1, 2), remove(0, done, 3, 4), save(8, 1, 5, 6), load(0, answer{Outcome: deleted}, 7, 8)}},
		{"deleted and yet there", false, []event{save(7, 0, 1, 2), remove(0, done, 3, 4), load(0, is(0, 7), 5, 6)}},
		{"deleted twice", false, []event{save(7, 0, 1, 2), remove(0, done, 3, 9), remove(0, done, 4, 8)}},
		{"an unknown delete comes later", true, []event{save(7, 0, 1, 2), remove(0, unknown, 3, 4), load(0, is(0, 7), 5, 6), load(0, answer{Outcome: deleted}, 7, 8)}},
		{"and does not go away again", false, []event{save(7, 0, 1, 2), remove(0, unknown, 3, 4), load(0, answer{Outcome: deleted}, 5, 6), load(0, is(0, 7), 7, 8)}},
		{"latest torn by a delete", false, []event{save(7, 0, 1, 2), save(8, 1, 3, 4), latest(0, 7, 5, 20), save(9, 2, 6, 7), remove(1, done, 8, 9)}},
		{"tag", true, []event{tag("tag", 3, done, 1, 2), tag("tagged", 3, done, 3, 4), tag("untag", 0, done, 5, 6), tag("tagged", 0, absent, 7, 8)}},
		{"tag goes back", false, []event{tag("tag", 3, done, 1, 2), tag("tag", 4, done, 3, 9), tag("tagged", 4, done, 4, 5), tag("tagged", 3, done, 6, 7)}},
		{"tag lost", false, []event{tag("tag", 3, done, 1, 2), tag("tagged", 0, absent, 3, 4)}},
		{"an unknown tag", true, []event{tag("tag", 3, done, 1, 2), tag("tag", 4, unknown, 3, 4), tag("tagged", 3, done, 5, 6), tag("tagged", 4, done, 7, 8)}},
	} {
		if got := porcupine.CheckOperations(registerModel, history(tt.events)); got != tt.legal {
			t.Errorf("%s: found legal: %t", tt.name, got)
		}
	}
}
