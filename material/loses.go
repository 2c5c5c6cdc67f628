package material

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

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
func has(t reflect.Type, ifaces ...reflect.Type) bool {
	for _, iface := range ifaces {
		if t.Implements(iface) || reflect.PointerTo(t).Implements(iface) {
			return true
		}
	}
	return false
}

// deref returns the type at the end of all pointers. It stops after 100, for a type
// that points to itself.
func deref(t reflect.Type) reflect.Type {
	for seen := 0; t.Kind() == reflect.Pointer && seen < 100; seen++ {
		t = t.Elem()
	}
	return t
}

// marshalsJSON reports whether t has methods to marshal and unmarshal JSON.
func marshalsJSON(t reflect.Type) bool {
	t = deref(t)
	return has(t, jsonMarshaler, jsonMarshalerTo) && has(t, jsonUnmarshaler, jsonUnmarshalFrom)
}

// marshalsBinary reports whether t has MarshalBinary and UnmarshalBinary.
func marshalsBinary(t reflect.Type) bool {
	t = deref(t)
	return has(t, binaryMarshaler) && has(t, binaryUnmarshaler)
}

// loss is something that a value would lose if it were saved as JSON.
type loss struct {
	why     string
	refused bool // the encoder notices, so that saving fails
}

// jsonLoses returns what v would lose if it were saved as JSON, or nil. It judges by
// types, and looks at values only where the types do not decide.
func jsonLoses(v any) *loss {
	t := reflect.TypeOf(v)
	f := &lossFinder{types: map[reflect.Type]bool{}, fields: map[reflect.Type][]reflect.StructField{}}
	f.inType(t, typeName(t))
	if f.byValue && (f.lost == nil || !f.lost.refused) {
		f.inValue(reflect.ValueOf(v), nil, 0)
	}
	return f.lost
}

// hasNamedNumbers reports whether values of type t contain a floating-point type or
// an empty interface that has a name.
func hasNamedNumbers(t reflect.Type) bool {
	if named, ok := namedNumbers.Load(t); ok {
		return named.(bool)
	}
	f := &lossFinder{types: map[reflect.Type]bool{}}
	f.inType(t, "")
	named := false
	for t, marshals := range f.types {
		named = named || !marshals && t.PkgPath() != "" && (isFloat(t) || t.Kind() == reflect.Interface && t.NumMethod() == 0)
	}
	namedNumbers.Store(t, named)
	return named
}

var namedNumbers sync.Map // of what hasNamedNumbers has found

type lossFinder struct {
	types   map[reflect.Type]bool // those looked at, and whether they marshal themselves
	byValue bool                  // whether something is lost depends on the values
	fields  map[reflect.Type][]reflect.StructField
	visited map[visit]bool // far down in the value
	lost    *loss
}

// losing notes the first loss, or the first one that the encoder refuses.
func (f *lossFinder) losing(refused bool, format string, args ...any) {
	if f.lost == nil || refused && !f.lost.refused {
		f.lost = &loss{fmt.Sprintf(format, args...), refused}
	}
}

func (f *lossFinder) inType(t reflect.Type, where string) {
	if _, seen := f.types[t]; seen {
		return
	}
	if t.Kind() == reflect.Array && t.Len() == 0 {
		return // holds nothing
	}
	f.types[t] = t.Kind() != reflect.Interface && t.Kind() != reflect.Pointer && f.inMethods(t, where)
	if f.types[t] {
		f.byValue = true
		return
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		f.losing(true, "%s is a %s, which JSON cannot hold", where, t.Kind())
	case reflect.Interface:
		f.byValue = true
		if t.NumMethod() > 0 {
			f.losing(false, "%s is an interface (%s), which JSON cannot load again", where, t)
		}
	case reflect.Pointer:
		if deref(t).Kind() == reflect.Pointer {
			f.losing(true, "%s is a pointer to pointers without end, which JSON cannot hold", where)
			return
		}
		switch t.Elem().Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			f.byValue = true
		}
		f.inType(t.Elem(), where)
	case reflect.Slice, reflect.Array:
		f.inType(t.Elem(), where)
	case reflect.Map:
		f.inKey(t.Key(), where)
		f.inType(t.Elem(), where)
	case reflect.Struct:
		f.inFields(t, where, map[string]string{}, map[reflect.Type]bool{t: true})
	}
}

