package sim

import (
	"errors"
	"slices"
	"strings"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/manifest"
)

// This file compares the results of clients with the state of the store.

// unknown reports whether an error says that the operation may still take
// effect.
func unknown(err error) bool {
	return errors.Is(err, registry.ErrOutcomeUnknown) ||
		errors.Is(err, registry.ErrTooSlow) && strings.Contains(err.Error(), "undoing it failed")
}

// begin sees the start of an operation.
func (o *oracle) begin(p *op) {
	o.r.w.mu.Lock()
	defer o.r.w.mu.Unlock()
	p.began, p.beganAt = o.r.step, o.r.w.now
	if p.kind == save {
		o.saves[p.id] = p
		if p.version == "" {
			o.minimum[p] = o.acked[p.name]
		}
	}
	o.ops = append(o.ops, p)
	o.floor[p] = o.acked[p.name]
	o.r.note("client %d begins %s", p.client.n, p)
}

// end sees the result of an operation.
func (o *oracle) end(p *op) {
	o.r.w.mu.Lock()
	defer o.r.w.mu.Unlock()
	p.ended, p.done = o.r.step, true
	if p.err != nil {
		o.r.note("client %d: %s: %v", p.client.n, p, p.err)
	} else {
		o.r.note("client %d: %s: done %s", p.client.n, p, p.result)
	}
	o.count(p)
	switch p.kind {
	case save:
		o.endSave(p)
	case load:
		o.endLoad(p)
	case list:
		if p.err == nil {
			o.checkLatest(p, p.result)
		}
	case undelete:
		o.endUndelete(p)
	case purge:
		o.endPurge(p)
	case gc:
		o.endCollection(p)
	case tag:
		o.endTag(p)
	}
}

func (o *oracle) count(p *op) {
	switch {
	case p.err == nil:
		o.r.count(string(p.kind) + "s acknowledged")
	case errors.Is(p.err, registry.ErrOutcomeUnknown):
		o.r.count(string(p.kind) + "s of unknown outcome")
	case errors.Is(p.err, registry.ErrNoRegistry):
		o.r.count(string(p.kind) + "s without a root")
	case errors.Is(p.err, registry.ErrTooSlow):
		o.r.count(string(p.kind) + "s too slow")
	case errors.Is(p.err, registry.ErrExists), errors.Is(p.err, registry.ErrConflict):
		o.r.count(string(p.kind) + "s in conflict")
	default:
		o.r.count(string(p.kind) + "s failed")
	}
}

// of returns the register that a save has made, or nil.
func (o *oracle) of(id string) *register {
	for _, reg := range o.registers {
		if reg.id == id {
			return reg
		}
	}
	return nil
}

func (o *oracle) endSave(p *op) {
	reg := o.of(p.id)
	if p.err != nil {
		if !unknown(p.err) && reg != nil && reg.m.State == manifest.Live && reg.changedBy() {
			o.fail("I5: save %s was reported as failed (%v) and is visible", p.id, p.err)
		}
		return
	}
	if reg == nil || reg.m.Name != p.name || reg.m.Version.String() != p.result {
		o.fail("I4: save %s was acknowledged as %s@%s, which it is not", p.id, p.name, p.result)
		return
	}
	if !reg.found {
		o.fail("I4: save %s was acknowledged, and has never been at the place of the registry", p.id)
	}
	v := reg.m.Version
	if least, ok := o.minimum[p]; ok && least != (manifest.Version{}) && v.Compare(least) <= 0 {
		o.fail("I8: save %s got %s after %s had been acknowledged", p.id, v, least)
	}
	if v.IsRelease() && v.Compare(o.acked[p.name]) > 0 {
		o.acked[p.name] = v
	}
	// The save has promised only the state that it has made itself. The
	// version may have been deleted since.
	if len(reg.m.Prev) == 0 {
		o.promise(reg)
	}
}

// changedBy reports whether the register is as its save has created it, not
// undeleted.
func (reg *register) changedBy() bool { return len(reg.m.Prev) == 0 }

// promise records that a client was told that this version exists now.
func (o *oracle) promise(reg *register) {
	reg.promised[reg.m.Nonce] = true
	reg.protected = true
	o.check(reg, "")
}

