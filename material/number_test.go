package material_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"io/fs"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/material/materialtest"
)

type (
	celsius32 float32
	document  any

	// Opt is embedded, and may have nothing to write.
	Opt struct {
		A int `json:",omitempty"`
	}
)

func TestJSONWritesFloatsAsFloats(t *testing.T) {
	for _, test := range []struct {
		v    any
		want string
	}{
		{1.0, "1.0"}, {-2.0, "-2.0"}, {0.0, "0.0"}, {math.Copysign(0, -1), "-0.0"}, {0.1, "0.1"}, {1e20, "100000000000000000000.0"},
		{1e21, "1e+21"}, {1e-6, "0.000001"}, {1e-9, "1e-9"}, {float64(1 << 60), "1152921504606847000.0"}, {math.MaxFloat64, "1.7976931348623157e+308"},
		{float32(1), "1.0"}, {float32(0.1), "0.1"}, {float32(1e21), "1e+21"}, {float32(16777216), "16777216.0"},
		{celsius(1), "1.0"}, {celsius32(0.1), "0.1"}, {[]celsius{1, 2}, "[1.0,2.0]"}, {struct{ T celsius }{1}, `{"T":1.0}`},
		{1, "1"}, {int64(math.MinInt64), "-9223372036854775808"}, {uint64(math.MaxUint64), "18446744073709551615"}, {time.Second, "1000000000"},
		{map[string]any{"a": 1.0, "b": 1, "c": []any{2.0}}, `{"a":1.0,"b":1,"c":[2.0]}`},
		{map[float64]float64{1: 1}, `{"1.0":1.0}`}, {map[celsius]int{1: 1}, `{"1.0":1}`},
		{struct {
			F float64 `json:",string"`
			G celsius `json:",string"`
		}{1, 2}, `{"F":"1.0","G":"2.0"}`},
	} {
		got, err := fs.ReadFile(saved(t, material.JSON{}, test.v), "data.json")
		if err != nil || string(got) != test.want {
			t.Errorf("%T %v: %s, %v; want %s", test.v, test.v, got, err, test.want)
		}
	}
}

func TestJSONFillsAnyByTheSpelling(t *testing.T) {
	for text, want := range map[string]any{
		"5": int64(5), "-5": int64(-5), "-0": int64(0), "5.0": 5.0, "5e0": 5.0, "-0.0": math.Copysign(0, -1), "0.93": 0.93,
		"9007199254740993": int64(9007199254740993), "-9223372036854775808": int64(math.MinInt64),
		"9223372036854775808": uint64(1 << 63), "18446744073709551615": uint64(math.MaxUint64), "1e300": 1e300,
	} {
		a, err := loadJSON[any](t, material.JSON{}, text)
		if err != nil || !reflect.DeepEqual(a, want) {
			t.Errorf("%s as any: %#v, %v; want %#v", text, a, err, want)
		}
		d, err := loadJSON[map[string][]document](t, material.JSON{}, `{"k":[`+text+`]}`)
		if err != nil || !reflect.DeepEqual(d["k"][0], want) {
			t.Errorf("%s as a named any: %#v, %v; want %#v", text, d, err, want)
		}
	}
	for _, text := range []string{"18446744073709551616", "-9223372036854775809", "1e400", "-1e400"} {
		v, err := loadJSON[map[string]any](t, material.JSON{}, `{"a":{"b":`+text+`}}`)
		if !errors.Is(err, material.ErrType) || !strings.Contains(err.Error(), "/a/b") || !strings.Contains(err.Error(), "load") {
			t.Errorf("%s as any: %v, %v; want ErrType, the place and a way out", text, v, err)
		}
	}
}

// fits loads text as a T, alone and inside of something, and reports whether
// that worked, as what.
func fits[T comparable](t *testing.T, text string) (got any, ok bool) {
	t.Helper()
	v, err := loadJSON[T](t, material.JSON{}, text)
	in, ierr := loadJSON[struct{ A []map[string]*T }](t, material.JSON{}, `{"A":[{"k":`+text+`}]}`)
	if (err == nil) != (ierr == nil) || err == nil && *in.A[0]["k"] != v {
		t.Errorf("%s is %v, %v alone, and %v, %v inside", text, v, err, in, ierr)
	}
	if err != nil && !errors.Is(err, material.ErrType) {
		t.Errorf("%s: %v is not ErrType", text, err)
	}
	return v, err == nil
}

