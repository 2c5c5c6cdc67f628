package material_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/material/materialtest"
)

func TestBytesTakesReaders(t *testing.T) {
	for what, r := range map[string]io.Reader{
		"buffer":    bytes.NewBufferString("contents"),
		"no more":   io.MultiReader(strings.NewReader("con"), strings.NewReader("tents")),
		"WriterTo":  strings.NewReader("contents"),
		"with pipe": io.TeeReader(strings.NewReader("contents"), io.Discard),
	} {
		b, err := fs.ReadFile(saved(t, material.Bytes{}, r), "data")
		if err != nil || string(b) != "contents" {
			t.Errorf("%s: %q, %v", what, b, err)
		}
	}
	broken := io.MultiReader(strings.NewReader("half"), errReader{})
	if err := (material.Bytes{}).Save(t.Context(), new(materialtest.Sink), broken); !errors.Is(err, errBroken) {
		t.Errorf("Save of a reader that fails = %v", err)
	}
}

var errBroken = errors.New("broken")

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errBroken }

// An object of one file can be had in every way that one can think of,
// whatever it was saved as.
func TestLoadOfOneFile(t *testing.T) {
	src := oneFile("weights.bin", "contents")
	for _, m := range []material.Materializer{material.Bytes{}, material.Text{}, material.File{}, material.Dir{}} {
		var b []byte
		var s string
		var w, w2 bytes.Buffer
		for _, into := range []any{&b, &s, &w, io.MultiWriter(&w2)} {
			if err := m.Load(t.Context(), src, into); err != nil {
				t.Errorf("%T into %T: %v", m, into, err)
			}
		}
		for what, got := range map[string]string{"*[]byte": string(b), "*string": s, "*bytes.Buffer": w.String(), "io.Writer": w2.String()} {
			if got != "contents" {
				t.Errorf("%T into %s: %q", m, what, got)
			}
		}
		// io.Discard is a zero value, but no nil pointer.
		if err := m.Load(t.Context(), src, io.Discard); err != nil {
			t.Errorf("%T into io.Discard: %v", m, err)
		}
	}
}

func TestLoadIntoAny(t *testing.T) {
	one := oneFile("data", `"x"`)
	for _, test := range []struct {
		m    material.Materializer
		want any
	}{
		{material.Bytes{}, []byte(`"x"`)},
		{material.File{}, []byte(`"x"`)},
		{material.Text{}, `"x"`},
		{material.JSON{}, "x"},
		{material.Dir{}, one},
	} {
		var got any
		if err := test.m.Load(t.Context(), one, &got); err != nil {
			t.Errorf("%T: %v", test.m, err)
		} else if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%T (-want +got):\n%s", test.m, diff)
		}
	}
	f := material.Func("f", nil, func(context.Context, fs.FS) (celsius, error) { return 5, nil })
	var got any
	if err := f.Load(t.Context(), one, &got); err != nil || got != celsius(5) {
		t.Errorf("Func: %v, %v", got, err)
	}
}

func TestWrongTargetSaysWhatIsPossible(t *testing.T) {
	one, tree := oneFile("data", "1"), fstest.MapFS{"a": {}, "b": {}}
	f := material.Func("temp", nil, func(context.Context, fs.FS) (celsius, error) { return 0, nil })
	type M = material.Materializer
	for _, test := range []struct {
		m    M
		src  fs.FS
		into any
		says []string
	}{
		{material.Bytes{}, one, new(int), []string{`"bytes"`, "*[]byte", "*string", "io.Writer", "Path", "not into *int", "WithMaterializer(material.JSON{})"}},
		{material.Text{}, one, new(celsius), []string{`"text"`, "*[]byte", "*material_test.celsius"}},
		{material.File{}, one, "by value", []string{`"file"`, "not into string"}},
		{material.Bytes{}, one, nil, []string{"not into <nil>"}},
		{material.Bytes{}, one, (*[]byte)(nil), []string{"nil *[]uint8"}},
		{material.Text{}, one, (*string)(nil), []string{"nil *string"}},
		{material.File{}, one, (*any)(nil), []string{"nil *interface {}"}},
		{material.Bytes{}, tree, new([]byte), []string{"a tree of files, not one file"}},
		{material.JSON{}, tree, new(int), []string{"a tree of files, not one file"}},
		{material.JSON{}, one, 5, []string{`"json"`, "a pointer", "not into int"}},
		{material.JSON{}, one, (*int)(nil), []string{"nil *int"}},
		{material.JSON{}, one, nil, []string{"not into <nil>"}},
		{material.JSON{}, one, new(string), []string{"number", "string"}},
		{material.Gob{}, one, 5, []string{`"gob"`, "a pointer"}},
		{material.Gob{}, one, (*int)(nil), []string{"nil *int"}},
		{material.Gob{}, saved(t, material.Gob{}, 5), new(string), []string{"gob", "string"}},
		{material.Binary{}, one, new(int), []string{`"binary"`, "BinaryUnmarshaler", "not into *int"}},
		{material.Binary{}, one, (*time.Time)(nil), []string{"nil *time.Time"}},
		{material.Dir{}, tree, new([]byte), []string{`"dir"`, "*fs.FS", "Path", "not into *[]uint8"}},
		{material.Dir{}, tree, new(any), nil},
		{material.Dir{}, one, (*fs.FS)(nil), []string{"nil *fs.FS"}},
		{material.Dir{}, one, (*any)(nil), []string{"nil *interface {}"}},
		{f, one, new(float64), []string{`"temp"`, "*material_test.celsius", "not into *float64"}},
		{f, one, (*celsius)(nil), []string{"nil *material_test.celsius"}},
		{f, one, (*any)(nil), []string{"nil *interface {}"}},
	} {
		err := test.m.Load(t.Context(), test.src, test.into)
		if test.says == nil {
			if err != nil {
				t.Errorf("%s into %T: %v", test.m.Name(), test.into, err)
			}
			continue
		}
		if !errors.Is(err, material.ErrType) {
			t.Errorf("%s into %T: %v, which is not ErrType", test.m.Name(), test.into, err)
			continue
		}
		for _, s := range test.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s into %T does not say %q: %v", test.m.Name(), test.into, s, err)
			}
		}
	}
}

