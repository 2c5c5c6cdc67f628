// Package version declares Version, the version numbers of objects: Semantic
// Versions without build metadata (https://semver.org/spec/v2.0.0.html).
//
// Every version has one spelling, one key in a store, and one place in the order
// of precedence; the keys are in that order. Parse reads what people write, and
// Version.Compare says which of two versions is higher. Package registry exports
// Version, Parse (as ParseVersion) and ErrInvalid (as ErrInvalidVersion) again;
// import this package for the rest.
package version

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Version is a Semantic Version 2.0.0 without build metadata, such as 1.2.3 or
// 2.0.0-rc.1.
//
// The zero value is 0.0.0. Versions can be compared with == for equality, and can
// be keys of maps. As text, and so in JSON, a version is in its canonical form.
type Version struct {
	Major, Minor, Patch uint64 // at most 2⁶³-1
	Pre                 string // dot-separated pre-release identifiers, or ""
}

// ErrInvalid: the text is not a version, or not one that a registry can hold. The
// error that wraps it says why, and how to write it instead.
var ErrInvalid = errors.New("invalid version")

// The last segment of a key, with the suffix of registers, has at most longest
// bytes.
const (
	longest = 100
	suffix  = ".json"
)

// Parse reads a version. It accepts "1", "1.2" and "v1.2.3" as well, for 1.0.0,
// 1.2.0 and 1.2.3. It refuses build metadata ("+..."), which would give two
// versions the same precedence; leading zeros; numbers above 2⁶³-1; and
// pre-releases too long for a key (some 80 characters). Errors are ErrInvalid.
func Parse(s string) (Version, error) {
	bad := func(format string, args ...any) (Version, error) {
		return Version{}, fmt.Errorf("%w %.100q: %s", ErrInvalid, s, fmt.Sprintf(format, args...))
	}
	rest := strings.TrimPrefix(s, "v")
	if strings.Contains(rest, "+") {
		return bad("build metadata (+...) is not allowed; put it in the object's metadata")
	}
	core, pre, hasPre := strings.Cut(rest, "-")
	parts := strings.SplitN(core, ".", 4)
	if len(parts) > 3 {
		return bad("a version has three numbers, as in 1.2.3")
	}
	var nums [3]uint64
	for i, p := range parts {
		n, why := parseNumber(p)
		if why != "" {
			return bad("%s", why)
		}
		nums[i] = n
	}
	v := Version{Major: nums[0], Minor: nums[1], Patch: nums[2]}
	if hasPre {
		for id := range strings.SplitSeq(pre, ".") {
			if why := checkIdentifier(id); why != "" {
				return bad("%s", why)
			}
		}
		v.Pre = pre
	}
	if i := strings.LastIndexByte(v.Key(), '/'); len(v.Key())-i-1+len(suffix) > longest {
		return bad("it is too long; shorten the part after the dash")
	}
	return v, nil
}

