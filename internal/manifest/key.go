package manifest

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/mindtrace/registry/store"
)

// SettingsKey is the key of the registry's Settings.
const SettingsKey = "registry.json"

const (
	// ObjectsPrefix begins the keys of all version registers.
	ObjectsPrefix = "objects/"
	// ProbePrefix begins the keys with which a store is probed. A probe deletes
	// them after some seconds.
	ProbePrefix = "probe/"
	// PacksPrefix begins the keys of all packs.
	PacksPrefix = "packs/"

	registerSuffix = ".json"
	versionsDir    = "/@/" // no name has an "@", so objects a and a:b never clash
)

// Prefixes begin all keys except SettingsKey. The only slash of each is its last
// character.
var Prefixes = []string{ObjectsPrefix, TagsPrefix(""), PacksPrefix, ProbePrefix, LocksPrefix, CollectionsPrefix}

// ErrInvalidName: an object cannot have this name. The text says what to write
// instead.
var ErrInvalidName = errors.New("invalid name")

var (
	namePart   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
	notInNames = regexp.MustCompile(`[^A-Za-z0-9.:-]+`)
)

// ValidName returns nil if an object may have the name, and otherwise an
// ErrInvalidName that says why, and what to write instead. A name has one or more
// parts with ":" between them. A part has ASCII letters, digits, dots and dashes,
// and starts and ends with a letter or digit. In a key, the name may have 100
// bytes, where a capital letter and a colon count twice.
func ValidName(name string) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w %.120q: %s", ErrInvalidName, name, fmt.Sprintf(format, args...))
	}
	if name == "" {
		return bad("it is empty; write something like my:model")
	}
	if c := notInNames.FindString(name); c != "" {
		what := fmt.Sprintf("%.40q", c)
		switch {
		case strings.Trim(c, "_") == "":
			what = "underscores"
		case strings.Trim(c, "/") == "":
			what = "slashes"
		case strings.Trim(c, " ") == "":
			what = "blanks"
		}
		if fixed := suggestName(name); fixed != "" {
			return bad("%s are not allowed; use letters, digits, dots and dashes, and colons between namespaces, for example %q", what, fixed)
		}
		return bad("%s are not allowed; use letters, digits, dots and dashes, and colons between namespaces", what)
	}
	for part := range strings.SplitSeq(name, ":") {
		if namePart.MatchString(part) {
			continue
		}
		if fixed := suggestName(name); fixed != "" {
			return bad("the parts between colons start and end with a letter or a digit, for example %q", fixed)
		}
		return bad("the parts between colons start and end with a letter or a digit")
	}
	if err := store.ValidSegment(store.Escape(name)); err != nil {
		if n := len(store.Escape(name)); n > 100 {
			return bad("it is too long: %d bytes in a key, where a capital letter and a colon count twice; the limit is 100", n)
		}
		if fixed := "my:" + name; ValidName(fixed) == nil {
			return bad("%v; write something like %q", err, fixed)
		}
		return bad("%v", err)
	}
	return nil
}

// suggestName makes a valid name of an invalid one, or returns "".
func suggestName(name string) string {
	name = strings.ReplaceAll(name, "/", ":")
	name = notInNames.ReplaceAllString(name, "-")
	var parts []string
	for part := range strings.SplitSeq(name, ":") {
		if part = strings.Trim(part, ".-"); part != "" {
			parts = append(parts, part)
		}
	}
	fixed := strings.Join(parts, ":")
	if fixed == "" || ValidName(fixed) != nil {
		return ""
	}
	return fixed
}

// ObjectOf returns the name of the object to whose versions or tags a key, or
// a prefix of keys, belongs. It returns "" if that is not one object.
func ObjectOf(key string) string {
	rest, ok := strings.CutPrefix(key, ObjectsPrefix)
	if !ok {
		if rest, ok = strings.CutPrefix(key, TagsPrefix("")); !ok {
			return ""
		}
	}
	segment, _, ok := strings.Cut(rest, "/")
	name, err := store.Unescape(segment)
	if !ok || err != nil || ValidName(name) != nil {
		return ""
	}
	return name
}

// VersionsPrefix returns the prefix of the keys of all versions of an object.
func VersionsPrefix(name string) string {
	return ObjectsPrefix + store.Escape(name) + versionsDir
}

// VersionKey returns the key of the register of one version.
func VersionKey(name string, v Version) string {
	return VersionsPrefix(name) + v.Key() + registerSuffix
}

// ParseVersionRegisterKey is the inverse of VersionKey. Every other key is an
// error.
func ParseVersionRegisterKey(key string) (name string, v Version, err error) {
	rest, ok1 := strings.CutPrefix(key, ObjectsPrefix)
	seg, vkey, ok2 := strings.Cut(rest, versionsDir)
	vkey, ok3 := strings.CutSuffix(vkey, registerSuffix)
	if !ok1 || !ok2 || !ok3 {
		return "", Version{}, fmt.Errorf("key %q is not that of a version", key)
	}
	if name, err = store.Unescape(seg); err != nil {
		return "", Version{}, err
	}
	if err := ValidName(name); err != nil {
		return "", Version{}, fmt.Errorf("key %q: %w", key, err)
	}
	v, err = ParseVersionKey(vkey)
	return name, v, err
}

// MayBeRegister reports whether key looks like the key of a register that another
// program has copied or renamed: "a1.a0.a0~-conflict-host.json",
// "a1.a0.a0~.json.tmp".
func MayBeRegister(key string) bool {
	return strings.Contains(key[strings.LastIndexByte(key, '/')+1:], registerSuffix)
}

// VersionOf returns the version whose register has the key, of the object name. It
// does what ParseVersionRegisterKey does, faster for many keys of one object.
func VersionOf(name, key string) (Version, error) {
	rest, ok1 := strings.CutPrefix(key, ObjectsPrefix)
	rest, ok2 := strings.CutPrefix(rest, store.Escape(name)+versionsDir)
	vkey, ok3 := strings.CutSuffix(rest, registerSuffix)
	if !ok1 || !ok2 || !ok3 {
		return Version{}, fmt.Errorf("key %q is not that of a version of %s", key, name)
	}
	return ParseVersionKey(vkey)
}

// Pack names one pack: immutable bytes, which are chunks end to end.
type Pack struct {
	Era  uint64 `json:"era"`  // in which it was put, counted from 1970; below 10¹⁰
	ID   Digest `json:"id"`   // SHA-256 of the SHA-256s of its chunks, in order
	Size int64  `json:"size"` // in bytes, at most 16 MiB
}

// maxEra is above every era. Eras have ten digits in keys, so that keys list in
// order of time.
const maxEra = 1e10

// Key returns the pack's key. The era has ten decimal digits, so that packs list
// in order of time.
func (p Pack) Key() string {
	id := p.ID.Hex()
	return fmt.Sprintf("%s%010d/%s/%s", PacksPrefix, p.Era, id[:2], id)
}

// ParsePackKey is the inverse of Pack.Key, but for the size, which is not in the
// key. Every other key is an error.
func ParsePackKey(key string) (Pack, error) {
	var p Pack
	parts := strings.SplitN(key, "/", 5)
	if len(parts) == 4 {
		era, err := strconv.ParseUint(parts[1], 10, 64)
		if err == nil && era < maxEra && p.ID.UnmarshalText([]byte(parts[3])) == nil {
			p.Era = era
			if p.Key() == key {
				return p, nil
			}
		}
	}
	return Pack{}, fmt.Errorf("key %q is not that of a pack", key)
}
