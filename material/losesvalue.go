package material

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// This file finds what a value would lose as JSON where its type does not decide.

// step is where a value is in the one that is saved: the last step of a path.
type step struct {
	up   *step
	text func() string // ".Field", "[3]", `["key"]`
}

func (s *step) String() string {
	const most = 20
	var parts []string
	for ; s != nil; s = s.up {
		parts = append(parts, s.text())
	}
	slices.Reverse(parts)
	if len(parts) > most {
		parts = append(parts[:most], "...")
	}
	if path := strings.TrimPrefix(strings.Join(parts, ""), "."); path != "" {
		return path
	}
	return "it"
}

// visit is a pointer, map or slice that was checked.
type visit struct {
	p   uintptr
	len int
	t   reflect.Type
}

// cyclic is the depth from which values are remembered, to notice one that contains
// itself.
const cyclic = 1000

// inValue checks a value and everything in it.
func (f *lossFinder) inValue(v reflect.Value, at *step, depth int) {
	if !v.IsValid() || f.lost != nil && f.lost.refused {
		return
	}
	if f.types[v.Type()] {
		f.inSelf(v, at)
		return
	}
	if depth++; depth > cyclic && f.again(v) {
		return
	}
	switch v.Kind() {
	case reflect.Interface:
		if v = v.Elem(); v.IsValid() {
			f.inAny(v, at)
			f.inValue(v, at, depth)
		}
	case reflect.Pointer:
		switch e := v.Elem(); {
		case !e.IsValid():
		case f.types[e.Type()]:
			if f.inSelf(e, at) == "null" {
				f.losing(false, "%s is a pointer to a %s that writes itself as null, which JSON loads as a nil pointer", at, e.Type())
			}
		case isNil(e):
			f.losing(false, "%s is a pointer to a nil %s, which JSON loads as a nil pointer", at, e.Type())
		default:
			f.inValue(e, at, depth)
		}
	case reflect.Map:
		key, elem := f.types[v.Type().Key()], f.looks(v.Type().Elem())
		for it := v.MapRange(); (key || elem) && it.Next(); {
			at := &step{at, func() string { return fmt.Sprintf("[%#v]", it.Key()) }}
			if key {
				f.inSelf(it.Key(), at)
			}
			f.inValue(it.Value(), at, depth)
		}
	case reflect.Slice, reflect.Array:
		for i := 0; f.looks(v.Type().Elem()) && i < v.Len(); i++ {
			f.inValue(v.Index(i), &step{at, func() string { return fmt.Sprintf("[%d]", i) }}, depth)
		}
	case reflect.Struct:
		for _, sf := range f.fieldsOf(v.Type()) {
			f.inField(v.FieldByIndex(sf.Index), sf, &step{at, func() string { return "." + sf.Name }}, depth)
		}
	}
}

// looks reports whether values of type t are checked.
func (f *lossFinder) looks(t reflect.Type) bool {
	if !f.types[t] && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		t = t.Elem() // once: a type may be a slice of itself
	}
	return f.types[t] || !isScalar(t)
}

// fieldsOf returns the fields of a struct that are checked. It remembers them, for
// slices of many structs.
func (f *lossFinder) fieldsOf(t reflect.Type) []reflect.StructField {
	all, known := f.fields[t]
	if !known {
		for sf := range fields(t) {
			tag := sf.Tag.Get("json")
			if tag != "-" && (sf.IsExported() || sf.Anonymous) && (f.looks(sf.Type) || strings.Contains(tag, ",omit")) {
				all = append(all, sf)
			}
		}
		f.fields[t] = all
	}
	return all
}

// again reports whether v is a pointer, map or slice that was checked before.
func (f *lossFinder) again(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		at := visit{p: v.Pointer(), t: v.Type()}
		if v.Kind() == reflect.Slice {
			at.len = v.Len()
		}
		if f.visited[at] {
			return true
		}
		if f.visited == nil {
			f.visited = map[visit]bool{}
		}
		f.visited[at] = true
	}
	return false
}

// anyTypes are the types that a value in an any may have: those in which it comes
// back, and the integers, which come back as an int64 or uint64.
var anyTypes = map[reflect.Type]bool{
	reflect.TypeFor[bool](): true, reflect.TypeFor[string](): true, reflect.TypeFor[float64](): true,
	reflect.TypeFor[[]any](): true, reflect.TypeFor[map[string]any](): true,
	reflect.TypeFor[int](): true, reflect.TypeFor[int8](): true, reflect.TypeFor[int16](): true, reflect.TypeFor[int32](): true, reflect.TypeFor[int64](): true,
	reflect.TypeFor[uint](): true, reflect.TypeFor[uint8](): true, reflect.TypeFor[uint16](): true, reflect.TypeFor[uint32](): true, reflect.TypeFor[uint64](): true,
	reflect.TypeFor[uintptr](): true,
}

// inAny checks the value in a variable of an interface type.
func (f *lossFinder) inAny(v reflect.Value, at *step) {
	switch t := v.Type(); {
	case !anyTypes[t]:
		f.inType(t, at.String()+": "+typeName(t))
		f.losing(false, "%s is a %s in an any, of which JSON loads only bool, string, int64, uint64, float64, []any and map[string]any; "+
			"convert it to one of these, or give it a variable of type %[2]s", at, t)
	case isNil(v):
		f.losing(false, "%s is a nil %s in an any, which JSON loads as nil; make it nil, or an empty %[2]s", at, t)
	}
}

