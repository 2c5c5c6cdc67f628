package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/mindtrace/registry/internal/manifest"
)

// ahead is how many registers a listing reads ahead.
const ahead = 16

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
		if err := validPrefix(prefix); err != nil {
			yield(Info{}, wrap(ctx, "list objects", prefix, err))
			return
		}
		names := func(yield func(object, error) bool) { r.objects(ctx, prefix, yield) }
		latest := func(ctx context.Context, o object) (*found, error) {
			again := r.all
			if o.partial {
				again = r.top
			}
			if o.err != nil {
				return nil, o.err
			}
			f, _, err := r.resolveAmong(ctx, Ref{Name: o.name}, o.versions, !o.partial, again)
			if errors.Is(err, ErrNotFound) {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			brief := *f.Manifest
			brief.Content.Files, brief.Placement = nil, manifest.Placement{}
			return &found{&brief, f.info}, nil
		}
		for res := range parallel(ctx, names, latest) {
			if res.err != nil {
				err := wrap(ctx, "list objects", prefix, res.err)
				if !yield(Info{Name: res.in.name}, err) || !unreadable(err) {
					return
				}
			}
			if res.out != nil && !yield(r.info(res.out), nil) {
				return
			}
		}
	}
}

// validPrefix refuses what no name can start with.
func validPrefix(prefix string) error {
	if prefix == "" || manifest.ValidName(prefix+"0") == nil {
		return nil
	}
	return manifest.ValidName(prefix) // which may be as long as names get
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
		fail := func(err error) { yield(Info{}, wrap(ctx, "list versions", name, err)) }
		if err := manifest.ValidName(name); err != nil {
			fail(err)
			return
		}
		any, none := false, true
		numbers := func(yield func(Version, error) bool) {
			for v, err := range r.eachNumber(ctx, name) {
				none = false
				if !yield(v, err) {
					return
				}
			}
		}
		read := func(ctx context.Context, v Version) (*found, error) { return r.outline(ctx, name, v) }
		for res := range parallel(ctx, numbers, read) {
			if res.err != nil {
				err := wrap(ctx, "list versions", name, res.err)
				if !yield(Info{Name: name, Version: res.in}, err) || !unreadable(err) {
					return
				}
				any = true
				continue
			}
			if res.out.State != manifest.Live && !deleted {
				continue
			}
			any = true
			if !yield(r.info(res.out), nil) {
				return
			}
		}
		if !any {
			err := fmt.Errorf("all its versions were %w", ErrDeleted)
			if none {
				err = errNoName
			}
			fail(err)
		}
	}
}

// result is what parallel made of one input.
type result[I, O any] struct {
	in  I
	out O
	err error
}

// parallel applies do to each input, several at the same time, and yields the
// results in the order of the inputs.
// After the error of an input that is not of one part alone, and when the
// context ends before the inputs do, the last result is that error.
func parallel[I, O any](ctx context.Context, inputs iter.Seq2[I, error], do func(context.Context, I) (O, error)) iter.Seq[result[I, O]] {
	return func(yield func(result[I, O]) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var cut error // what ended it early; read once queue is closed
		queue := make(chan chan result[I, O], ahead)
		go func() {
			defer close(queue)
			for in, err := range inputs {
				ch := make(chan result[I, O], 1)
				select {
				case queue <- ch:
				case <-ctx.Done():
					cut = ctx.Err()
					return
				}
				if err != nil {
					ch <- result[I, O]{in: in, err: err}
					if !unreadable(err) {
						return
					}
					continue
				}
				go func() {
					out, err := do(ctx, in)
					ch <- result[I, O]{in, out, err}
				}()
			}
		}()
		for ch := range queue {
			if !yield(<-ch) {
				return
			}
		}
		if cut != nil {
			yield(result[I, O]{err: cut})
		}
	}
}
