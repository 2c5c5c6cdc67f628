package registry

import (
	"context"
	"iter"

	"github.com/mindtrace/registry/internal/ledger"
)

// Objects yields the names that start with prefix and have a live version, in
// the order of their keys. It reads one register or more for each name, several
// at the same time.
//
// If a register of a name cannot be read, because it is damaged, of a newer format
// or not permitted, Objects yields the name with an *UnreadableError and goes on.
// Any other error is the last.
func (r *Registry) Objects(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for info, err := range r.Latest(ctx, prefix) {
			if !yield(info.Name, err) {
				return
			}
		}
	}
}

// Latest yields the latest version of each object whose name starts with prefix.
// Order, cost and errors are those of Objects.
func (r *Registry) Latest(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for n, err := range r.ledger.EachLatest(ctx, prefix) {
			if err != nil {
				if !yield(Info{Name: n.Name}, wrap(ctx, OpObjects, prefix, err)) || !ledger.IsUnreadable(err) {
					return
				}
				continue
			}
			if !yield(r.info(n.Found), nil) {
				return
			}
		}
	}
}

// Versions yields the live versions of an object, the lowest first. If a register
// or a directory of registers cannot be read, Versions yields an *UnreadableError
// and goes on. Any other error is the last; ErrNotFound means that there is no
// live version.
func (r *Registry) Versions(ctx context.Context, name string) iter.Seq2[Info, error] {
	return r.versions(ctx, name, false)
}

// AllVersions yields the live and the deleted versions of an object, the lowest
// first. Info.Deleted tells when a version was deleted. Errors are those of
// Versions.
func (r *Registry) AllVersions(ctx context.Context, name string) iter.Seq2[Info, error] {
	return r.versions(ctx, name, true)
}

func (r *Registry) versions(ctx context.Context, name string, deleted bool) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for n, err := range r.ledger.EachVersion(ctx, name, deleted) {
			if err != nil {
				if !yield(Info{Name: n.Name, Version: n.Version}, wrap(ctx, OpVersions, name, err)) || !ledger.IsUnreadable(err) {
					return
				}
				continue
			}
			if !yield(r.info(n.Found), nil) {
				return
			}
		}
	}
}
