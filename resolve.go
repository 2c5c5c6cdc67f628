package registry

import (
	"context"

	"github.com/mindtrace/registry/internal/ledger"
)

// Resolved is what a reference means at the time when it is resolved. Ranges,
// tags and "latest" may mean another version later; Ref is exact.
type Resolved struct {
	Name    string  `json:"name"`
	Version Version `json:"version"`
	Digest  string  `json:"digest"`          // of the version, "sha256:..."
	Tag     string  `json:"tag,omitempty"`   // the tag, if the reference names one
	Range   string  `json:"range,omitempty"` // the range as written, if the reference has one
}

// Ref returns the exact reference, name@version.
func (r *Resolved) Ref() string { return r.Name + "@" + r.Version.String() }

// Resolve returns the version that ref means, without its metadata or files. It
// sends the same requests as Info. The error is ErrNotFound if there is no such
// version, and ErrInvalidRef if ref is not a reference.
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
