package manifest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mindtrace/registry/store"
)

// KindTag is the kind of a Tag.
const KindTag = "tag"

// TagsPrefix returns the prefix of the keys of all tags of an object; with the
// name "", of all objects.
func TagsPrefix(name string) string {
	const tags = "tags/"
	if name == "" {
		return tags
	}
	return tags + store.Escape(name) + versionsDir
}

// TagSet is the state of a tag that points at a version. A tag that was removed is
// Deleted. Its register stays, with its nonces: so a writer that moved the tag
// before, and whose answer was lost, can still find out.
const TagSet State = "set"

const (
	// MaxTag is how long a tag may be, in bytes.
	MaxTag = 64
	// MaxMoves is how many earlier states a tag remembers.
	MaxMoves = 32
)

// Tag is the register of one tag: a name for a version of an object. It can be
// moved to another version.
type Tag struct {
	Head
	State State  `json:"state"`
	Name  string `json:"name"` // of the object
	Tag   string `json:"tag"`
	// Version is the version that the tag points at, or pointed at when it was
	// removed. Digest is that of the version. A version never changes, so a
	// mismatch is damage.
	Version Version `json:"version"`
	Digest  Digest  `json:"digest"`
	// Moves are the states before this one, the newest first.
	Moves []Move `json:"moves,omitempty"`
}

// Move is an earlier state of a tag.
type Move struct {
	State   State     `json:"state"`
	Version Version   `json:"version"`
	Digest  Digest    `json:"digest"`
	Time    time.Time `json:"time"` // when the tag got into this state, by the store's clock
}

// ErrInvalidTag: a tag cannot have this name. The text says what to write instead.
var ErrInvalidTag = errors.New("invalid tag")

var (
	tagText     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	versionLike = regexp.MustCompile(`^v?[0-9]+([.+-]|$)`)
)

// LooksLikeVersion reports whether s is probably meant as a version, perhaps
// misspelt: it starts with a whole number.
func LooksLikeVersion(s string) bool { return versionLike.MatchString(s) }

// ValidTag returns nil if a tag may have the name, and otherwise an ErrInvalidTag
// that says why, and what to write instead. A tag starts with a letter or digit. It
// has letters, digits, dots, dashes and underscores, at most MaxTag. It does not
// look like a version, a range of versions or "latest", so that name@tag has one
// meaning.
func ValidTag(tag string) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w %.120q: %s", ErrInvalidTag, tag, fmt.Sprintf(format, args...))
	}
	switch {
	case tag == "":
		return bad("it is empty; write something like prod")
	case len(tag) > MaxTag:
		return bad("it has %d bytes, the limit is %d", len(tag), MaxTag)
	case !tagText.MatchString(tag):
		return bad("a tag starts with a letter or digit and has letters, digits, dots, dashes and underscores, as in prod")
	case strings.EqualFold(tag, "latest"):
		return bad("it means the highest version; write something like prod")
	case LooksLikeVersion(tag):
		return bad("it could be taken for a version; put a letter in front, as in %q", "r"+strings.TrimPrefix(tag, "v"))
	case IsRange(tag):
		return bad("it could be taken for a range of versions such as 1.x; write something like prod")
	}
	if err := store.ValidSegment(store.Escape(tag) + registerSuffix); err != nil {
		if len(store.Escape(tag)) > 100-len(registerSuffix) {
			return bad("it is too long in a key, where a capital letter counts twice; the limit is %d", 100-len(registerSuffix))
		}
		return bad("%v; write something like %q", err, "my-"+tag)
	}
	return nil
}

// IsRange reports whether s is a range of versions, not a version or a tag: it has
// an operator, a wildcard or several parts.
func IsRange(s string) bool {
	if strings.ContainsAny(s, "^~<>=!|*, ") {
		return true
	}
	core, _, _ := strings.Cut(s, "-")
	for part := range strings.SplitSeq(core, ".") {
		if part == "x" || part == "X" {
			return true
		}
	}
	return false
}

