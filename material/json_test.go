package material_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/material/materialtest"
)

// loadJSON loads the text as a T.
func loadJSON[T any](t *testing.T, m material.JSON, text string) (T, error) {
	t.Helper()
	var v T
	return v, m.Load(t.Context(), oneFile("any-name", text), &v)
}

// List is embedded without a tag, which encoding/json takes for its name.
type List []string

func TestJSONWritesWhatEncodingJSONWrites(t *testing.T) {
	// A slip that is common, and that encoding/json takes too.
	slip := reflect.StructOf([]reflect.StructField{{Name: "B", Type: reflect.TypeFor[int](), Tag: `json:"b, omitempty"`}})
	for _, v := range []any{
		samples()[0], map[string]int{"z": 1, "a": 2, "é": 3}, "<b>&\u2028", []byte{1, 2}, [2]byte{1, 2}, time.Second,
		math.MaxInt64, 1e21, 1e-7, float32(0.1), struct {
			A int `json:",string"`
			List
			*exported
		}{1, List{"a"}, &exported{2}}, reflect.Zero(slip).Interface(), json.RawMessage(`{"a": [1.0, 2]}`), nil, map[int]bool{2: true, 10: false},
	} {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := fs.ReadFile(saved(t, material.JSON{}, v), "data.json")
		if err != nil || string(got) != string(want) {
			t.Errorf("%T: %s, %v; want %s", v, got, err, want)
		}
	}
}

// With encoding/json, methods of pointers are not called on values, and what
// is saved is {}.
func TestJSONCallsMethodsOfPointers(t *testing.T) {
	n := *big.NewInt(5)
	for what, v := range map[string]any{
		"value": n, "pointer": &n, "in a map": map[string]big.Int{"n": n}, "in any": []any{n}, "in a struct": struct{ N big.Int }{n},
	} {
		got, err := fs.ReadFile(saved(t, material.JSON{}, v), "data.json")
		if err != nil || !strings.Contains(string(got), "5") {
			t.Errorf("%s: %s, %v", what, got, err)
		}
	}
}

func TestJSONSaveRefuses(t *testing.T) {
	type loop struct{ Next *loop }
	endless := &loop{}
	endless.Next = endless
	for what, test := range map[string]struct {
		v       any
		errType bool
		says    string
	}{
		"text not UTF-8":         {map[string]any{"notes": []string{"ok", "a\xff"}}, false, "invalid UTF-8"},
		"key not UTF-8":          {map[string]int{"a\xff": 1}, false, "invalid UTF-8"},
		"NaN":                    {[]float64{1, math.NaN()}, true, "NaN"},
		"infinity":               {math.Inf(1), true, "+Inf"},
		"two keys with one text": {map[any]int{"1": 1, 1: 2}, false, "duplicate"},
		"a cycle":                {endless, true, "cycle"},
		"channel":                {struct{ C chan int }{}, true, "chan int"},
		"key of a bool":          {map[bool]int{true: 1}, true, "object member name must be a string"},
	} {
		s := new(materialtest.Sink)
		err := material.JSON{}.Save(t.Context(), s, test.v)
		if err == nil || errors.Is(err, material.ErrType) != test.errType || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v; want an error with %q that is ErrType: %t", what, err, test.says, test.errType)
		}
		if _, err := fs.Stat(s.FS(), "data.json"); err == nil {
			t.Errorf("%s: a stream was created", what)
		}
	}
}

