package registry

import (
	"context"

	"github.com/mindtrace/registry/internal/ledger"
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
