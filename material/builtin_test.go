package material_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/material/materialtest"
)

// sample has fields of every kind that JSON and gob give back.
type sample struct {
	Name   string
	Count  int64
	Ratio  float64
	On     bool
	Tags   []string
	Limits map[string]int
	Inner  struct{ X, Y int8 }
	Next   *sample
	When   time.Time
	Took   time.Duration
	Raw    []byte
	Hash   [4]byte
}

func samples() []*sample {
	when := time.Date(2024, 2, 29, 12, 30, 0, 123456789, time.UTC)
	full := &sample{
		Name: "naïve <b>&\u2028 \"\\\n\x00 日本", Count: math.MaxInt64, Ratio: 0.1, On: true,
		Tags: []string{"", "a"}, Limits: map[string]int{"z": 1, "a": -1, "": 0},
		When: when, Took: time.Hour, Raw: []byte{0, 0xff}, Hash: [4]byte{1, 2, 3, 255},
	}
	full.Inner.X = math.MinInt8
	full.Next = &sample{Count: math.MinInt64, Ratio: math.SmallestNonzeroFloat64, When: when}
	return []*sample{full, {When: when}, {When: when, Tags: []string{}, Limits: map[string]int{}, Raw: []byte{}}}
}

// textValues are strings and bytes that a careless reader or writer garbles.
func textValues() []string {
	return []string{"", "a", "line\r\nline\n", "\x00\xff\xfe not UTF-8", strings.Repeat("0123456789", 10_000)}
}

func TestBytesKeepsPromises(t *testing.T) {
	var values [][]byte
	for _, s := range textValues() {
		values = append(values, []byte(s))
	}
	materialtest.Run(t, material.Bytes{}, values, nil)
}

func TestTextKeepsPromises(t *testing.T) {
	materialtest.Run(t, material.Text{}, textValues(), nil)
}

func TestJSONKeepsPromises(t *testing.T) {
	materialtest.Run(t, material.JSON{}, samples(), nil)
	materialtest.Run(t, material.JSON{AllowUnknownFields: true}, samples(), nil)
}

func TestJSONKeepsPromisesForAnyShape(t *testing.T) {
	materialtest.Run(t, material.JSON{}, []any{
		0, -1, int64(math.MaxInt64), uint64(math.MaxUint64), 0.1, math.MaxFloat64, float32(0.1), true, "text",
		[]int{}, []int{1, 2}, map[string]int{}, map[int]string{-1: "a", 10: "b", 9: "c"},
		map[string]any{"a": 1.5, "b": []any{"x", nil, true}, "c": map[string]any{}},
		*big.NewInt(0).Lsh(big.NewInt(1), 200), big.NewInt(-5), map[string]big.Int{"a": *big.NewInt(7)},
		netip.MustParseAddr("::1"), map[netip.Addr]int{netip.MustParseAddr("10.0.0.1"): 1},
		time.Date(2024, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600)),
		strings.Repeat("long ", 20_000), // more than the encoder buffers
	}, nil)
}

func TestGobKeepsPromises(t *testing.T) {
	// Of a map the order is another each time. Gob has no empty slices.
	opts := &materialtest.Options{Nondeterministic: true, Compare: []cmp.Option{cmpopts.EquateEmpty()}}
	materialtest.Run(t, material.Gob{}, samples(), opts)
	materialtest.Run(t, material.Gob{}, []any{1, "text", []float64{1, math.Inf(-1)}, [2]bool{true}, complex(1, 2)}, nil)
}

func TestBinaryKeepsPromises(t *testing.T) {
	u, err := url.Parse("https://user:pw@example.com/a%20b?q=1#f")
	if err != nil {
		t.Fatal(err)
	}
	when := time.Date(2024, 1, 2, 3, 4, 5, 6, time.UTC)
	materialtest.Run(t, material.Binary{}, []any{u, *u, &u, when, &when, netip.MustParseAddr("::1")}, nil)
}

func TestFuncKeepsPromises(t *testing.T) {
	m := material.Func("celsius",
		func(ctx context.Context, dst material.Sink, c celsius) error {
			return material.JSON{}.Save(ctx, dst, float64(c))
		},
		func(ctx context.Context, src fs.FS) (celsius, error) {
			var f float64
			err := material.JSON{}.Load(ctx, src, &f)
			return celsius(f), err
		})
	materialtest.Run(t, m, []celsius{0, -273.15}, nil)
}

type celsius float64

func TestFileKeepsPromises(t *testing.T) {
	dir := t.TempDir()
	var values []material.Path
	for name, contents := range map[string]string{
		"plain.txt": "contents", "empty": "", "a b\nc\\d-é": strings.Repeat("x", 100_000),
	} {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(contents), 0o644); err != nil {
			t.Fatal(err)
		}
		values = append(values, material.Path(p))
	}
	materialtest.Run(t, material.File{}, values, &materialtest.Options{
		Target: func() any { return new([]byte) },
		Diff: func(saved, target any) string {
			want, err := os.ReadFile(string(saved.(material.Path)))
			if err != nil {
				return err.Error()
			}
			return cmp.Diff(want, *target.(*[]byte), cmpopts.EquateEmpty())
		},
	})
}

func TestDirKeepsPromises(t *testing.T) {
	tree := fstest.MapFS{
		"a.txt":         {Data: []byte("a"), Mode: 0o644},
		"bin/run":       {Data: []byte("#!"), Mode: 0o755},
		"bin/alias":     {Data: []byte("run"), Mode: fs.ModeSymlink | 0o777},
		"deep/er/empty": {Mode: fs.ModeDir | 0o755},
		"nothing":       {Mode: 0o644},
	}
	onDisk := filepath.Join(t.TempDir(), "tree")
	if err := os.CopyFS(onDisk, tree); err != nil {
		t.Fatal(err)
	}
	opts := &materialtest.Options{
		Target: func() any { return new(fs.FS) },
		Diff: func(saved, target any) string {
			src, ok := saved.(fs.FS)
			if !ok {
				src = os.DirFS(string(saved.(material.Path)))
			}
			return diffTrees(src, *target.(*fs.FS))
		},
	}
	materialtest.Run(t, material.Dir{}, []any{tree, material.Path(onDisk), fstest.MapFS{}}, opts)
}

// diffTrees compares two trees entry by entry, as far as objects keep them.
func diffTrees(want, got fs.FS) string {
	a, err := describe(want)
	b, gotErr := describe(got)
	if err := errors.Join(err, gotErr); err != nil {
		return err.Error()
	}
	return cmp.Diff(a, b)
}

// describe returns a line for each entry of a tree.
func describe(fsys fs.FS) (map[string]string, error) {
	all := map[string]string{}
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			all[p] = "directory"
		case d.Type()&fs.ModeSymlink != 0:
			target, err := fs.ReadLink(fsys, p)
			all[p] = "link to " + target
			return err
		default:
			fi, err := d.Info()
			if err != nil {
				return err
			}
			b, err := fs.ReadFile(fsys, p)
			all[p] = "file: " + string(b)
			if fi.Mode()&0o100 != 0 {
				all[p] = "executable " + all[p]
			}
			return err
		}
		return nil
	})
	return all, err
}

// saved saves v and returns the object.
func saved(t *testing.T, m material.Materializer, v any) fs.FS {
	t.Helper()
	var s materialtest.Sink
	if err := m.Save(t.Context(), &s, v); err != nil {
		t.Fatalf("Save(%T): %v", v, err)
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return s.FS()
}

// oneFile returns an object of one file.
func oneFile(name, contents string) fs.FS {
	return fstest.MapFS{name: {Data: []byte(contents)}}
}

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
