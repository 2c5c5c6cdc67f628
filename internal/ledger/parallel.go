package ledger

import (
	"context"
	"iter"

	"github.com/mindtrace/registry/internal/manifest"
)

// Ahead is how many inputs Parallel works on ahead of the one that it yields.
const Ahead = 16

// validPrefix returns an error if no name of an object can start with prefix.
func validPrefix(prefix string) error {
	if prefix == "" || manifest.ValidName(prefix+"0") == nil {
		return nil
	}
	return manifest.ValidName(prefix) // prefix itself may be a name of maximal length
}

// Result is what Parallel made of one input: Out, or Err.
type Result[I, O any] struct {
	In  I
	Out O
	Err error
}

// Parallel applies do to each input, up to Ahead at the same time, and yields the
// results in the order of the inputs. An error of do is in the Result of its
// input, and the next results follow. An error of inputs is in a Result, too; if
// it is not an *UnreadableError, that Result is the last. If ctx ends before the
// inputs do, the last Result has its error and no In.
func Parallel[I, O any](ctx context.Context, inputs iter.Seq2[I, error], do func(context.Context, I) (O, error)) iter.Seq[Result[I, O]] {
	return func(yield func(Result[I, O]) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var cut error // of ctx, if it ended the inputs early; read after queue is closed
		queue := make(chan chan Result[I, O], Ahead)
		go func() {
			defer close(queue)
			for in, err := range inputs {
				ch := make(chan Result[I, O], 1)
				select {
				case queue <- ch:
				case <-ctx.Done():
					cut = ctx.Err()
					return
				}
				if err != nil {
					ch <- Result[I, O]{In: in, Err: err}
					if !IsUnreadable(err) {
						return
					}
					continue
				}
				go func() {
					out, err := do(ctx, in)
					ch <- Result[I, O]{in, out, err}
				}()
			}
		}()
		for ch := range queue {
			if !yield(<-ch) {
				return
			}
		}
		if cut != nil {
			yield(Result[I, O]{Err: cut})
		}
	}
}
