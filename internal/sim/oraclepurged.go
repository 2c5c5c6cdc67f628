package sim

import (
	"slices"
	"strings"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
)

// This file has the oracle's checks of purged versions, and of the space that
// a collection must free.

// deletes reports whether an operation may make a version go.
func (o *op) deletes() bool { return o.kind == remove || o.kind == purge }

// readable returns how long the packs of a version must stay after it was
// deleted, for loads and saves that have begun to use it (I10).
func readable(m *manifest.Manifest) time.Duration {
	if m.State == manifest.Purged {
		return times.WindowD()
	}
	return times.RetainD() + times.WindowD()
}

// checkPurge checks a register that becomes m, a purged version. A live or
// deleted version may be purged at any time. But the register keeps the names
// of its packs until the time of readable is over.
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

// endPurge checks that the versions of an acknowledged purge are purged.
func (o *oracle) endPurge(p *op) {
	for _, v := range p.removed {
		if reg := o.registers[manifest.VersionKey(p.name, v)]; reg == nil || reg.m.State != manifest.Purged {
			o.fail("I11: %s was told that it has purged %s", p, v)
		}
	}
}

// countPurged counts the packs that are freed earlier than those of a deleted
// version would be.
func (o *oracle) countPurged(pack string) {
	for _, reg := range o.registers {
		early := reg.m.State == manifest.Purged && o.r.w.now.Sub(reg.m.Died) < times.RetainD()+times.WindowD()
		if early && slices.ContainsFunc(append(reg.m.Packs(), reg.before...), func(p manifest.Pack) bool { return p.Key() == pack }) {
			o.r.count("packs swept early")
		}
	}
}

// endCollection checks I12: space comes back. After a collection, the packs of
// closed eras that no counting register names are gone.
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
