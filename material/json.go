package material

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// JSON saves any value that encoding/json takes as the file "data.json", and
// loads any object of one JSON file. Encoding is that of encoding/json, with
// the silent losses made errors: text that is not UTF-8 on saving, and members
// that the target has no field for on loading.
type JSON struct {
	AllowUnknownFields bool // load into a struct that lacks fields of the file
}

// Name implements Materializer.
func (JSON) Name() string { return "json" }

// Save implements Materializer.
func (m JSON) Save(_ context.Context, dst Sink, v any) error {
	return create(dst, "data.json", func(w io.Writer) error {
		err := json.MarshalWrite(w, v, jsonv1.DefaultOptionsV1(), jsontext.AllowInvalidUTF8(false), json.Deterministic(true))
		if se := (*json.SemanticError)(nil); errors.As(err, &se) {
			return fmt.Errorf("%w: %w", ErrType, err)
		}
		return err
	})
}

// Load implements Materializer.
func (m JSON) Load(_ context.Context, src fs.FS, into any) error {
	if t := reflect.TypeOf(into); t == nil || t.Kind() != reflect.Pointer || reflect.ValueOf(into).IsNil() {
		return wrongTarget(m, into, "a pointer")
	}
	f, err := openOnly(src)
	if err != nil {
		return err
	}
	defer f.Close()
	err = json.UnmarshalRead(f, into, jsonv1.DefaultOptionsV1(), json.RejectUnknownMembers(!m.AllowUnknownFields))
	if se := (*json.SemanticError)(nil); errors.As(err, &se) {
		err = fmt.Errorf("%w: %w", ErrType, err)
		if errors.Is(err, json.ErrUnknownName) {
			err = fmt.Errorf("%w; to ignore such fields, pass WithMaterializer(material.JSON{AllowUnknownFields: true})", err)
		}
	}
	return err
}

var (
	jsonMarshaler     = reflect.TypeFor[jsonv1.Marshaler]()
	jsonMarshalerTo   = reflect.TypeFor[json.MarshalerTo]()
	jsonUnmarshaler   = reflect.TypeFor[jsonv1.Unmarshaler]()
	jsonUnmarshalFrom = reflect.TypeFor[json.UnmarshalerFrom]()
	textMarshaler     = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler   = reflect.TypeFor[encoding.TextUnmarshaler]()
	binaryMarshaler   = reflect.TypeFor[encoding.BinaryMarshaler]()
	binaryUnmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// has reports whether t or a pointer to it implements an interface.
func has(t reflect.Type, iface reflect.Type) bool {
	return t.Implements(iface) || reflect.PointerTo(t).Implements(iface)
}

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// marshalsJSON reports whether t says itself how it becomes JSON, and back.
func marshalsJSON(t reflect.Type) bool {
	t = deref(t)
	return (has(t, jsonMarshaler) || has(t, jsonMarshalerTo)) && (has(t, jsonUnmarshaler) || has(t, jsonUnmarshalFrom))
}

func marshalsText(t reflect.Type) bool { return has(t, textMarshaler) && has(t, textUnmarshaler) }

// jsonLoses tells what JSON would not give back of a value of type t, or "".
func jsonLoses(t reflect.Type) string { return loses(t, typeName(t), map[reflect.Type]bool{}) }

func loses(t reflect.Type, where string, seen map[reflect.Type]bool) string {
	if seen[t] || marshalsJSON(t) || marshalsText(t) {
		return ""
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128, reflect.Uintptr:
		return fmt.Sprintf("%s is a %s, which JSON cannot hold", where, t.Kind())
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Sprintf("%s is an interface (%s), which JSON cannot load again", where, t)
		}
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return loses(t.Elem(), where, seen)
	case reflect.Map:
		return loses(t.Elem(), where, seen)
	case reflect.Struct:
		for f := range fields(t) {
			if f.Tag.Get("json") == "-" {
				continue // on purpose
			}
			if !f.IsExported() && !f.Anonymous {
				return fmt.Sprintf("JSON would drop the unexported field %s.%s", where, f.Name)
			}
			if why := loses(f.Type, where+"."+f.Name, seen); why != "" {
				return why
			}
		}
	}
	return ""
}

func fields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}
