package store

import (
	"errors"
	"fmt"
	"strings"
)

// The alphabet of keys is the intersection of what every file system and
// every object store keeps apart and gives back unchanged: no upper case
// (Windows, macOS), no ":" (alternate data streams), no dots at the ends of
// a segment, no device names.
const (
	maxKey     = 900
	maxSegment = 100
)

// ErrInvalidKey: the key cannot be stored safely on every backend.
var ErrInvalidKey = errors.New("invalid key")

// ValidKey returns nil if key may be stored, and an ErrInvalidKey that says
// why if not. A key is made of segments joined by "/". A segment has 1 to 100
// bytes of [a-z0-9._~!@-], does not start or end with a dot, and is not
// a Windows device name. A key has at most 900 bytes.
func ValidKey(key string) error {
	if len(key) > maxKey {
		return fmt.Errorf("%w %.40q...: %d bytes, the limit is %d", ErrInvalidKey, key, len(key), maxKey)
	}
	for seg := range strings.SplitSeq(key, "/") {
		if err := ValidSegment(seg); err != nil {
			return fmt.Errorf("%w %q: %w", ErrInvalidKey, key, err)
		}
	}
	return nil
}

// ValidSegment returns nil if seg may be a segment of a key, and an error that
// says why if not.
func ValidSegment(seg string) error {
	switch {
	case seg == "":
		return errors.New("empty segment")
	case len(seg) > maxSegment:
		return fmt.Errorf("segment of %d bytes, the limit is %d", len(seg), maxSegment)
	case seg[0] == '.' || seg[len(seg)-1] == '.':
		return errors.New("segment starts or ends with a dot")
	}
	for i := range len(seg) {
		if !keyByte(seg[i]) {
			return fmt.Errorf("byte %q is not allowed", seg[i])
		}
	}
	stem, _, _ := strings.Cut(seg, ".")
	if deviceName(stem) {
		return fmt.Errorf("%q is a device name on Windows", stem)
	}
	return nil
}

func keyByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("._~!@-", c) >= 0
}

// deviceName reports whether Windows reserves the name in every directory,
// with any extension.
// https://learn.microsoft.com/windows/win32/fileio/naming-a-file
func deviceName(stem string) bool {
	switch stem {
	case "con", "prn", "aux", "nul":
		return true
	}
	if len(stem) == 4 && (stem[:3] == "com" || stem[:3] == "lpt") {
		return '0' <= stem[3] && stem[3] <= '9'
	}
	return false
}

// Escape turns a name of [A-Za-z0-9._:-] into one segment of a key: "!x" for
// the upper-case letter X, "!!" for ":", every other byte as it is. Two
// different names never have the same segment, also where the file system
// ignores case.
func Escape(name string) string {
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case 'A' <= c && c <= 'Z':
			b.WriteByte('!')
			b.WriteByte(c + 'a' - 'A')
		case c == ':':
			b.WriteString("!!")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Unescape is the inverse of Escape. It refuses a segment that Escape does
// not make.
func Unescape(seg string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(seg); i++ {
		c := seg[i]
		if c == '!' {
			i++
			switch {
			case i < len(seg) && seg[i] == '!':
				b.WriteByte(':')
				continue
			case i < len(seg) && 'a' <= seg[i] && seg[i] <= 'z':
				b.WriteByte(seg[i] + 'A' - 'a')
				continue
			}
			return "", fmt.Errorf("%w: segment %q has a bad escape", ErrInvalidKey, seg)
		}
		if !keyByte(c) || c == '~' || c == '@' {
			return "", fmt.Errorf("%w: segment %q has the byte %q", ErrInvalidKey, seg, c)
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}