func TestJSONLoadsOnlyWhatFits(t *testing.T) {
	type load = func(*testing.T, string) (any, bool)
	for _, test := range []struct {
		kind string
		load load
		yes  string
		no   string
	}{
		{"int8", fits[int8], "127 -128 0", "128 -129 300 1.0 1e2"},
		{"int16", fits[int16], "32767 -32768", "32768 -32769 1.5"},
		{"int32", fits[int32], "2147483647", "2147483648 1.0"},
		{"int64", fits[int64], "9223372036854775807 -9223372036854775808", "9223372036854775808 1e3"},
		{"int", fits[int], "1", "9223372036854775808 1.0"},
		{"uint8", fits[uint8], "255", "256 -1 1.0"},
		{"uint16", fits[uint16], "65535", "65536 -1"},
		{"uint32", fits[uint32], "4294967295", "4294967296 -1"},
		{"uint64", fits[uint64], "18446744073709551615", "18446744073709551616 -1"},
		{"uint", fits[uint], "1", "-1 1.5"},
		{"uintptr", fits[uintptr], "1", "-1"},
		{"float64", fits[float64], "9007199254740992 -9007199254740992 1152921504606846976 0.1 1.0 9007199254740993.0 1e300 0 -0",
			"9007199254740993 -9007199254740993 1732345678901234567 18446744073709551615 1e400"},
		{"named float64", fits[celsius], "9007199254740992 0.1", "9007199254740993 1e400"},
		{"float32", fits[float32], "16777216 0.1 0.10000000149011612 3.4028235e38 1.0", "16777217 16777217.0 3.141592653589793 3.4028236e38 1e39"},
		{"named float32", fits[celsius32], "16777216 0.1", "16777217 3.141592653589793 1e39"},
		{"bool", fits[bool], "true", "1 0"},
		{"string", fits[string], `"1"`, "1"},
		{"[3]int", fits[[3]int], "[1,2,3]", "[1,2,3,4] [1,2]"},
		{"[3]byte", fits[[3]byte], "[1,2,3]", `[1,2] [1,2,3,4]`},
	} {
		for text := range strings.FieldsSeq(test.yes) {
			if got, ok := test.load(t, text); !ok {
				t.Errorf("%s does not fit into %s (%v)", text, test.kind, got)
			}
		}
		for text := range strings.FieldsSeq(test.no) {
			if got, ok := test.load(t, text); ok {
				t.Errorf("%s is loaded into %s as %v", text, test.kind, got)
			}
		}
	}
	for text, want := range map[string]bool{`{"1.0":1}`: true, `{"9007199254740993":1}`: false} {
		if m, err := loadJSON[map[float64]int](t, material.JSON{}, text); (err == nil) != want {
			t.Errorf("%s: %v, %v", text, m, err)
		}
	}
	if v, err := loadJSON[struct {
		F float64 `json:",string"`
	}](t, material.JSON{}, `{"F":"9007199254740993"}`); err == nil {
		t.Errorf("an integer in quotes is rounded to %.0f", v.F)
	}
}

func TestJSONLoadsNilOnlyIntoWhatHoldsIt(t *testing.T) {
	null := saved(t, material.JSON{}, []int(nil))
	for _, into := range []any{new(int), new(string), new([3]int), new(struct{ X int }), new(bool)} {
		if err := (material.JSON{}).Load(t.Context(), null, into); !errors.Is(err, material.ErrType) {
			t.Errorf("a nil []int is loaded into a %T: %v", into, err)
		}
	}
	for _, into := range []any{new([]int), new(map[string]int), new(*int), new(any), new(big.Int)} {
		if err := (material.JSON{}).Load(t.Context(), null, into); err != nil {
			t.Errorf("a nil []int cannot be loaded into a %T: %v", into, err)
		}
	}
}

// What is refused when it is saved is refused with its place and a way out.
func TestRefusalsNamePlaceAndRemedy(t *testing.T) {
	type opt struct {
		Tags []string `json:",omitempty"`
	}
	nilMap := map[string]int(nil)
	type leftOut struct{ *Opt }
	for what, test := range map[string]struct {
		v     any
		place string
		way   string
	}{
		"bytes in any":      {map[string]any{"a": []byte("x")}, `["a"]`, "convert it"},
		"time in any":       {[]any{0, time.Now()}, "[1]", "convert it"},
		"struct in any":     {struct{ V any }{exported{1}}, "V", "convert it"},
		"pointer in any":    {struct{ V any }{new(int)}, "V", "convert it"},
		"typed slice":       {map[string]any{"a": map[string]any{"b": []int{1}}}, `["a"]["b"]`, "convert it"},
		"typed map":         {map[string]any{"a": map[string]int{}}, `["a"]`, "convert it"},
		"named int":         {map[string]any{"a": time.Second}, `["a"]`, "convert it"},
		"float32":           {map[string]any{"a": float32(0.1)}, `["a"]`, "convert it"},
		"nil []any":         {map[string]any{"a": []any(nil)}, `["a"]`, "make it nil"},
		"empty, omitempty":  {[]opt{{}, {[]string{}}}, "[1].Tags", "omitzero"},
		"embedded, empty":   {leftOut{&Opt{}}, "Opt", "make it nil"},
		"pointer to nil":    {struct{ P *map[string]int }{&nilMap}, "P", "nil pointer"},
		"time zone seconds": {[]time.Time{time.Date(1890, 1, 1, 0, 0, 0, 0, time.FixedZone("LMT", 3208))}, "[0]", "UTC"},
		"NaN":               {map[string]any{"a": []any{1, math.NaN()}}, "/a/1", "leave it out"},
		"NaN of a type":     {struct{ T []celsius }{[]celsius{celsius(math.Inf(1))}}, "/T/0", "leave it out"},
		"not UTF-8":         {map[string]any{"notes": []any{"ok", "a\xff"}}, "/notes/1", "[]byte"},
		"too deep":          {nested(10_001), "/0/0/0", "10,000"},
		"stream and field": {struct {
			io.Reader
			Name string
		}{strings.NewReader("x"), "n"}, "Name", "register one"},
		"tree and field": {struct {
			fs.FS
			Name string
		}{oneFile("a", "b"), "n"}, "Name", "register one"},
	} {
		err := new(saver).save(t.Context(), test.v)
		if err == nil || !strings.Contains(err.Error(), test.place) || !strings.Contains(err.Error(), test.way) {
			t.Errorf("%s: %v; want an error with %q and %q", what, err, test.place, test.way)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%s: the error has %d bytes", what, len(err.Error()))
		}
	}
}

