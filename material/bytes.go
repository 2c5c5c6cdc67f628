package material

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// Bytes saves a []byte, or the bytes of an io.Reader, as the file "data". It loads
// any object of one file into a *[]byte, a *string, an io.Writer, an *io.Reader or
// a **bytes.Buffer. A nil []byte comes back as an empty one that is not nil.
type Bytes struct{}

// Name implements Materializer.
func (Bytes) Name() string { return "bytes" }

// Save implements Materializer.
func (m Bytes) Save(_ context.Context, dst Sink, v any) error {
	switch v := v.(type) {
	case []byte:
		return create(dst, "data", func(w io.Writer) error {
			_, err := w.Write(v)
			return err
		})
	case io.Reader:
		return create(dst, "data", func(w io.Writer) error {
			_, err := io.Copy(w, v)
			return err
		})
	}
	return wrongValue(m, v, "[]byte and io.Reader")
}

// Load implements Materializer.
func (m Bytes) Load(_ context.Context, src fs.FS, into any) error { return loadBytes(m, src, into) }

// Text saves a string as the file "data.txt", and loads like Bytes.
type Text struct{}

// Name implements Materializer.
func (Text) Name() string { return "text" }

// Save implements Materializer.
func (m Text) Save(_ context.Context, dst Sink, v any) error {
	s, ok := v.(string)
	if !ok {
		return wrongValue(m, v, "string")
	}
	return create(dst, "data.txt", func(w io.Writer) error {
		_, err := io.Copy(w, strings.NewReader(s))
		return err
	})
}

// Load implements Materializer.
func (m Text) Load(_ context.Context, src fs.FS, into any) error { return loadBytes(m, src, into) }

// loadBytes loads an object of one file.
func loadBytes(m Materializer, src fs.FS, into any) error {
	switch into.(type) {
	case *[]byte, *string, *any, *io.Reader, **bytes.Buffer, io.Writer:
		if isNilPointer(into) {
			return wrongTarget(m, into, "")
		}
	default:
		return fmt.Errorf("%w; if the file is JSON, for example, pass WithMaterializer(material.JSON{})",
			wrongTarget(m, into, "*[]byte, *string, io.Writer, *io.Reader or a Path"))
	}
	f, err := openOnly(src)
	if err != nil {
		return err
	}
	defer f.Close()
	if w, ok := into.(io.Writer); ok {
		_, err := io.Copy(w, f)
		return err
	}
	b, err := ReadAll(f)
	if err != nil {
		return err
	}
	switch into := into.(type) {
	case *[]byte:
		*into = b
	case *string:
		*into = string(b)
	case *io.Reader:
		*into = bytes.NewReader(b)
	case **bytes.Buffer:
		*into = bytes.NewBuffer(b)
	case *any:
		if m.Name() == (Text{}).Name() {
			*into = string(b)
		} else {
			*into = b
		}
	}
	return nil
}