func (o *oracle) endUndelete(p *op) {
	if p.err != nil {
		return
	}
	v, err := manifest.ParseVersion(p.version)
	reg := o.registers[manifest.VersionKey(p.name, v)]
	if err != nil || reg == nil {
		o.fail("undelete of %s@%s was acknowledged, but there is none", p.name, p.version)
		return
	}
	if reg.m.State == manifest.Live && p.began <= reg.lifetimes[len(reg.lifetimes)-1][0] {
		o.promise(reg)
	}
}

func (o *oracle) endLoad(p *op) {
	if p.err != nil {
		gone := strings.HasSuffix(p.err.Error(), "while it was read") // deleted, and its packs are no more
		if (gone || errors.Is(p.err, registry.ErrIntegrity)) && !o.mayFail(p) {
			o.fail("I10: %s: %v", p, p.err)
		}
		if gone {
			o.r.count("loads of what was collected meanwhile")
			return
		}
		if errors.Is(p.err, registry.ErrNotFound) && p.latest() {
			o.checkLatest(p, "")
			o.checkReplaced(p, manifest.Version{})
		}
		return
	}
	v, err := manifest.ParseVersion(p.result)
	if err != nil {
		o.fail("%s returned %q", p, p.result)
		return
	}
	reg := o.registers[manifest.VersionKey(p.name, v)]
	if reg == nil {
		o.fail("%s returned %s, which is not there", p, v)
		return
	}
	if want := o.saves[reg.id].files; !slices.Equal(p.got.files, want) {
		o.fail("I7: %s returned %q, saved was %q", p, p.got.files, want)
	}
	if !slices.ContainsFunc(reg.lifetimes, func(l [2]int) bool { return l[0] <= p.ended && l[1] >= p.began }) {
		o.fail("I8: %s returned %s, which was not live meanwhile", p, v)
	}
	if p.latest() {
		o.checkLatest(p, p.result)
		o.checkReplaced(p, v)
	}
}

// mayFail reports whether a load may find packs missing: of a version that
// was committed too late and not acknowledged, or deleted long ago.
func (o *oracle) mayFail(p *op) bool {
	for _, reg := range o.registers {
		old := reg.m.State != manifest.Live && (!reg.m.NamesPacks() || o.r.w.now.Sub(reg.modified) >= readable(reg.m))
		if reg.m.Name == p.name && (!reg.protected || old) {
			return true
		}
	}
	return false
}

// checkLatest checks that a load returned what was the latest version at some
// moment while it ran.
func (o *oracle) checkLatest(p *op, got string) {
	was := "" // before the first moment
	quiet := true
	for i, m := range o.latest[p.name] {
		end := 1 << 30
		if i+1 < len(o.latest[p.name]) {
			end = o.latest[p.name][i+1].step
		}
		if m.step <= p.began {
			was = m.version
		}
		if m.step <= p.ended && end >= p.began && m.version == got {
			o.r.count("latest checked")
			return
		}
		if m.undeletion && m.step >= p.began && m.step <= p.ended {
			quiet = false
		}
	}
	if was == got && p.began == p.ended || got == "" && (len(o.latest[p.name]) == 0 || o.latest[p.name][0].step >= p.began) {
		return
	}
	if !quiet {
		// Undeletions break I8: a load may pass a version while it is deleted,
		// the version is undeleted, and the load returns the next lower one,
		// which was live but never the latest. This still holds: no better
		// version was live all the time.
		o.r.count("latest torn by undeletes")
		for _, reg := range o.registers {
			if o.r.sc.unversioned {
				break // see checkReplaced
			}
			all := slices.ContainsFunc(reg.lifetimes, func(l [2]int) bool { return l[0] < p.began && l[1] > p.ended })
			if all && reg.m.Name == p.name && (got == "" || better(reg.m.Version, got)) {
				o.fail("I8: %s returned %q, though %s was live all the time", p, got, reg.m.Version)
			}
		}
		return
	}
	o.fail("I8: %s returned %q, which was not the latest at any moment between steps %d and %d; %v", p, got, p.began, p.ended, o.latest[p.name])
}

// better reports whether v, and not the version got, would be the latest.
func better(v manifest.Version, got string) bool {
	g, err := manifest.ParseVersion(got)
	if err != nil || v.IsRelease() != g.IsRelease() {
		return err == nil && v.IsRelease()
	}
	return v.Compare(g) > 0
}