// nested returns a list in a list, and so on.
func nested(depth int) any {
	var v any
	for range depth {
		v = []any{v}
	}
	return v
}

// saver saves as a registry does: with the materializer that For finds.
type saver struct {
	set  material.Set
	sink materialtest.Sink
	m    material.Materializer
}

func (s *saver) save(ctx context.Context, v any) (err error) {
	if s.m, err = s.set.For(v); err != nil {
		return err
	}
	return s.m.Save(ctx, &s.sink, v)
}

func TestStreamsAreLoadedAsStreams(t *testing.T) {
	var s saver
	if err := s.save(t.Context(), bytes.NewBufferString("text")); err != nil {
		t.Fatal(err)
	}
	var r io.Reader
	if err := s.m.Load(t.Context(), s.sink.FS(), &r); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); string(b) != "text" || err != nil {
		t.Errorf("an io.Reader has %q, %v", b, err)
	}
	var buf *bytes.Buffer
	if err := s.m.Load(t.Context(), s.sink.FS(), &buf); err != nil || buf.String() != "text" {
		t.Errorf("a *bytes.Buffer has %v, %v", buf, err)
	}
	// One that is put together, with nothing beside the stream, is one.
	var closer saver
	if err := closer.save(t.Context(), struct {
		io.Reader
		io.Closer
	}{Reader: strings.NewReader("x")}); err != nil {
		t.Error(err)
	}
}

func TestInterfacesAreNotLoadedAsJSON(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 2, 1))
	img.Set(1, 0, color.RGBA{1, 2, 3, 4})
	var s saver
	if err := s.save(t.Context(), img); err != nil {
		t.Fatal(err)
	}
	var again *image.RGBA
	if err := s.m.Load(t.Context(), s.sink.FS(), &again); err != nil || !reflect.DeepEqual(img, again) {
		t.Errorf("%v, %v", again, err)
	}
	var face image.Image
	if err := s.m.Load(t.Context(), s.sink.FS(), &face); !errors.Is(err, material.ErrType) || !strings.Contains(err.Error(), "Info.Class") {
		t.Errorf("Load into an image.Image = %v", err)
	}
}

// One for an interface may load another type than was saved, as formats of
// images do.
func TestFuncOfAnInterface(t *testing.T) {
	pixels := func(m image.Image) material.Materializer {
		return material.Func("pixels",
			func(ctx context.Context, dst material.Sink, _ image.Image) error {
				return material.JSON{}.Save(ctx, dst, 1)
			},
			func(context.Context, fs.FS) (image.Image, error) { return m, nil })
	}
	m := pixels(new(image.NRGBA))
	var set material.Set
	err := set.Register(reflect.TypeFor[*image.RGBA](), m)
	if !errors.Is(err, material.ErrType) || !strings.Contains(err.Error(), "Func[*image.RGBA]") {
		t.Errorf("Register = %v", err)
	}
	if _, err := set.Named("pixels"); err == nil {
		t.Error("a refused Register has left the name")
	}
	if err := set.Register(reflect.TypeFor[string](), material.Func[int]("number", nil, nil)); !errors.Is(err, material.ErrType) {
		t.Errorf("Register of one of another type = %v", err)
	}
	src := saved(t, m, image.NewRGBA(image.Rect(0, 0, 1, 1)))
	var face image.Image
	var same *image.NRGBA
	var other *image.RGBA
	for into, works := range map[any]bool{&face: true, &same: true, &other: false, new(any): true, new(fmt.Stringer): false} {
		if err := m.Load(t.Context(), src, into); (err == nil) != works || err != nil && !errors.Is(err, material.ErrType) {
			t.Errorf("Load into a %T = %v", into, err)
		}
	}
	if face == nil || same == nil || other != nil {
		t.Errorf("loaded %v, %v, %v", face, same, other)
	}
	if err := pixels(nil).Load(t.Context(), src, &other); !errors.Is(err, material.ErrType) {
		t.Errorf("Load of nothing into a %T = %v", other, err)
	}
}
