package registry

import (
	"context"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/mindtrace/registry/internal/manifest"
)

// Ref is a parsed reference: the name of an object, and which of its versions
// is meant.
//
//	my:model             the latest version
//	my:model@latest      the same
//	my:model@1.2.3       exactly this version; also 1, 1.2 and v1.2.3
//	my:model@^1.2        the highest version that the range allows; * allows all
//	my:model@sha256:...  the version with this digest, or with the only one that
//	                     begins so: seven digits at least
//	my:model@prod        the version that the tag prod points at
type Ref struct {
	Name     string
	Selector string // as written; "" means latest

	kind    selectorKind
	version Version
	digits  string // of a digest, all or the first
	allows  *semver.Constraints
}

type selectorKind int

const (
	selectLatest selectorKind = iota
	selectVersion
	selectDigest
	selectRange
	selectTag
)

// Latest is the selector of the highest release, or the highest pre-release
// if there are only such.
const Latest = "latest"

// minDigits is how many digits of a digest have to be given.
const minDigits = 7

// ParseRef reads a reference of the form name or name@selector.
func ParseRef(s string) (Ref, error) {
	ref, err := parseRef(s)
	return ref, wrap(context.Background(), "parse reference", s, err)
}

func parseRef(s string) (Ref, error) {
	name, selector, found := strings.Cut(s, "@")
	if err := manifest.ValidName(name); err != nil {
		return Ref{}, err
	}
	ref := Ref{Name: name, Selector: selector}
	if found && strings.TrimSpace(selector) == "" {
		return Ref{}, fmt.Errorf("%w %q: nothing follows the @; leave it out for the latest version", ErrInvalidRef, s)
	}
	if err := ref.parseSelector(); err != nil {
		return Ref{}, err
	}
	return ref, nil
}

func (r *Ref) parseSelector() error {
	s := r.Selector
	switch {
	case s == "" || s == Latest:
		r.kind = selectLatest
		return nil
	case strings.HasPrefix(s, manifest.DigestPrefix):
		r.kind, r.digits = selectDigest, strings.TrimPrefix(s, manifest.DigestPrefix)
		if len(r.digits) < minDigits || len(r.digits) > 2*len(manifest.Digest{}) || strings.Trim(r.digits, "0123456789abcdef") != "" {
			return fmt.Errorf("%w %q: a digest is %s and 64 hexadecimal digits, or the first of them, %d at least", ErrInvalidRef, r, manifest.DigestPrefix, minDigits)
		}
		return nil
	case manifest.IsRange(s):
		c, err := semver.NewConstraint(s)
		if err != nil {
			return fmt.Errorf("%w %q: %q is not a range of versions such as ^1.2, ~1.2.3 or >=1.0 <2.0 || 3", ErrInvalidRef, r, s)
		}
		r.kind, r.allows = selectRange, c
		return nil
	}
	v, err := manifest.ParseVersion(s)
	if err == nil {
		r.kind, r.version = selectVersion, v
		return nil
	}
	if terr := manifest.ValidTag(s); terr != nil {
		if !manifest.LooksLikeVersion(s) {
			err = terr
		}
		return fmt.Errorf("%w %q: %w", ErrInvalidRef, r, err)
	}
	r.kind = selectTag
	return nil
}

// all reports whether a range is every version.
func (r *Ref) all() bool {
	return r.kind == selectRange && strings.Trim(r.Selector, " *") == ""
}

// String returns the reference as it was written.
func (r Ref) String() string {
	if r.Selector == "" {
		return r.Name
	}
	return r.Name + "@" + r.Selector
}

// matches reports whether a range allows v. All versions are in "*"; any other
// range allows pre-releases only if it names one, and then all that lie
// within: 2.0.0-rc.1 is in >=1.0.0-0, not in >=1.
func (r *Ref) matches(v Version) bool {
	if r.all() {
		return true
	}
	return r.allows.Check(semver.New(v.Major, v.Minor, v.Patch, v.Pre, ""))
}