// inMethods checks the methods with which t marshals and unmarshals itself. It
// reports whether t has them.
func (f *lossFinder) inMethods(t reflect.Type, where string) bool {
	out, in := marshalBy(t)
	switch {
	case out == "":
		return false // what has only UnmarshalJSON most likely takes the usual form
	case out != in:
		f.losing(false, "%s (%s) has a method Marshal%s, but no Unmarshal%[3]s to go with it", where, t, out)
		return true
	}
	find := jsonMethods
	if out == "Text" {
		find = textMethods
	}
	if why := inherited(t, where, find); why != "" {
		f.losing(false, "%s", why)
	}
	return true
}

// marshalBy returns which methods t has to marshal, and to unmarshal: JSON, Text or
// none.
func marshalBy(t reflect.Type) (out, in string) {
	kind := func(json, text bool) string {
		switch {
		case json:
			return "JSON"
		case text:
			return "Text"
		}
		return ""
	}
	return kind(has(t, jsonMarshaler, jsonMarshalerTo), has(t, textMarshaler)),
		kind(has(t, jsonUnmarshaler, jsonUnmarshalFrom), has(t, textUnmarshaler))
}

// inKey checks the type of the keys of a map.
func (f *lossFinder) inKey(t reflect.Type, where string) {
	switch t.Kind() {
	case reflect.Interface:
		f.losing(false, "%s has keys of an interface (%s), which JSON loads as strings", where, t)
		return
	case reflect.Pointer:
		f.losing(false, "%s has pointers as keys, which JSON cannot load again", where)
		t = deref(t)
	}
	if f.inMethods(t, where+" key") {
		f.types[t], f.byValue = true, true
		return
	}
	switch t.Kind() {
	case reflect.Bool, reflect.Struct, reflect.Array, reflect.Chan, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		f.losing(true, "%s has keys of type %s, which JSON cannot hold", where, t)
	case reflect.Float32, reflect.Float64:
		f.inType(t, where)
	}
}

// inFields checks the fields of a struct, and those of embedded structs, which JSON
// treats as fields of the outer one. names has the fields so far, by their names in
// JSON.
func (f *lossFinder) inFields(t reflect.Type, where string, names map[string]string, embedded map[reflect.Type]bool) {
	for sf := range fields(t) {
		at := where + "." + sf.Name
		tag := sf.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		f.byValue = f.byValue || strings.Contains(options, "omit") || sf.Anonymous && sf.Type.Kind() == reflect.Pointer
		ft := sf.Type
		if sf.Anonymous && ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		marshals, _ := marshalBy(ft)
		switch {
		case tag == "-": // left out on purpose
			continue
		case !sf.IsExported() && isPadding(sf):
			continue
		case !sf.IsExported() && (!sf.Anonymous || ft.Kind() != reflect.Struct || name != "" && marshals != ""):
			f.losing(false, "JSON would drop the unexported field %s", at)
			continue
		case !sf.IsExported() && ft != sf.Type:
			f.losing(false, "JSON cannot load the embedded pointer %s, whose type is not exported", at)
		}
		if sf.Anonymous && name == "" && ft.Kind() == reflect.Struct {
			if !embedded[ft] {
				embedded[ft] = true
				f.inFields(ft, at, names, embedded)
			} else if ft.NumField() > 0 {
				f.losing(false, "%s is embedded for the second time, which JSON drops", at)
			}
			continue
		}
		if name == "" {
			name = sf.Name
		}
		if other := names[name]; other != "" {
			f.losing(false, "%s and %s have the same name in JSON, %q, which drops one or both", other, at, name)
		}
		names[name] = at
		f.inType(sf.Type, at)
	}
}

// isPadding reports whether a field cannot hold anything.
func isPadding(sf reflect.StructField) bool { return sf.Name == "_" || sf.Type.Size() == 0 }

// isScalar reports whether t is a kind of boolean, number or string.
func isScalar(t reflect.Type) bool {
	return t.Kind() >= reflect.Bool && t.Kind() <= reflect.Float64 || t.Kind() == reflect.String
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