func TestJSONLoadRefuses(t *testing.T) {
	type point struct{ X, Y int }
	const hint = "WithMaterializer(material.JSON{AllowUnknownFields: true})"
	load := func(text string) error { _, err := loadJSON[point](t, material.JSON{}, text); return err }
	for what, test := range map[string]struct {
		text    string
		errType bool
		says    string
	}{
		"unknown field":         {`{"X":1,"Z":2}`, true, `"Z"`},
		"unknown field, hint":   {`{"X":1,"Z":2}`, true, hint},
		"other type":            {`{"X":"1"}`, true, "string"},
		"number with a part":    {`{"X":1.5}`, true, "1.5"},
		"number too large":      {`{"X":1e30}`, true, "1e30"},
		"array":                 {`[1,2]`, true, "array"},
		"trailing garbage":      {`{"X":1} x`, false, "after top-level value"},
		"two values":            {`{"X":1}{"X":2}`, false, "after top-level value"},
		"cut off":               {`{"X":1`, false, "unexpected end"},
		"empty":                 {``, false, "unexpected end"},
		"field twice":           {`{"X":1,"X":2}`, false, "duplicate"},
		"field twice, by case":  {`{"X":1,"x":2}`, false, "duplicate"},
		"not JSON":              {`X: 1`, false, "invalid character"},
		"zero bytes":            {"\x00\x00", false, "invalid character"},
		"byte order mark":       {"\ufeff{}", false, "invalid character"},
		"text that is no UTF-8": {"{\"X\":\"\xff\"}", false, "invalid UTF-8"},
	} {
		err := load(test.text)
		if err == nil || errors.Is(err, material.ErrType) != test.errType || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v; want an error with %q that is ErrType: %t", what, err, test.says, test.errType)
		}
	}
	if err := load(" {\"X\":1}\r\n\t "); err != nil {
		t.Errorf("white space around: %v", err)
	}
	for _, text := range []string{"[1]", "[1,2,3]"} {
		if v, err := loadJSON[[2]int](t, material.JSON{}, text); !errors.Is(err, material.ErrType) {
			t.Errorf("%s as a [2]int is %v, error %v", text, v, err)
		}
	}
	if v, err := loadJSON[map[string]int](t, material.JSON{}, `{"a":1,"a":2}`); err == nil {
		t.Errorf("a map that has a key twice is %v", v)
	}
}

func TestJSONAllowsUnknownFieldsIfTold(t *testing.T) {
	got, err := loadJSON[struct{ X int }](t, material.JSON{AllowUnknownFields: true}, `{"X":1,"Z":{"deep":[1]}}`)
	if err != nil || got.X != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := loadJSON[struct{ X int }](t, material.JSON{AllowUnknownFields: true}, `{"X":"1"}`); !errors.Is(err, material.ErrType) {
		t.Errorf("other type: %v", err)
	}
}

func TestJSONKeepsNilAndEmptyApart(t *testing.T) {
	type holder struct {
		S []int
		M map[string]int
		P *int
		A any
		B []byte
	}
	for _, v := range []holder{{}, {S: []int{}, M: map[string]int{}, P: new(int), A: []any{}, B: []byte{}}} {
		var got holder
		if err := (material.JSON{}).Load(t.Context(), saved(t, material.JSON{}, v), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(v, got); diff != "" {
			t.Errorf("(-saved +loaded):\n%s", diff)
		}
	}
	nilSlice, nilMap := []int{1}, map[string]int{"a": 1}
	if err := (material.JSON{}).Load(t.Context(), saved(t, material.JSON{}, []int(nil)), &nilSlice); err != nil || nilSlice != nil {
		t.Errorf("nil slice: %#v, %v", nilSlice, err)
	}
	if err := (material.JSON{}).Load(t.Context(), saved(t, material.JSON{}, map[string]int(nil)), &nilMap); err != nil || nilMap != nil {
		t.Errorf("nil map: %#v, %v", nilMap, err)
	}
}

// Decoders merge what they read with what is there already. Of two versions
// loaded into one variable that would make a third.
func TestLoadLeavesNothingOfAnEarlierVersion(t *testing.T) {
	type config struct {
		Name   string `json:",omitempty"`
		Limits map[string]int
		Layers []struct {
			Size int `json:",omitempty"`
			Bias bool
		}
		Any any
	}
	for _, m := range []material.Materializer{material.JSON{}, material.Gob{}} {
		first := config{Name: "first", Limits: map[string]int{"a": 1}}
		first.Layers = append(first.Layers, struct {
			Size int `json:",omitempty"`
			Bias bool
		}{5, true})
		second := config{Limits: map[string]int{"b": 2}}
		second.Layers = append(second.Layers, struct {
			Size int `json:",omitempty"`
			Bias bool
		}{0, true})
		var got config
		for _, v := range []config{first, second} {
			if err := m.Load(t.Context(), saved(t, m, v), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v, got); diff != "" {
				t.Errorf("%s (-saved +loaded):\n%s", m.Name(), diff)
			}
		}
		// And a load that fails changes nothing.
		if err := m.Load(t.Context(), oneFile("data", `{"Name":"third","Limits":{"c":3},`), &got); err == nil {
			t.Errorf("%s loads half a file", m.Name())
		}
		if diff := cmp.Diff(second, got); diff != "" {
			t.Errorf("%s, after a load that failed (-before +after):\n%s", m.Name(), diff)
		}
	}
}

// brokenSink fails after some bytes.
type brokenSink struct{}

func (brokenSink) Create(string) (io.WriteCloser, error) { return &brokenStream{5000}, nil }

type brokenStream struct{ left int }

func (w *brokenStream) Close() error { return nil }
func (w *brokenStream) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

// closedSink counts how often it refuses.
type closedSink int

func (s *closedSink) Create(string) (io.WriteCloser, error) {
	*s++
	return nil, errBroken
}

// hider is a list of that many numbers. Its methods hide why they fail.
type hider int

func (h hider) MarshalJSONTo(e *jsontext.Encoder) error {
	err := e.WriteToken(jsontext.BeginArray)
	for range int(h) {
		err = errors.Join(err, e.WriteToken(jsontext.Int(1)))
	}
	if err = errors.Join(err, e.WriteToken(jsontext.EndArray)); err != nil {
		return errors.New("something went wrong")
	}
	return nil
}

func (h *hider) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if err := d.SkipValue(); err != nil {
		return errors.New("something went wrong")
	}
	return nil
}

