package material

import (
	"context"
	"io/fs"
	"reflect"
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
		return wrongValue(m, v, reflect.TypeFor[T]().String())
	}
	return m.save(ctx, dst, t)
}

func (m funcs[T]) Load(ctx context.Context, src fs.FS, into any) error {
	var set func(T)
	switch into := into.(type) {
	case *T:
		if into != nil {
			set = func(v T) { *into = v }
		}
	case *any:
		if into != nil {
			set = func(v T) { *into = v }
		}
	}
	if set == nil {
		return wrongTarget(m, into, "*"+reflect.TypeFor[T]().String())
	}
	v, err := m.load(ctx, src)
	if err != nil {
		return err
	}
	set(v)
	return nil
}
