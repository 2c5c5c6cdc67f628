package registry

import (
	"context"

	"github.com/mindtrace/registry/internal/ledger"
)

// Resolved is the version that a reference means at the time when it is resolved.
// Ranges, tags and "latest" may mean another version later; Ref is exact.
type Resolved struct {
	Name    string  `json:"name"`
	Version Version `json:"version"`
	Digest  string  `json:"digest"`          // of the version, "sha256:..."
	Tag     string  `json:"tag,omitempty"`   // the tag in the reference; "" if it has no tag
	Range   string  `json:"range,omitempty"` // the range in the reference, as written; "" if it has no range
}

// Ref returns the exact reference, name@version.
func (r *Resolved) Ref() string { return r.Name + "@" + r.Version.String() }

// Resolve returns the number and digest of the version that ref means. It sends the
// same requests as Info, and its errors are those of Info.
func (r *Registry) Resolve(ctx context.Context, ref string) (*Resolved, error) {
	p, err := ledger.ParseRef(ref)
	if err != nil {
		return nil, wrap(ctx, OpResolve, ref, err)
	}
	f, err := r.ledger.Resolve(ctx, p)
	if err != nil {
		return nil, wrap(ctx, OpResolve, ref, err)
	}
	resolved := &Resolved{Name: f.Name, Version: f.Version, Digest: f.Digest.String()}
	switch p.Kind {
	case ledger.ByTag:
		resolved.Tag = p.Selector
	case ledger.ByRange:
		resolved.Range = p.Selector
	}
	return resolved, nil
}
