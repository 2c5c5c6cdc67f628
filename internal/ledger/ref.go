package ledger

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
)

// Ref is a parsed reference: the name of an object, and a selector that says
// which of its versions is meant.
type Ref struct {
	Name     string
	Selector string // as written; "" means latest

	Kind    SelectorKind
	Version manifest.Version    // of ByVersion
	digits  string              // of ByDigest: the first digits of the digest, or all
	allows  *semver.Constraints // of ByRange
}

// SelectorKind says how a selector names a version.
type SelectorKind int

// The kinds of selectors.
const (
	ByLatest  SelectorKind = iota // "latest", or no selector
	ByVersion                     // "1.2.0"
	ByDigest                      // "sha256:" and at least minDigits digits
	ByRange                       // "^1.2"; the highest live version in it
	ByTag                         // "prod"
)

// latest is the selector of the highest release.
const latest = "latest"

// minDigits is the least number of digits of a digest in a reference.
const minDigits = 7

// ParseRef parses a reference of the form name or name@selector. Errors:
// ErrInvalidRef, manifest.ErrInvalidName.
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

// all reports whether the selector is a range that every version is in.
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

// Matches reports whether v is in the range of a ByRange reference. "*" holds
// every version. Any other range holds pre-releases only if its text names one;
// then it holds all pre-releases between its bounds: 2.0.0-rc.1 is in
// >=1.0.0-0, but not in >=1.
func (r *Ref) Matches(v manifest.Version) bool {
	if r.all() {
		return true
	}
	return r.allows.Check(semver.New(v.Major, v.Minor, v.Patch, v.Pre, ""))
}
