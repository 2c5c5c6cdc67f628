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

// JSON saves any value that encoding/json takes as the file "data.json", and
// loads any object of one JSON file. Encoding is that of encoding/json, with
// the silent losses made errors: text that is not UTF-8, and keys that come
// twice; and on loading members that the target has no field for, and arrays of
// another length than its own. Methods such as MarshalJSON are called even
// where encoding/json would not, on values that have no address.
type JSON struct {
	AllowUnknownFields bool // load into a struct that lacks fields of the file
}

// jsonOptions are those of encoding/json but for its silent losses.
var jsonOptions = json.JoinOptions(
	jsonv1.DefaultOptionsV1(),
	jsonv1.CallMethodsWithLegacySemantics(false), // or else a big.Int becomes {}
	jsonv1.UnmarshalArrayFromAnyLength(false),
	jsontext.AllowInvalidUTF8(false),
	jsontext.AllowDuplicateNames(false),
)

// Name implements Materializer.
func (JSON) Name() string { return "json" }

// Save implements Materializer.
func (m JSON) Save(_ context.Context, dst Sink, v any) error {
	w := &lazyWriter{dst: dst, name: "data.json"}
	if err := json.MarshalWrite(w, v, jsonOptions); err != nil {
		if w.err != nil {
			return w.err // not hidden by a MarshalJSONTo that it went through
		}
		_, badType := errors.AsType[*jsonv1.UnsupportedTypeError](err)
		_, badValue := errors.AsType[*jsonv1.UnsupportedValueError](err)
		if badType || badValue {
			return fmt.Errorf("%w: %w", ErrType, err)
		}
		return err
	}
	return w.Close()
}

// Load implements Materializer.
func (m JSON) Load(_ context.Context, src fs.FS, into any) error {
	return loadFresh(m, src, into, func(r io.Reader, into any) error {
		err := json.UnmarshalRead(r, into, jsonOptions, json.RejectUnknownMembers(!m.AllowUnknownFields))
		if _, ok := errors.AsType[*jsonv1.UnmarshalTypeError](err); ok {
			return fmt.Errorf("%w: %w", ErrType, err)
		}
		if err != nil && strings.HasPrefix(err.Error(), "json: unknown field ") { // which has no type, as in encoding/json
			return fmt.Errorf("%w: %w; to ignore such fields, pass WithMaterializer(material.JSON{AllowUnknownFields: true})", ErrType, err)
		}
		return err
	})
}

// loadFresh decodes the one file in src into a new value, and if that works
// makes it the one that into points to. Decoders would leave there what the
// file does not mention: of two versions loaded one after the other into the
// same variable a mixture, with all of the map keys of both.
func loadFresh(m Materializer, src fs.FS, into any, decode func(io.Reader, any) error) error {
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