func parseNumber(s string) (n uint64, why string) {
	switch {
	case s == "" || strings.Trim(s, "0123456789") != "":
		return 0, "a version is written as 1.2.3 or 1.2.3-rc.1"
	case len(s) > 1 && s[0] == '0':
		return 0, fmt.Sprintf("leading zero in %.40q; write %.40q", s, cmp.Or(strings.TrimLeft(s, "0"), "0"))
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > math.MaxInt64 {
		return 0, fmt.Sprintf("number %.40s is too large, the limit is 2⁶³-1", s)
	}
	return n, ""
}

func checkIdentifier(id string) (why string) {
	if id == "" {
		return "empty pre-release identifier"
	}
	for _, c := range id {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-') {
			return fmt.Sprintf("a pre-release has only letters, digits, dashes and dots, not %q", c)
		}
	}
	if isNumeric(id) {
		if _, why := parseNumber(id); why != "" {
			return why
		}
	}
	return ""
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isNumeric(id string) bool { return strings.Trim(id, "0123456789") == "" }

// String returns the canonical form, such as "1.2.3-rc.1". Parse reads it back.
func (v Version) String() string {
	b := strconv.AppendUint(nil, v.Major, 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, v.Minor, 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, v.Patch, 10)
	if v.Pre != "" {
		b = append(b, '-')
		b = append(b, v.Pre...)
	}
	return string(b)
}

// IsRelease reports whether v has no pre-release part.
func (v Version) IsRelease() bool { return v.Pre == "" }

// Next returns the next patch release: 1.2.4 after 1.2.3, and after 1.2.3-rc.1. It
// is an ErrInvalid if the patch number is 2⁶³-1.
func (v Version) Next() (Version, error) {
	if v.Patch >= math.MaxInt64 {
		return Version{}, fmt.Errorf("%w: there is no patch release after %s", ErrInvalid, v)
	}
	return Version{Major: v.Major, Minor: v.Minor, Patch: v.Patch + 1}, nil
}

// Compare returns -1 if v has lower precedence than w, 0 if they are equal, and 1
// if v has higher precedence. It can be passed to slices.SortFunc.
func (v Version) Compare(w Version) int {
	return cmp.Or(
		cmp.Compare(v.Major, w.Major),
		cmp.Compare(v.Minor, w.Minor),
		cmp.Compare(v.Patch, w.Patch),
		strings.Compare(v.preKey(), w.preKey()),
	)
}

// MarshalText implements encoding.TextMarshaler. It writes the canonical form.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It accepts only the canonical
// form: everything else, "1.2" too, is ErrInvalid.
func (v *Version) UnmarshalText(text []byte) error {
	w, err := Parse(string(text))
	if err != nil {
		return err
	}
	if w.String() != string(text) {
		return fmt.Errorf("%w %q: the canonical form is %s", ErrInvalid, text, w)
	}
	*v = w
	return nil
}

// Key returns the version as part of a store key. The bytewise order of keys is
// the precedence of versions. So a listing that is read page by page, beside
// concurrent saves, cannot miss the highest version: what was added behind the
// cursor is lower than what is still to come (see docs/attacks.md, A7).
//
// A number is written as its count of digits as a letter (a for one), followed by
// the digits: 7 is a7, 42 is b42. In numbers of more than two digits, every last
// two digits are a directory of their own: 12345 is e1/23/45. So no directory has
// more than some hundreds of entries. A release ends in "~", which sorts after
// the "-" of its pre-releases: 1.2.3 is a1.a2.a3~.
func (v Version) Key() string {
	b := make([]byte, 0, 32)
	b = appendNumber(b, v.Major)
	b = append(b, '.')
	b = appendNumber(b, v.Minor)
	b = append(b, '.')
	b = appendNumber(b, v.Patch)
	return string(b) + v.preKey()
}

func appendNumber(b []byte, n uint64) []byte {
	digits := strconv.AppendUint(nil, n, 10)
	b = append(b, 'a'+byte(len(digits)-1))
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%2 == 0 {
			b = append(b, '/')
		}
		b = append(b, d)
	}
	return b
}

// preKey encodes the pre-release. Without one it is "~". Otherwise it is "-", then
// each identifier, then "!!". A number is "!0", a letter for its count of digits,
// and the digits. Text is "!1" and the text, with "_" before each letter that was
// upper case. "!" sorts below all else, so a prefix comes before what continues
// it. "_" sorts between digits and lower-case letters, as upper case does in
// ASCII.
func (v Version) preKey() string {
	if v.Pre == "" {
		return "~"
	}
	b := []byte{'-'}
	for id := range strings.SplitSeq(v.Pre, ".") {
		if isNumeric(id) {
			b = append(b, '!', '0', 'a'+byte(len(id)-1))
			b = append(b, id...)
			continue
		}
		b = append(b, '!', '1')
		for i := range len(id) {
			c := id[i]
			if 'A' <= c && c <= 'Z' {
				b = append(b, '_')
				c += 'a' - 'A'
			}
			b = append(b, c)
		}
	}
	return string(append(b, '!', '!'))
}

// ParseKey is the inverse of Version.Key. Every string that Key does not return is
// ErrInvalid.
func ParseKey(key string) (Version, error) {
	bad := func() (Version, error) {
		return Version{}, fmt.Errorf("%w: %.100q is not the key of a version", ErrInvalid, key)
	}
	var b strings.Builder
	rest := key
	for i := range 3 {
		if i > 0 {
			rest = strings.TrimPrefix(rest, ".")
			b.WriteByte('.')
		}
		if rest == "" {
			return bad()
		}
		rest = rest[1:] // the length letter; compared at the end
		for rest != "" && (isDigit(rest[0]) || rest[0] == '/') {
			if rest[0] != '/' {
				b.WriteByte(rest[0])
			}
			rest = rest[1:]
		}
	}
	if pre, ok := strings.CutPrefix(rest, "-!"); ok {
		pre, ok = strings.CutSuffix(pre, "!!")
		if !ok {
			return bad()
		}
		sep := byte('-')
		for id := range strings.SplitSeq(pre, "!") {
			b.WriteByte(sep)
			sep = '.'
			switch {
			case strings.HasPrefix(id, "0") && len(id) > 2:
				b.WriteString(id[2:])
			case strings.HasPrefix(id, "1"):
				upper := false
				for i := 1; i < len(id); i++ {
					c := id[i]
					switch {
					case c == '_':
						upper = true
						continue
					case upper && 'a' <= c && c <= 'z':
						c -= 'a' - 'A'
					}
					upper = false
					b.WriteByte(c)
				}
			default:
				return bad()
			}
		}
	}
	v, err := Parse(b.String())
	if err != nil || v.Key() != key {
		return bad()
	}
	return v, nil
}
