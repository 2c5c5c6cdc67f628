package material

import (
	"context"
	"fmt"
	"io/fs"
)

// Func returns a Materializer made of two functions, for values of type T.
// It loads into a *T.
func Func[T any](name string,
	save func(ctx context.Context, dst Sink, v T) error,
	load func(ctx context.Context, src fs.FS) (T, error),
) Materializer {
	return funcs[T]{name, save, load}
}

type funcs[T any] struct {
	name string
	save func(context.Context, Sink, T) error
	load func(context.Context, fs.FS) (T, error)
}

func (m funcs[T]) Name() string { return m.name }

func (m funcs[T]) Save(ctx context.Context, dst Sink, v any) error {
	t, ok := v.(T)
	if !ok {
		return wrongValue(m, v, fmt.Sprintf("%T", *new(T)))
	}
	return m.save(ctx, dst, t)
}

func (m funcs[T]) Load(ctx context.Context, src fs.FS, into any) error {
	switch into := into.(type) {
	case *T:
		v, err := m.load(ctx, src)
		if err == nil {
			*into = v
		}
		return err
	case *any:
		v, err := m.load(ctx, src)
		if err == nil {
			*into = v
		}
		return err
	}
	return wrongTarget(m, into, fmt.Sprintf("%T", new(T)))
}
