package material

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// JSON saves any value that encoding/json takes as the file "data.json", and loads
// any object of one JSON file. It encodes as encoding/json does, but where that
// loses something silently, JSON returns an error: for text that is not UTF-8 and
// for duplicate keys; in a load also for members without a field in the target, for
// arrays of another length than the target's, and for numbers that the target would
// round. It also calls methods such as MarshalJSON on values without an address,
// which encoding/json does not.
//
// Floating-point numbers are written with a point or an exponent (1.0), integers
// without. So a target of type any gets an int64 for an integer, or a uint64 if it
// is larger, and a float64 for every other number. It gets a bool, a string, nil,
// a []any or a map[string]any for other values.
//
// As in encoding/json, null leaves a field zero if the field cannot be nil, and
// names of fields match in any case.
type JSON struct {
	// AllowUnknownFields loads a file with members for which the target has no
	// field. They are ignored.
	AllowUnknownFields bool
}

// jsonOptions are those of encoding/json, without its silent losses.
var jsonOptions = json.JoinOptions(
	jsonv1.DefaultOptionsV1(),
	jsonv1.CallMethodsWithLegacySemantics(false), // with it, a big.Int becomes {}
	jsonv1.UnmarshalArrayFromAnyLength(false),
	jsontext.AllowInvalidUTF8(false),
	jsontext.AllowDuplicateNames(false),
)

// optionsFor returns the options for values of type t.
func optionsFor(t reflect.Type) json.Options {
	if t != nil && hasNamedNumbers(t) {
		return json.JoinOptions(jsonOptions, json.WithMarshalers(writeNamedFloats), json.WithUnmarshalers(readNamedNumbers))
	}
	return json.JoinOptions(jsonOptions, json.WithMarshalers(writeFloats), json.WithUnmarshalers(readNumbers))
}

// Name implements Materializer.
func (JSON) Name() string { return "json" }

// Save implements Materializer.
func (m JSON) Save(_ context.Context, dst Sink, v any) error {
	w := &lazyWriter{dst: dst, name: "data.json"}
	opts := optionsFor(reflect.TypeOf(v))
	if err := json.MarshalWrite(w, v, opts); err != nil {
		if w.err != nil {
			return w.err // not hidden by a MarshalJSONTo that it went through
		}
		return saveError(v, opts, err)
	}
	return w.Close()
}

// saveError says where in v the encoder failed, and what to do about it.
func saveError(v any, opts json.Options, err error) error {
	_, badType := errors.AsType[*jsonv1.UnsupportedTypeError](err)
	_, badValue := errors.AsType[*jsonv1.UnsupportedValueError](err)
	isType := badType || badValue
	// The errors of encoding/json do not say where. Those of its successor do.
	again := json.MarshalWrite(io.Discard, v, opts, jsonv1.ReportErrorsWithLegacySemantics(false))
	var at jsontext.Pointer
	if e, ok := errors.AsType[*json.SemanticError](again); ok {
		at = e.JSONPointer
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](again); ok {
		at = e.JSONPointer
	}
	way := ""
	switch text := err.Error(); {
	case strings.HasSuffix(text, "NaN"), strings.HasSuffix(text, "Inf"):
		way = "; JSON has no such number: leave it out, or pass WithMaterializer(material.Gob{})"
	case strings.Contains(text, "invalid UTF-8"):
		way = "; text has to be UTF-8: make it a []byte"
	case strings.Contains(text, "exceeded max depth"), strings.Contains(text, "cycle"):
		way = "; a value may be nested 10,000 deep, and not contain itself"
	}
	if isType {
		return fmt.Errorf("%w: %w%s%s", ErrType, err, within(at), way)
	}
	return fmt.Errorf("%w%s%s", err, within(at), way)
}

// Load implements Materializer.
func (m JSON) Load(_ context.Context, src fs.FS, into any) error {
	if t := reflect.TypeOf(into); t != nil && t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Interface && t.Elem().NumMethod() > 0 {
		return wrongTarget(m, into, "a pointer to a variable of the type that was saved (Info.Class names it)")
	}
	return loadFresh(m, src, into, func(r *errReader, into any) error {
		t := reflect.TypeOf(into).Elem()
		err := json.UnmarshalRead(r, into, optionsFor(t), json.RejectUnknownMembers(!m.AllowUnknownFields))
		switch _, badType := errors.AsType[*jsonv1.UnmarshalTypeError](err); {
		case badType:
			return fmt.Errorf("%w: %w", ErrType, err)
		case err == nil && r.first == 'n' && !holdsNil(t):
			return fmt.Errorf("%w: a nil was saved, which a %s cannot hold; load it into a *%[2]s", ErrType, t)
		case err != nil && r.first == bom[0]:
			return fmt.Errorf("%w; the file begins with a byte order mark (BOM), which JSON does not have: save it without", err)
		case err != nil && strings.HasPrefix(err.Error(), "json: unknown field "): // which has no type, as in encoding/json
			return fmt.Errorf("%w: %w; to ignore such fields, pass WithMaterializer(material.JSON{AllowUnknownFields: true})", ErrType, err)
		}
		return err
	})
}

// bom is a byte order mark in UTF-8.
const bom = "\ufeff"

// holdsNil reports whether null is a value of t.
func holdsNil(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		return true
	}
	_, in := marshalBy(t)
	return in != ""
}

// loadFresh decodes the one file in src into a new value, and if that works
// makes it the one that into points to. Decoders would leave there what the
// file does not mention: of two versions loaded one after the other into the
// same variable a mixture, with all of the map keys of both.
func loadFresh(m Materializer, src fs.FS, into any, decode func(*errReader, any) error) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return wrongTarget(m, into, "a pointer")
	}
	f, err := openOnly(src)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := fits(f); err != nil {
		return err
	}
	r := &errReader{r: f}
	fresh := reflect.New(target.Type().Elem())
	if err := decode(r, fresh.Interface()); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, r); err != nil { // the decoder may have stopped early
		return err
	}
	target.Elem().Set(fresh.Elem())
	return nil
}
