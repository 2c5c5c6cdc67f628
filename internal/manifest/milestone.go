package manifest

import (
	"fmt"
	"strings"

	"github.com/mindtrace/registry/store"
)

// MilestoneKey returns the key of the milestone of a release: an empty body, which
// is a hint that this release has a register. Milestones list before all registers
// of their object, that of the highest release first. So one request finds a
// release near the end, from which a listing can begin.
//
// The key is that of the version with each letter and digit mirrored (a and s, 0
// and 9), which reverses the order.
func MilestoneKey(name string, v Version) string {
	v.Pre = ""
	return VersionsPrefix(name) + milestoneMark + strings.Map(mirror, v.Key())
}

// milestoneMark begins the last part of a milestone's key. No key of a version
// begins with it.
const milestoneMark = "!"

// mirror is its own inverse. The letters that stand for lengths are a to s.
func mirror(c rune) rune {
	switch {
	case '0' <= c && c <= '9':
		return '0' + '9' - c
	case 'a' <= c && c <= 's':
		return 'a' + 's' - c
	}
	return c
}

// ParseMilestoneKey is the inverse of MilestoneKey. Every other key is an error.
func ParseMilestoneKey(key string) (name string, v Version, err error) {
	rest, ok1 := strings.CutPrefix(key, ObjectsPrefix)
	seg, mkey, ok2 := strings.Cut(rest, versionsDir+milestoneMark)
	if !ok1 || !ok2 {
		return "", Version{}, fmt.Errorf("key %.200q is not that of a milestone", key)
	}
	if name, err = store.Unescape(seg); err != nil {
		return "", Version{}, err
	}
	if err := ValidName(name); err != nil {
		return "", Version{}, fmt.Errorf("key %.200q: %w", key, err)
	}
	v, err = ParseVersionKey(strings.Map(mirror, mkey))
	if err == nil && !v.IsRelease() || err == nil && MilestoneKey(name, v) != key {
		return "", Version{}, fmt.Errorf("key %.200q is not that of a milestone", key)
	}
	return name, v, err
}

// IsMilestone reports whether a key is that of a milestone.
func IsMilestone(key string) bool {
	_, _, err := ParseMilestoneKey(key)
	return err == nil
}
