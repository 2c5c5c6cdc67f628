package material

import (
	"context"
	"encoding"
	"encoding/gob"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"strings"
)

// Gob saves any value that encoding/gob takes as the file "data.gob". It is
// not chosen by itself, since only Go programs read it:
// registry.WithMaterializer(material.Gob{}).
type Gob struct{}

// Name implements Materializer.
func (Gob) Name() string { return "gob" }

// Save implements Materializer.
func (m Gob) Save(_ context.Context, dst Sink, v any) error {
	return create(dst, "data.gob", func(w io.Writer) error {
		if err := gob.NewEncoder(w).Encode(v); err != nil {
			if strings.HasPrefix(err.Error(), "gob: ") { // the encoder's own, not the writer's
				return fmt.Errorf("%w: %w", ErrType, err)
			}
			return err
		}
		return nil
	})
}

// Load implements Materializer.
func (m Gob) Load(_ context.Context, src fs.FS, into any) error {
	f, err := openOnly(src)
	if err != nil {
		return err
	}
	defer f.Close()
	if t := reflect.TypeOf(into); t == nil || t.Kind() != reflect.Pointer || reflect.ValueOf(into).IsNil() {
		return wrongTarget(m, into, "a pointer")
	}
	if err := gob.NewDecoder(f).Decode(into); err != nil {
		if strings.HasPrefix(err.Error(), "gob: ") {
			return fmt.Errorf("%w: %w", ErrType, err)
		}
		return err
	}
	_, err = io.Copy(io.Discard, f) // to the end, where the digest is verified
	return err
}

// Binary saves an encoding.BinaryMarshaler as the file "data.bin", and loads
// it with UnmarshalBinary.
type Binary struct{}

// Name implements Materializer.
func (Binary) Name() string { return "binary" }

func marshalsBinary(t reflect.Type) bool {
	t = deref(t)
	return has(t, binaryMarshaler) && has(t, binaryUnmarshaler)
}

// Save implements Materializer.
func (m Binary) Save(_ context.Context, dst Sink, v any) error {
	bm, ok := v.(encoding.BinaryMarshaler)
	if !ok && v != nil { // perhaps the method is the pointer's
		p := reflect.New(reflect.TypeOf(v))
		p.Elem().Set(reflect.ValueOf(v))
		bm, ok = p.Interface().(encoding.BinaryMarshaler)
	}
	if !ok {
		return wrongValue(m, v, "encoding.BinaryMarshaler")
	}
	b, err := bm.MarshalBinary()
	if err != nil {
		return err
	}
	return create(dst, "data.bin", func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// Load implements Materializer.
func (m Binary) Load(_ context.Context, src fs.FS, into any) error {
	target := reflect.ValueOf(into)
	for target.Kind() == reflect.Pointer && !target.IsNil() {
		if bu, ok := target.Interface().(encoding.BinaryUnmarshaler); ok {
			f, err := openOnly(src)
			if err != nil {
				return err
			}
			defer f.Close()
			b, err := readAll(f)
			if err != nil {
				return err
			}
			return bu.UnmarshalBinary(b)
		}
		target = target.Elem()
		if target.Kind() == reflect.Pointer && target.IsNil() { // a **T: make the T
			target.Set(reflect.New(target.Type().Elem()))
		}
	}
	return wrongTarget(m, into, "an encoding.BinaryUnmarshaler")
}
