package materialtest

import (
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

// anyValue makes values of the one that was given, each with something in it
// that is often lost. They may be refused, but not become others.
func anyValue(t *trial) error {
	if t.opts.Target != nil || t.opts.Diff != nil {
		return nil // nothing is known about what values mean
	}
	var errs []error
	for v := range variants(reflect.ValueOf(t.value), 0) {
		other := *t
		other.value = v.Interface()
		s := new(Sink)
		if err := t.saveTo(t.ctx, s, other.value); err != nil {
			if strings.HasPrefix(err.Error(), "panic: ") {
				errs = append(errs, fmt.Errorf("to save %#v: %w", other.value, err))
			}
			continue
		}
		target := t.target()
		err := t.load(s.FS(), target)
		if err == nil {
			err = other.diff(target)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("a save takes %#v: %w", other.value, err))
		}
		if len(errs) == 5 {
			break
		}
	}
	return errors.Join(errs...)
}

// variants yields copies of v with one thing replaced: a number by the largest
// of its type, text by some that is not UTF-8, what is in an any by what few
// formats have. It looks at exported fields, and the first element of a slice
// or map.
func variants(v reflect.Value, depth int) iter.Seq[reflect.Value] {
	return func(yield func(reflect.Value) bool) {
		const deepest = 8
		if !v.IsValid() || depth > deepest || writesItself(v.Type()) {
			return // of a value that writes itself, not any is one
		}
		for _, x := range extremes(v.Type()) {
			if !yield(x) {
				return
			}
		}
		within := func(part reflect.Value, put func(whole, part reflect.Value)) bool {
			for x := range variants(part, depth+1) {
				whole := reflect.New(v.Type()).Elem()
				whole.Set(v)
				put(whole, x)
				if !yield(whole) {
					return false
				}
			}
			return true
		}
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				within(v.Elem(), func(whole, part reflect.Value) {
					whole.Set(reflect.New(v.Type().Elem()))
					whole.Elem().Set(part)
				})
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() && !within(v.Field(i), func(whole, part reflect.Value) { whole.Field(i).Set(part) }) {
					return
				}
			}
		case reflect.Slice:
			if v.Len() > 0 {
				within(v.Index(0), func(whole, part reflect.Value) {
					whole.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v))
					whole.Index(0).Set(part)
				})
			}
		case reflect.Array:
			if v.Len() > 0 {
				within(v.Index(0), func(whole, part reflect.Value) { whole.Index(0).Set(part) })
			}
		case reflect.Map:
			keys := v.MapKeys()
			if len(keys) == 0 {
				return
			}
			first := slices.MinFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			within(v.MapIndex(first), func(whole, part reflect.Value) {
				whole.Set(reflect.MakeMap(v.Type()))
				for _, k := range keys {
					whole.SetMapIndex(k, v.MapIndex(k))
				}
				whole.SetMapIndex(first, part)
			})
		}
	}
}

// writesItself reports whether t says itself how it becomes bytes or text.
func writesItself(t reflect.Type) bool {
	for _, m := range []reflect.Type{reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[json.Marshaler]()} {
		if t.Implements(m) || reflect.PointerTo(t).Implements(m) {
			return true
		}
	}
	return false
}

// extremes returns values of type t that are often lost.
func extremes(t reflect.Type) (all []reflect.Value) {
	set := func(put func(reflect.Value)) {
		v := reflect.New(t).Elem()
		put(v)
		all = append(all, v)
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		most := int64(math.MaxInt64) >> (64 - t.Bits())
		set(func(v reflect.Value) { v.SetInt(most) })
		set(func(v reflect.Value) { v.SetInt(-most - 1) })
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		set(func(v reflect.Value) { v.SetUint(math.MaxUint64 >> (64 - t.Bits())) })
	case reflect.Float32:
		set(func(v reflect.Value) { v.SetFloat(math.MaxFloat32) })
		set(func(v reflect.Value) { v.SetFloat(math.Inf(1)) })
	case reflect.Float64:
		set(func(v reflect.Value) { v.SetFloat(math.Nextafter(1, 2)) })
		set(func(v reflect.Value) { v.SetFloat(math.Inf(-1)) })
	case reflect.String:
		set(func(v reflect.Value) { v.SetString("\xff is not UTF-8") })
		set(func(v reflect.Value) { v.SetString("\x00\r\n\u2028") })
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return nil
		}
		for _, x := range []any{int64(1<<53 + 1), uint64(math.MaxUint64), 2.0, []byte{0xff}, time.Unix(0, 1).UTC(), []any{}, map[string]any{"a": nil}} {
			set(func(v reflect.Value) { v.Set(reflect.ValueOf(x)) })
		}
	}
	return all
}
