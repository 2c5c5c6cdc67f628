package ledger

import (
	"context"
	"iter"

	"github.com/mindtrace/registry/internal/manifest"
)

// Ahead is how many registers a listing reads ahead.
const Ahead = 16

// validPrefix refuses what no name can start with.
func validPrefix(prefix string) error {
	if prefix == "" || manifest.ValidName(prefix+"0") == nil {
		return nil
	}
	return manifest.ValidName(prefix) // which may be as long as names get
}

// result is what parallel made of one input.
type Result[I, O any] struct {
	In  I
	Out O
	Err error
}

// Parallel applies do to each input, several at the same time, and yields the
// results in the order of the inputs.
// After the error of an input that is not of one part alone, and when the
// context ends before the inputs do, the last result is that error.
func Parallel[I, O any](ctx context.Context, inputs iter.Seq2[I, error], do func(context.Context, I) (O, error)) iter.Seq[Result[I, O]] {
	return func(yield func(Result[I, O]) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var cut error // what ended it early; read once queue is closed
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
