package registry

import (
	"context"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/version"
)

// Ref is a parsed reference: the name of an object, and which of its versions it
// means.
//
//	my:model             the latest version
//	my:model@latest      the same
//	my:model@1.2.3       exactly this version; also 1, 1.2 and v1.2.3
//	my:model@^1.2        the highest version in the range; * is any version
//	my:model@sha256:...  the version with this digest; a prefix of seven or more
//	                     digits is enough if only one digest has it
//	my:model@prod        the version that the tag prod points at
type Ref struct {
	Name     string // of the object
	Selector string // as written; "" means latest
}

// Latest is the selector of the highest release, or of the highest pre-release if
// there is no release.
const Latest = "latest"

// ParseRef reads a reference of the form name or name@selector. The error is
// ErrInvalidName or ErrInvalidRef.
func ParseRef(s string) (Ref, error) {
	ref, err := ledger.ParseRef(s)
	return Ref{ref.Name, ref.Selector}, wrap(context.Background(), OpParseRef, s, err)
}

// String returns the reference as it was written.
func (r Ref) String() string {
	if r.Selector == "" {
		return r.Name
	}
	return r.Name + "@" + r.Selector
}

// Version is a semantic version, such as 1.2.3 or 2.0.0-rc.1. Package version
// documents its fields and methods.
type Version = version.Version

// ParseVersion reads a version. "1", "1.2" and "v1.2.3" mean 1.0.0, 1.2.0 and 1.2.3.
// The error is ErrInvalidVersion.
func ParseVersion(s string) (Version, error) {
	v, err := version.Parse(s)
	return v, wrap(context.Background(), OpParseVersion, s, err)
}
