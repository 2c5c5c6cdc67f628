package sim

import (
	"slices"
	"strings"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
)

// This file is what the oracle knows of versions that are deleted for good, and
// of the space that is to come back.

// deletes reports whether an operation may make a version go.
func (o *op) deletes() bool { return o.kind == remove || o.kind == purge }

// readable is how long the packs of a version are there after it was deleted,
// for those who have begun to read it or to build on it: I10.
func readable(m *manifest.Manifest) time.Duration {
	if m.State == manifest.Purged {
		return times.WindowD()
	}
	return times.RetainD() + times.WindowD()
}

// checkPurge checks a register that becomes m, which says that it is deleted
// for good. Anybody may say so of a version that is there or deleted; but only
// once its time is over does it name nothing any more.
func (o *oracle) checkPurge(reg *register, m *manifest.Manifest) {
	age := o.r.w.now.Sub(reg.modified)
	was := reg.m
	switch {
	case m.NamesPacks() && was.State == manifest.Purged:
		o.fail("%s was purged twice", reg.key)
	case m.NamesPacks() && !slices.Equal(m.Packs(), was.Packs()):
		o.fail("%s was purged, and names other packs", reg.key)
	case !m.NamesPacks() && (was.State == manifest.Live || age < readable(was)):
		o.fail("I10: %s names nothing any more, after it was %s for %s", reg.key, was.State, age)
	}
}

// endPurge: what was purged is.
func (o *oracle) endPurge(p *op) {
	for _, v := range p.removed {
		if reg := o.registers[manifest.VersionKey(p.name, v)]; reg == nil || reg.m.State != manifest.Purged {
			o.fail("I11: %s was told that it has purged %s", p, v)
		}
	}
}

// countPurged counts the packs that are freed before a version that was only
// deleted would have let them.
func (o *oracle) countPurged(pack string) {
	for _, reg := range o.registers {
		early := reg.m.State == manifest.Purged && o.r.w.now.Sub(reg.m.Died) < times.RetainD()+times.WindowD()
		if early && slices.ContainsFunc(append(reg.m.Packs(), reg.before...), func(p manifest.Pack) bool { return p.Key() == pack }) {
			o.r.count("packs swept early")
		}
	}
}

// endCollection: space comes back. What no register names that still counts is
// gone after a collection, from eras that were over for long enough when it
// began: I12.
func (o *oracle) endCollection(p *op) {
	if p.err != nil {
		return
	}
	named := map[string]bool{}
	for _, reg := range o.registers {
		packs := reg.m.Packs()
		if reg.turned >= p.began {
			packs = append(packs, reg.before...) // the collection may have seen either
		} else if reg.m.State != manifest.Live && p.beganAt.Sub(reg.modified) >= readable(reg.m)+times.MarginD() {
			continue
		}
		for _, k := range packs {
			named[k.Key()] = true
		}
	}
	for key := range o.r.w.objects {
		if !strings.HasPrefix(key, manifest.PacksPrefix) {
			continue
		}
		k, err := manifest.ParsePackKey(key)
		young := err != nil || !times.EraEnd(k.Era).Add(times.WindowD()+times.MarginD()).Before(p.beganAt)
		if !young && !named[key] && o.born[key] < p.began {
			o.fail("I12: %s is over, and %s is still there, which nothing names", p, o.r.w.short(key))
			return
		}
	}
	o.r.count("space checked")
}