func TestWrongValueSaysWhatIsPossible(t *testing.T) {
	f := material.Func("temp", func(context.Context, material.Sink, io.Reader) error { return nil }, nil)
	for _, test := range []struct {
		m    material.Materializer
		v    any
		says []string
	}{
		{material.Bytes{}, "text", []string{`"bytes"`, "[]byte", "io.Reader", "not string"}},
		{material.Text{}, []byte("x"), []string{`"text"`, "string", "not []uint8"}},
		{material.Binary{}, 5, []string{`"binary"`, "encoding.BinaryMarshaler", "not int"}},
		{material.Binary{}, nil, []string{"not <nil>"}},
		{material.Binary{}, (*time.Time)(nil), []string{"non-nil", "*time.Time"}},
		{material.Gob{}, (*int)(nil), []string{"nil *int"}},
		{material.Gob{}, nil, []string{"gob"}},
		{material.File{}, "text", []string{"material.Path", "not string"}},
		{material.File{}, material.Path(t.TempDir()), []string{"is a directory"}},
		{material.Dir{}, "text", []string{"material.Path", "fs.FS"}},
		{f, "text", []string{`"temp"`, "io.Reader", "not string"}},
		{f, nil, []string{"io.Reader", "not <nil>"}},
	} {
		err := test.m.Save(t.Context(), new(materialtest.Sink), test.v)
		if !errors.Is(err, material.ErrType) {
			t.Errorf("%s of %T: %v, which is not ErrType", test.m.Name(), test.v, err)
			continue
		}
		for _, s := range test.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s of %T does not say %q: %v", test.m.Name(), test.v, s, err)
			}
		}
	}
}

// Files whose size is not what Stat says, as of a file system that is being
// written to, are not cut off at it.
func TestFileOfAnotherSize(t *testing.T) {
	for _, test := range []struct {
		contents string
		size     int64
		short    bool
	}{{"12345", 4, false}, {"12345", 0, false}, {"12345", 6, true}, {"", 5, true}} {
		for _, eofWithData := range []bool{false, true} {
			src := sizedFS{oneFile("data", test.contents), test.size, eofWithData}
			var b []byte
			err := (material.Bytes{}).Load(t.Context(), src, &b)
			if err == nil || errors.Is(err, io.ErrUnexpectedEOF) != test.short {
				t.Errorf("%q as a file of %d bytes: loaded %q, error %v", test.contents, test.size, b, err)
			}
		}
	}
}

// sizedFS lies about the size of its files.
type sizedFS struct {
	fs.FS
	size        int64
	eofWithData bool
}

func (s sizedFS) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	if fi, serr := f.Stat(); serr == nil && !fi.IsDir() {
		return &sizedFile{File: f, fsys: s, left: fi.Size()}, err
	}
	return f, err
}

type sizedFile struct {
	fs.File
	fsys sizedFS
	left int64
}

func (f *sizedFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	if f.left -= int64(n); f.left == 0 && f.fsys.eofWithData {
		err = io.EOF
	}
	return n, err
}

func (f *sizedFile) Stat() (fs.FileInfo, error) {
	fi, err := f.File.Stat()
	return sizedInfo{fi, f.fsys.size}, err
}

type sizedInfo struct {
	fs.FileInfo
	size int64
}

func (i sizedInfo) Size() int64 { return i.size }

func TestOnlyFile(t *testing.T) {
	for what, test := range map[string]struct {
		src  fstest.MapFS
		want string
	}{
		"one":           {fstest.MapFS{"a": {}}, "a"},
		"one deep down": {fstest.MapFS{"a/b/c": {}}, "a/b/c"},
		"none":          {fstest.MapFS{}, ""},
		"a directory":   {fstest.MapFS{"a": {Mode: fs.ModeDir}}, ""},
		"two":           {fstest.MapFS{"a": {}, "b/c": {}}, ""},
	} {
		got, err := material.OnlyFile(test.src)
		if got != test.want || (err == nil) != (test.want != "") || err != nil && !errors.Is(err, material.ErrType) {
			t.Errorf("%s: %q, %v; want %q", what, got, err, test.want)
		}
	}
}
