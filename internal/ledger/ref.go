package ledger

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
)

// Ref is a parsed reference: the name of an object, and which of its versions
// is meant.
type Ref struct {
	Name     string
	Selector string // as written; "" means latest

	Kind    selectorKind
	Version manifest.Version
	digits  string // of a digest, all or the first
	allows  *semver.Constraints
}

type selectorKind int

const (
	ByLatest selectorKind = iota
	ByVersion
	ByDigest
	ByRange
	ByTag
)

// latest is the selector of the highest release.
const latest = "latest"

// minDigits is how many digits of a digest have to be given.
const minDigits = 7

// ParseRef reads a reference of the form name or name@selector.
func ParseRef(s string) (Ref, error) {
	name, selector, found := strings.Cut(s, "@")
	if err := manifest.ValidName(name); err != nil {
		return Ref{}, err
	}
	ref := Ref{Name: name, Selector: selector}
	if found && strings.TrimSpace(selector) == "" {
		return Ref{}, fmt.Errorf("%w %q: nothing follows the @; leave it out for the latest version", fault.ErrInvalidRef, s)
	}
	if err := ref.parseSelector(); err != nil {
		return Ref{}, err
	}
	return ref, nil
}

func (r *Ref) parseSelector() error {
	s := r.Selector
	switch {
	case s == "" || s == latest:
		r.Kind = ByLatest
		return nil
	case strings.HasPrefix(s, manifest.DigestPrefix):
		r.Kind, r.digits = ByDigest, strings.TrimPrefix(s, manifest.DigestPrefix)
		if len(r.digits) < minDigits || len(r.digits) > 2*len(manifest.Digest{}) || strings.Trim(r.digits, "0123456789abcdef") != "" {
			return fmt.Errorf("%w %q: a digest is %s and 64 hexadecimal digits, or the first of them, %d at least", fault.ErrInvalidRef, r, manifest.DigestPrefix, minDigits)
		}
		return nil
	case manifest.IsRange(s):
		c, err := semver.NewConstraint(s)
		if err != nil {
			return fmt.Errorf("%w %q: %q is not a range of versions such as ^1.2, ~1.2.3 or >=1.0 <2.0 || 3", fault.ErrInvalidRef, r, s)
		}
		r.Kind, r.allows = ByRange, c
		return nil
	}
	v, err := manifest.ParseVersion(s)
	if err == nil {
		r.Kind, r.Version = ByVersion, v
		return nil
	}
	if terr := manifest.ValidTag(s); terr != nil {
		if !manifest.LooksLikeVersion(s) {
			err = terr
		}
		return fmt.Errorf("%w %q: %w", fault.ErrInvalidRef, r, err)
	}
	r.Kind = ByTag
	return nil
}

// all reports whether a range is every version.
func (r *Ref) all() bool {
	return r.Kind == ByRange && strings.Trim(r.Selector, " *") == ""
}

// String returns the reference as it was written.
func (r Ref) String() string {
	if r.Selector == "" {
		return r.Name
	}
	return r.Name + "@" + r.Selector
}

// Matches reports whether a range allows v. All versions are in "*"; any other
// range allows pre-releases only if it names one, and then all that lie
// within: 2.0.0-rc.1 is in >=1.0.0-0, not in >=1.
func (r *Ref) Matches(v manifest.Version) bool {
	if r.all() {
		return true
	}
	return r.allows.Check(semver.New(v.Major, v.Minor, v.Patch, v.Pre, ""))
}
