package material

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// JSON has one kind of number, Go has integers and floating-point numbers. This
// file keeps them apart: a floating-point number is written with a point or an
// exponent. A number is loaded only into a variable that can hold it exactly.

// writeFloats writes floating-point numbers with a point or an exponent: 1.0.
var writeFloats = json.JoinMarshalers(
	json.MarshalToFunc(func(e *jsontext.Encoder, f float64) error { return writeFloat(e, f, 64) }),
	json.MarshalToFunc(func(e *jsontext.Encoder, f float32) error { return writeFloat(e, float64(f), 32) }),
)

// writeNamedFloats is writeFloats, also for types such as "type Celsius float64". It
// costs more, since it is called for every value.
var writeNamedFloats = json.JoinMarshalers(writeFloats, json.MarshalToFunc(func(e *jsontext.Encoder, v any) error {
	if rv := reflect.ValueOf(v).Elem(); isFloat(rv.Type()) {
		return writeFloat(e, rv.Float(), rv.Type().Bits())
	}
	return errors.ErrUnsupported
}))

// readNumbers fills an any with an int64, a uint64 or a float64, and refuses numbers
// that a floating-point variable cannot hold.
var readNumbers = json.JoinUnmarshalers(
	json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *float64) error { return readFloat(d, reflect.ValueOf(v).Elem()) }),
	json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *float32) error { return readFloat(d, reflect.ValueOf(v).Elem()) }),
	json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *any) error { return readAny(d, reflect.ValueOf(v).Elem()) }),
)

// readNamedNumbers is readNumbers, also for named types. It costs more.
var readNamedNumbers = json.JoinUnmarshalers(readNumbers, json.UnmarshalFromFunc(func(d *jsontext.Decoder, v any) error {
	rv := reflect.ValueOf(v).Elem()
	switch {
	case isFloat(rv.Type()):
		return readFloat(d, rv)
	case rv.Kind() == reflect.Interface && rv.NumMethod() == 0:
		return readAny(d, rv)
	}
	return errors.ErrUnsupported
}))

// isFloat reports whether t is a floating-point type that does not marshal itself.
func isFloat(t reflect.Type) bool {
	if t.Kind() != reflect.Float32 && t.Kind() != reflect.Float64 {
		return false
	}
	out, in := marshalBy(t)
	return out == "" && in == ""
}

// writeFloat writes what encoding/json writes, and .0 after a whole number.
func writeFloat(e *jsontext.Encoder, f float64, bits int) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return errors.ErrUnsupported // the encoder says which it is, and where
	}
	b := e.AvailableBuffer()
	quote := quoted(e.Options(), e.StackDepth, e.StackIndex)
	if quote {
		b = append(b, '"')
	}
	if b = appendFloat(b, f, bits); quote {
		b = append(b, '"')
	}
	return e.WriteValue(b)
}

func appendFloat(b []byte, f float64, bits int) []byte {
	start := len(b)
	a := math.Abs(f)
	large, small := a >= 1e21, a < 1e-6
	if bits == 32 {
		large, small = float32(a) >= 1e21, float32(a) < 1e-6
	}
	if a != 0 && (large || small) {
		b = strconv.AppendFloat(b, f, 'e', -1, bits)
		if n := len(b); n-start >= 4 && b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' {
			b[n-2] = b[n-1] // e-09 is e-9
			b = b[:n-1]
		}
		return b
	}
	if b = strconv.AppendFloat(b, f, 'f', -1, bits); bytes.IndexByte(b[start:], '.') < 0 {
		b = append(b, ".0"...)
	}
	return b
}

// quoted reports whether the next number is written as text: it is the key of
// a map, or its field's tag says so.
func quoted(opts json.Options, depth func() int, index func(int) (jsontext.Kind, int64)) bool {
	if text, _ := json.GetOption(opts, json.StringifyNumbers); text {
		return true
	}
	kind, n := index(depth())
	return kind == '{' && n%2 == 0
}

// readFloat reads a number into v, if v can hold it.
func readFloat(d *jsontext.Decoder, v reflect.Value) error {
	want := jsontext.Kind('0')
	if quoted(d.Options(), d.StackDepth, d.StackIndex) {
		want = '"'
	}
	if d.PeekKind() != want {
		return errors.ErrUnsupported // the decoder has the error for it
	}
	val, err := d.ReadValue()
	if err != nil {
		return err
	}
	text := []byte(val)
	if want == '"' {
		if text, err = jsontext.AppendUnquote(nil, val); err != nil {
			return err
		}
	}
	f, err := parseFloat(text, v.Type().Bits())
	if err != nil {
		return numberError(d, text, v.Type(), err)
	}
	v.SetFloat(f)
	return nil
}

// readAny reads a number into v, an interface.
func readAny(d *jsontext.Decoder, v reflect.Value) error {
	if d.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	text, err := d.ReadValue()
	if err != nil {
		return err
	}
	var number any
	switch {
	case !isInteger(text):
		number, err = parseFloat(text, 64)
	case text[0] == '-':
		number, err = strconv.ParseInt(string(text), 10, 64)
	default:
		if number, err = strconv.ParseInt(string(text), 10, 64); err != nil {
			number, err = strconv.ParseUint(string(text), 10, 64)
		}
	}
	if err != nil {
		return numberError(d, text, v.Type(), err)
	}
	v.Set(reflect.ValueOf(number))
	return nil
}

// isInteger reports whether a number is spelt as an integer.
func isInteger(number []byte) bool { return !bytes.ContainsAny(number, ".eE") }

var errInexact = errors.New("it would be rounded")

// parseFloat reads a number. It refuses an integer that would be rounded, and for
// a float32 every number that is not a float32 and not the text that one is written
// as. Other decimals are rounded to the nearest double, as their writer expects.
func parseFloat(number []byte, bits int) (float64, error) {
	s := string(number)
	f, err := strconv.ParseFloat(s, bits)
	if err != nil {
		return 0, err
	}
	if isInteger(number) {
		if exact := strconv.FormatFloat(f, 'f', 0, 64); exact != s && s != "-0" {
			return 0, errInexact
		}
		return f, nil
	}
	if bits == 32 {
		wide, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return 0, err
		}
		if shown, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'g', -1, 32), 64); wide != f && wide != shown {
			return 0, errInexact
		}
	}
	return f, nil
}

// numberError says which number does not fit which type, and what to do.
func numberError(d *jsontext.Decoder, number []byte, t reflect.Type, err error) error {
	if ne, ok := errors.AsType[*strconv.NumError](err); ok {
		err = ne.Err
	}
	way := "load the text of the file instead, as a string with WithMaterializer(material.Text{})"
	switch {
	case isInteger(number):
		way = "load it into a type that holds it, such as int64 or *big.Int"
	case t.Kind() == reflect.Float32:
		way = "load it into a float64"
	}
	return fmt.Errorf("%w: the number %.40s%s does not fit into a %s: %w; %s", ErrType, number, within(d.StackPointer()), t, err, way)
}

// within returns the place in a JSON document, for an error, or "" for the whole
// document.
func within(p jsontext.Pointer) string {
	if p == "" {
		return ""
	}
	const most = 200
	s := string(p)
	if len(s) > most {
		s = s[:most] + "..."
	}
	return fmt.Sprintf(" at %q", s)
}
