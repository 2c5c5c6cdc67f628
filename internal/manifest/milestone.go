package manifest

import (
	"fmt"
	"strings"

	"github.com/mindtrace/registry/store"
)

// MilestoneKey is the key of the milestone of a release: an empty body that
// says that this release has a register. Milestones lie before all registers
// of their object, the one of the highest release first, so that one request
// finds a place to list from that is near the end.
//
// The key is that of the version with each letter and digit mirrored (a and s,
// 0 and 9), which turns the order round: what 1.0.0 is to 2.0.0, is the
// milestone of 2.0.0 to that of 1.0.0.
func MilestoneKey(name string, v Version) string {
	v.Pre = ""
	return VersionsPrefix(name) + milestoneMark + strings.Map(mirror, v.Key())
}

// milestoneMark begins the last part of a milestone's key. No version does.
const milestoneMark = "!"

// mirror is its own inverse. The letters of lengths reach from a to s.
func mirror(c rune) rune {
	switch {
	case '0' <= c && c <= '9':
		return '0' + '9' - c
	case 'a' <= c && c <= 's':
		return 'a' + 's' - c
	}
	return c
}

// ParseMilestoneKey is the inverse of MilestoneKey. It refuses every other
// key.
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
