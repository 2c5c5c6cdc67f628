package sim

import (
	"slices"
	"strings"

	"github.com/mindtrace/registry/internal/manifest"
)

// This file has the oracle's checks of milestones.

// putMilestone sees every put of a milestone. It checks that the milestone is
// empty, is written only once, and names a release that has a register.
func (o *oracle) putMilestone(key string, old, now object) {
	name, v, err := manifest.ParseMilestoneKey(key)
	if err != nil || len(now.body) > 0 || old.token != "" {
		o.fail("bad milestone %s with %d bytes, over %q: %v", key, len(now.body), old.token, err)
		return
	}
	if o.registers[manifest.VersionKey(name, v)] == nil {
		o.fail("milestone of %s@%s, which has no register", name, v)
	}
	o.r.count("milestones left")
	o.checkMilestones(name)
}

// checkMilestones compares two searches for an object: one that begins at its
// first milestone, and one through all keys. Both must find the same highest
// release and the same latest version.
func (o *oracle) checkMilestones(name string) {
	prefix := manifest.VersionsPrefix(name)
	var keys []string
	for key := range o.r.w.objects {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	_, from, err := manifest.ParseMilestoneKey(keys[0])
	if err != nil {
		if slices.ContainsFunc(keys, manifest.IsMilestone) {
			o.fail("a milestone of %s lies behind a register: %s", name, keys)
		}
		return
	}
	i, there := slices.BinarySearch(keys, manifest.VersionKey(name, from))
	if !there {
		o.fail("the first milestone of %s is of %s, which has no register", name, from)
		return
	}
	var highest, latest manifest.Version
	for _, key := range keys[i:] {
		m := o.registers[key].m
		if m.Version.IsRelease() && m.Version.Compare(highest) > 0 {
			highest = m.Version
			if m.State == manifest.Live {
				latest = m.Version
			}
		}
	}
	for _, reg := range o.registers {
		if v := reg.m.Version; reg.m.Name == name && v.IsRelease() && v.Compare(highest) > 0 {
			o.fail("I8: from its milestone %s on the highest release of %s is %s, but there is %s", from, name, highest, v)
		}
	}
	if best := o.best(name); latest != (manifest.Version{}) && !o.r.sc.unversioned && best.Version != latest {
		o.fail("I8: from its milestone %s on the latest of %s is %s, but it is %s", from, name, latest, best.Version)
	}
	o.r.count("highest versions compared")
}
