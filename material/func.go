package material

import (
	"context"
	"fmt"
	"io/fs"
	"reflect"
)

// Func returns a Materializer of two functions, for values of type T. It loads into
// a *T. If T is an interface, it also loads into a variable of a type that
// implements T, if load returns a value of that type.
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

// takes returns T.
func (m funcs[T]) takes() reflect.Type { return reflect.TypeFor[T]() }

func (m funcs[T]) Load(ctx context.Context, src fs.FS, into any) error {
	t, target := m.takes(), reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return wrongTarget(m, into, "*"+t.String())
	}
	target = target.Elem()
	sure := t.AssignableTo(target.Type()) && (target.Type() == t || target.Kind() == reflect.Interface)
	if !sure && !(t.Kind() == reflect.Interface && target.Type().Implements(t)) {
		return wrongTarget(m, into, "*"+t.String())
	}
	v, err := m.load(ctx, src)
	if err != nil {
		return err
	}
	loaded := reflect.ValueOf(&v).Elem()
	if !sure {
		if loaded = loaded.Elem(); !loaded.IsValid() || loaded.Type() != target.Type() {
			return fmt.Errorf("%w: materializer %q has loaded a %T, not a %s; load into a *%s", ErrType, m.Name(), v, target.Type(), t)
		}
	}
	target.Set(loaded)
	return nil
}

// checkTakes returns why m, if it is a Func, cannot be the materializer of values of
// type t, or nil. A Func for an interface could save a t, and then load a value of
// another type.
func checkTakes(m Materializer, t reflect.Type) error {
	f, ok := m.(interface{ takes() reflect.Type })
	if !ok || t == nil || f.takes() == t || f.takes().Kind() == reflect.Interface && f.takes().NumMethod() == 0 {
		return nil
	}
	if f.takes().Kind() == reflect.Interface && t.Implements(f.takes()) {
		return fmt.Errorf("%w: materializer %q loads a %s, which may be another than a %s; make one with Func[%[4]s], or name this one "+
			"in the call (WithMaterializer) and load into a *%[3]s", ErrType, m.Name(), f.takes(), t)
	}
	return fmt.Errorf("%w: materializer %q is for values of type %s, not %s", ErrType, m.Name(), f.takes(), t)
}