// Errors of the sink and of files are found by errors.Is, whatever the
// encoder, or the methods of a value, made of them.
func TestErrorsOfStreamsAreNotHidden(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for _, test := range []struct {
		m material.Materializer
		v any
	}{{material.JSON{}, long}, {material.JSON{}, hider(100_000)}, {material.JSON{}, []any{hider(100_000)}}, {material.Gob{}, long}} {
		err := test.m.Save(t.Context(), brokenSink{}, test.v)
		if !errors.Is(err, errBroken) || errors.Is(err, material.ErrType) {
			t.Errorf("%s: Save(%T) = %v", test.m.Name(), test.v, err)
		}
	}
	closed := new(closedSink)
	if err := (material.JSON{}).Save(t.Context(), closed, hider(100_000)); !errors.Is(err, errBroken) || *closed != 1 {
		t.Errorf("Save into a sink that takes no stream = %v, after %d tries", err, *closed)
	}
	var h hider
	for _, test := range []struct {
		m    material.Materializer
		into any
	}{{material.JSON{}, new([]int)}, {material.JSON{}, &h}, {material.JSON{}, &[]hider{}}, {material.Gob{}, new([]int)}} {
		err := test.m.Load(t.Context(), brokenFS{oneFile("data", "[[1,"), false}, test.into)
		if !errors.Is(err, errBroken) || errors.Is(err, material.ErrType) {
			t.Errorf("%s: Load(%T) = %v", test.m.Name(), test.into, err)
		}
	}
}

// brokenFS has files that fail at their end, once: either with the last bytes,
// or after them.
type brokenFS struct {
	fs.FS
	withData bool
}

func (b brokenFS) Open(name string) (fs.File, error) {
	f, err := b.FS.Open(name)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil || fi.IsDir() {
		return f, err
	}
	return &brokenFile{File: f, withData: b.withData, left: fi.Size()}, nil
}

type brokenFile struct {
	fs.File
	withData, failed bool
	left             int64
}

func (f *brokenFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	f.left -= int64(n)
	if !f.failed && f.left == 0 && (n == 0 || f.withData) {
		f.failed = true
		return n, errBroken
	}
	return n, err
}

// A decoder that has all it needs does not read on. The end of a file is where
// it may turn out to be damaged.
func TestFilesAreReadToTheEnd(t *testing.T) {
	for _, test := range []struct {
		m    material.Materializer
		src  fs.FS
		into any
	}{
		{material.Bytes{}, oneFile("a", "text"), new([]byte)},
		{material.Text{}, oneFile("a", "text"), new(string)},
		{material.File{}, oneFile("a", "text"), io.Discard},
		{material.Dir{}, oneFile("a", "text"), new([]byte)},
		{material.JSON{}, saved(t, material.JSON{}, []int{1}), new([]int)},
		{material.Gob{}, saved(t, material.Gob{}, []int{1}), new([]int)},
		{material.Binary{}, saved(t, material.Binary{}, time.Now()), new(time.Time)},
	} {
		if err := test.m.Load(t.Context(), test.src, test.into); err != nil {
			t.Errorf("%s: %v", test.m.Name(), err)
		}
		for _, withData := range []bool{false, true} {
			if err := test.m.Load(t.Context(), brokenFS{test.src, withData}, test.into); !errors.Is(err, errBroken) {
				t.Errorf("%s: Load of a file that fails at its end (with data: %t) = %v", test.m.Name(), withData, err)
			}
		}
	}
}