// TagKey returns the key of the register of a tag.
func TagKey(name, tag string) string {
	return TagsPrefix(name) + store.Escape(tag) + registerSuffix
}

// ParseTagKey is the inverse of TagKey. Every other key is an error.
func ParseTagKey(key string) (name, tag string, err error) {
	rest, ok1 := strings.CutPrefix(key, TagsPrefix(""))
	nameSeg, tagSeg, ok2 := strings.Cut(rest, versionsDir)
	tagSeg, ok3 := strings.CutSuffix(tagSeg, registerSuffix)
	if !ok1 || !ok2 || !ok3 {
		return "", "", fmt.Errorf("key %q is not that of a tag", key)
	}
	if name, err = store.Unescape(nameSeg); err == nil {
		err = ValidName(name)
	}
	if err == nil {
		tag, err = store.Unescape(tagSeg)
	}
	if err == nil {
		err = ValidTag(tag)
	}
	if err != nil {
		return "", "", fmt.Errorf("key %q: %w", key, err)
	}
	return name, tag, nil
}

// NewTag returns a tag that points at a version.
func NewTag(name, tag string, v Version, d Digest) *Tag {
	return &Tag{Head: newHead(KindTag), State: TagSet, Name: name, Tag: tag, Version: v, Digest: d}
}

// LostTag returns a removed tag, to replace a damaged register of which nobody
// knows where it pointed. Its version is 0.0.0, its digest that of zero bytes.
func LostTag(name, tag string) *Tag {
	t := NewTag(name, tag, Version{}, Sum(nil))
	t.State = Deleted
	return t
}

// Move returns the tag's next state: pointing at a version, or removed. The present
// state becomes the first of Moves; since is the store's date of it.
func (t *Tag) Move(state State, v Version, d Digest, since time.Time) *Tag {
	next := *t
	next.Supersede()
	was := Move{t.State, t.Version, t.Digest, since.UTC().Truncate(time.Millisecond)}
	next.Moves = append([]Move{was}, t.Moves[:min(len(t.Moves), MaxMoves-1)]...)
	next.State, next.Version, next.Digest = state, v, d
	return &next
}

// Encode returns the body of the register.
func (t *Tag) Encode() ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("tag %s of %s: %w", t.Tag, t.Name, err)
	}
	return encode(KindTag, t)
}

// DecodeTag reads the body of a tag's register, and checks that it is of this
// object and tag. Errors are ErrCorrupt or ErrNewer.
func DecodeTag(body []byte, name, tag string) (*Tag, error) {
	t := new(Tag)
	if err := decode(body, KindTag, t); err != nil {
		return nil, fmt.Errorf("tag %s of %s: %w", tag, name, err)
	}
	err := t.check()
	if err == nil && (t.Name != name || t.Tag != tag) {
		err = fmt.Errorf("it is the register of the tag %s of %s", t.Tag, t.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("tag %s of %s: %w register: %v", tag, name, ErrCorrupt, err)
	}
	return t, nil
}

func (t *Tag) check() error {
	if err := ValidName(t.Name); err != nil {
		return err
	}
	if err := ValidTag(t.Tag); err != nil {
		return err
	}
	if len(t.Moves) > MaxMoves {
		return fmt.Errorf("%d moves, the limit is %d", len(t.Moves), MaxMoves)
	}
	if i := slices.IndexFunc(t.Moves, func(m Move) bool { return m.Time.IsZero() }); i >= 0 {
		return fmt.Errorf("move %d has no time", i)
	}
	for _, m := range append([]Move{{State: t.State, Version: t.Version, Digest: t.Digest}}, t.Moves...) {
		if m.State != TagSet && m.State != Deleted {
			return fmt.Errorf("unknown state %q", m.State)
		}
		if _, err := ParseVersion(m.Version.String()); err != nil {
			return err
		}
		if m.Digest == (Digest{}) {
			return errors.New("no digest")
		}
	}
	return nil
}