// inField checks a field of a struct. It also finds a value that the field's tag
// leaves out, though it is not the value that the field then gets in a load.
func (f *lossFinder) inField(v reflect.Value, sf reflect.StructField, at *step, depth int) {
	name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
	empty, zero := omits(v, options)
	switch {
	case empty && !isNil(v):
		f.losing(false, "%s is empty, and its tag omitempty has JSON load it as nil; make it nil, or use the tag omitzero", at)
	case zero && !v.IsZero() && !equalByMethod(v, reflect.Zero(v.Type())):
		f.losing(false, "%s says that it is zero, and its tag omitzero has JSON leave it out, but it is not the zero %s", at, v.Type())
	case empty || zero:
	case sf.Anonymous && name == "" && v.Kind() == reflect.Pointer && !v.IsNil() && !f.types[v.Type().Elem()] && v.Elem().Kind() == reflect.Struct && !writes(v.Elem()):
		f.losing(false, "%s is embedded, and all its fields are left out, so that JSON loads it as nil; make it nil", at)
	default:
		f.inValue(v, at, depth)
	}
}

// omits reports whether omitempty leaves out the slice or map, or omitzero the
// value.
func omits(v reflect.Value, options string) (empty, zero bool) {
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			empty = (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0
		case "omitzero":
			zero = isZero(v)
		}
	}
	return empty, zero
}

// isZero reports whether v is zero, by its method IsZero if it has one.
func isZero(v reflect.Value) bool {
	type zeroer interface{ IsZero() bool }
	if v.IsZero() || !v.CanInterface() {
		return v.IsZero()
	}
	if z, ok := v.Interface().(zeroer); ok {
		return z.IsZero()
	}
	if z, ok := copyOf(v).Interface().(zeroer); ok {
		return z.IsZero()
	}
	return false
}

// writes reports whether JSON has a member for at least one field of
// a struct.
func writes(v reflect.Value) bool {
	for sf := range fields(v.Type()) {
		name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		fv := v.FieldByIndex(sf.Index)
		if name == "-" && options == "" || !sf.IsExported() && !sf.Anonymous {
			continue
		}
		if sf.Anonymous && name == "" && deref(sf.Type).Kind() == reflect.Struct {
			if fv.Kind() == reflect.Pointer {
				fv = fv.Elem()
			}
			if fv.IsValid() && writes(fv) {
				return true
			}
			continue
		}
		empty, zero := omits(fv, options)
		if strings.Contains(","+options+",", ",omitempty,") {
			empty = empty || fv.Kind() != reflect.Struct && fv.Kind() != reflect.Array && fv.IsZero()
		}
		if !empty && !zero {
			return true
		}
	}
	return false
}

// inSelf checks a value that marshals itself: that what it writes can be read, and
// is the same value then. It returns what the value writes, if it has looked.
func (f *lossFinder) inSelf(v reflect.Value, at *step) (says string) {
	if !v.CanInterface() || v.Kind() == reflect.Pointer && v.IsNil() {
		return ""
	}
	if t, ok := v.Interface().(time.Time); ok { // there are many of these
		if _, offset := t.Zone(); offset%60 != 0 {
			f.losing(false, "%s is a time %d s from UTC, and JSON has whole minutes: use its method UTC", at, offset)
		}
		return ""
	}
	defer func() {
		if p := recover(); p != nil { // a method for a pointer that is nil, for example
			f.losing(false, "%s is a %s, whose methods panic when it is written or read: %v", at, v.Type(), p)
		}
	}()
	opts := optionsFor(v.Type())
	b, err := json.Marshal(copyOf(v).Interface(), opts)
	if err != nil {
		return "" // and the save will fail
	}
	again := reflect.New(v.Type())
	if err := json.Unmarshal(b, again.Interface(), opts); err != nil {
		f.losing(false, "%s is a %s that writes itself as %.80s, and cannot read that: %v", at, v.Type(), b, err)
	} else if reflect.DeepEqual(v.Interface(), again.Elem().Interface()) || equalByMethod(v, again.Elem()) {
		return string(b)
	}
	if c, err := json.Marshal(again.Interface(), opts); err != nil || string(c) != string(b) || unequalByMethod(v, again) {
		f.losing(false, "%s is a %s that writes itself as %.80s, and reads that as another value, %.80s", at, v.Type(), b, c)
	}
	return string(b)
}

// equalByMethod compares two values by the method Equal of their type, if there is
// one.
func equalByMethod(a, b reflect.Value) bool {
	m, ok := a.Type().MethodByName("Equal")
	if !ok || !a.CanInterface() || m.Type.NumIn() != 2 || m.Type.In(1) != a.Type() || m.Type.NumOut() != 1 || m.Type.Out(0).Kind() != reflect.Bool {
		return false
	}
	return m.Func.Call([]reflect.Value{a, b})[0].Bool()
}

// unequalByMethod reports whether a value differs from what p points to, by the
// method Cmp of pointers to its type, if there is one. What they write does not
// decide: a big.Float of 53 bits writes 0.1, and reads that with 64 bits, as another
// number that writes 0.1 again.
func unequalByMethod(v, p reflect.Value) bool {
	m, ok := p.Type().MethodByName("Cmp")
	if !ok || m.Type.NumIn() != 2 || m.Type.In(1) != p.Type() || m.Type.NumOut() != 1 || m.Type.Out(0).Kind() != reflect.Int {
		return false
	}
	return m.Func.Call([]reflect.Value{copyOf(v), p})[0].Int() != 0
}

// copyOf returns a pointer to a copy of v.
func copyOf(v reflect.Value) reflect.Value {
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p
}

// isNil reports whether v is a nil pointer, map, slice or interface.
func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		return v.IsNil()
	}
	return false
}
