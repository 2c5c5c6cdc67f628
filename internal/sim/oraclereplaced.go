package sim

import (
	"errors"
	"slices"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/manifest"
)

// This file has the oracle's checks of unversioned registries, in which every
// save replaces the object.

// replaced returns the present state of an object: its highest version, without
// those that were committed too late and then deleted.
func (o *oracle) replaced(name string) *manifest.Manifest {
	var top *manifest.Manifest
	for _, reg := range o.registers {
		m := reg.m
		late := m.State == manifest.Deleted && m.NotAfter.IsZero()
		if m.Name == name && !late && (top == nil || m.Version.Compare(top.Version) > 0) {
			top = m
		}
	}
	if top == nil || top.State != manifest.Live {
		return nil
	}
	return top
}

// checkReplaced checks the result of a load against acknowledged operations
// only. A load never returns a version older than an acknowledged one. It
// returns nothing only if a client deletes, and a deleted version only if
// a client undeletes.
func (o *oracle) checkReplaced(p *op, got manifest.Version) {
	if !o.r.sc.unversioned {
		return
	}
	floor, none := o.floor[p], manifest.Version{}
	o.r.count("replaced objects checked")
	deletes := slices.ContainsFunc(o.ops, func(d *op) bool { return d.deletes() && d.name == p.name })
	if got == none {
		if floor != none && !deletes {
			o.fail("I8: %s found nothing, though %s had been acknowledged and nobody deletes", p, floor)
		}
		return
	}
	if got.Compare(floor) < 0 {
		o.fail("I8: %s returned %s, though %s had been acknowledged", p, got, floor)
	}
	for _, d := range o.ops {
		if !d.deletes() || d.err != nil || !d.done || d.name != p.name || d.ended >= p.began || len(d.removed) == 0 {
			continue
		}
		if got.Compare(slices.MaxFunc(d.removed, manifest.Version.Compare)) <= 0 && !o.broughtBack(p, d, got) {
			o.fail("I8: %s returned %s, which %s had deleted: %s", p, got, d, d.removed)
		}
	}
}

// broughtBack reports whether an undeletion may have taken effect after a
// deletion.
func (o *oracle) broughtBack(p, deletion *op, v manifest.Version) bool {
	return slices.ContainsFunc(o.ops, func(u *op) bool {
		if u.kind != undelete || u.name != p.name || u.version != v.String() {
			return false
		}
		return !u.done || u.ended >= deletion.began || errors.Is(u.err, registry.ErrOutcomeUnknown)
	})
}

// finalReplaced checks that at most one version of an object is left, if there
// were no faults.
func (o *oracle) finalReplaced() {
	if !o.r.sc.unversioned || o.r.faults < maxFaults || o.r.uneven {
		return
	}
	live := map[string][]string{}
	for _, reg := range o.registers {
		if reg.m.State == manifest.Live {
			live[reg.m.Name] = append(live[reg.m.Name], reg.m.Version.String())
		}
	}
	for name, versions := range live {
		o.r.count("single versions checked")
		if len(versions) > 1 {
			o.fail("in the end %s has %d live versions: %s", name, len(versions), versions)
		}
	}
}
