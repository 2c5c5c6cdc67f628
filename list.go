package registry

import (
	"context"
	"iter"

	"github.com/mindtrace/registry/internal/ledger"
)

// Objects yields the names that start with prefix and have a live version, in
// the order of their keys. It reads one register or more for each name, some
// of them at the same time.
//
// A name of which a register cannot be read comes with an *UnreadableError: it
// is damaged, of a newer format, or there is no permission. The others follow.
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

// Latest is Objects with the description of each object's latest version.
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

// Versions yields the live versions of an object, the lowest first. One whose
// register cannot be read comes with an *UnreadableError, and so does a
// directory of them; the others follow. Any other error is the last.
func (r *Registry) Versions(ctx context.Context, name string) iter.Seq2[Info, error] {
	return r.versions(ctx, name, false)
}

// AllVersions is Versions with the deleted ones among them, as far as they
// are still known: Info.Deleted is set.
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
