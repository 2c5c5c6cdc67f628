package material

import (
	"bytes"
	"context"
	"encoding"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"strings"
)

// Gob saves any value that encoding/gob takes as the file "data.gob". Only Go
// programs can read that, so it is never chosen by itself: use
// registry.WithMaterializer(material.Gob{}). It silently loses what encoding/gob
// does: unexported fields, channels and functions; and in structs, a pointer to
// zero and a slice or map of length 0 come back nil. The bytes of a map are
// different in each save, so saves of equal maps do not share what is stored.
type Gob struct{}

// Name implements Materializer.
func (Gob) Name() string { return "gob" }

// Save implements Materializer.
func (m Gob) Save(_ context.Context, dst Sink, v any) error {
	if isNilPointer(v) { // on which Encode panics
		return fmt.Errorf("%w: materializer %q cannot save a nil %T", ErrType, m.Name(), v)
	}
	w := &lazyWriter{dst: dst, name: "data.gob"}
	if err := gob.NewEncoder(w).Encode(v); err != nil {
		if w.err != nil {
			return w.err
		}
		return fmt.Errorf("%w: %w", ErrType, err)
	}
	return w.Close()
}

// Load implements Materializer.
func (m Gob) Load(_ context.Context, src fs.FS, into any) error {
	return loadFresh(m, src, into, func(r *errReader, into any) error {
		err := gob.NewDecoder(r).Decode(into)
		if err != nil && strings.HasPrefix(err.Error(), "gob: ") {
			return fmt.Errorf("%w: %w", ErrType, err)
		}
		return err
	})
}

// Binary saves an encoding.BinaryMarshaler as the file "data.bin", and loads it with
// UnmarshalBinary. Up to 8 MiB, it first reads back what the value writes. It
// refuses a value that cannot be read back, or that then writes other bytes.
type Binary struct{}

// Name implements Materializer.
func (Binary) Name() string { return "binary" }

// Save implements Materializer.
func (m Binary) Save(_ context.Context, dst Sink, v any) error {
	bm, ok := asBinaryMarshaler(reflect.ValueOf(v))
	if !ok {
		return wrongValue(m, v, "a non-nil encoding.BinaryMarshaler")
	}
	b, err := bm.MarshalBinary()
	if err != nil {
		return err
	}
	if len(b) <= maxReadBack {
		if err := readsBack(bm, b); err != nil {
			return fmt.Errorf("%w: %T: %w", ErrType, v, err)
		}
	}
	return create(dst, "data.bin", func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

const maxReadBack = 8 << 20

// readsBack returns why b, which v has written, does not become v again, or nil. It
// accepts a type without UnmarshalBinary: other programs may read the file.
func readsBack(v encoding.BinaryMarshaler, b []byte) error {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	again := reflect.New(t)
	into, ok := again.Interface().(encoding.BinaryUnmarshaler)
	if !ok {
		return nil
	}
	if err := into.UnmarshalBinary(bytes.Clone(b)); err != nil {
		return fmt.Errorf("it writes %d bytes with MarshalBinary, and cannot read them: %w", len(b), err)
	}
	out, ok := asBinaryMarshaler(again)
	if !ok {
		return nil
	}
	if c, err := out.MarshalBinary(); err != nil {
		return fmt.Errorf("what UnmarshalBinary makes of it cannot be written: %w", err)
	} else if !bytes.Equal(b, c) {
		return errors.New("what UnmarshalBinary makes of it is another value: it writes other bytes")
	}
	return nil
}

// asBinaryMarshaler returns v, what v points to, or a pointer to v: the first of
// them that has the method.
func asBinaryMarshaler(v reflect.Value) (encoding.BinaryMarshaler, bool) {
	for ; v.IsValid() && (v.Kind() != reflect.Pointer || !v.IsNil()); v = v.Elem() {
		if bm, ok := v.Interface().(encoding.BinaryMarshaler); ok {
			return bm, true
		}
		if v.Kind() != reflect.Pointer {
			p := reflect.New(v.Type())
			p.Elem().Set(v)
			bm, ok := p.Interface().(encoding.BinaryMarshaler)
			return bm, ok
		}
	}
	return nil, false
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
			b, err := ReadAll(f)
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
