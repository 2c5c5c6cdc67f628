package material

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strconv"
	"testing"
	"testing/fstest"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

// These tests compare what jsonLoses says of a type with what becomes of a
// value of it, all fields filled, that is really saved and loaded.

// Types to put together.
type (
	plain   struct{ X int }
	Plain   struct{ P string }
	Other   struct{ P string }
	partial struct {
		X int
		y int
	}
	Partial struct {
		Z int
		y int
	}
	number int
	Names  []string

	// Types that marshal themselves, with methods on the value, on the
	// pointer, or only half of them.
	valueJSON   struct{ s string }
	PointerJSON struct{ s string }
	pointerText struct{ s string }
	Enum        int
	outOnly     struct{ S string }
	inOnly      struct{ S string }
	textOutOnly int
	mixed       struct{ S string }
	jsonKey     int
)

func (v valueJSON) MarshalJSON() ([]byte, error)    { return json.Marshal(v.s) }
func (v *valueJSON) UnmarshalJSON(b []byte) error   { return json.Unmarshal(b, &v.s) }
func (v *PointerJSON) MarshalJSON() ([]byte, error) { return json.Marshal(v.s) }
func (v *PointerJSON) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &v.s) }
func (v *pointerText) MarshalText() ([]byte, error) { return []byte(v.s), nil }
func (v *pointerText) UnmarshalText(b []byte) error { v.s = string(b); return nil }
func (v Enum) MarshalText() ([]byte, error)         { return strconv.AppendInt(nil, int64(v), 10), nil }
func (v *Enum) UnmarshalText(b []byte) (err error)  { *(*int)(v), err = strconv.Atoi(string(b)); return }
func (v outOnly) MarshalJSON() ([]byte, error)      { return []byte(`"opaque"`), nil }
func (v *inOnly) UnmarshalJSON(b []byte) error      { type t inOnly; return json.Unmarshal(b, (*t)(v)) }
func (v textOutOnly) MarshalText() ([]byte, error)  { return []byte("seven"), nil }
func (v mixed) MarshalJSON() ([]byte, error)        { return []byte(`{}`), nil }
func (v *mixed) UnmarshalText(b []byte) error       { v.S = string(b); return nil }
func (v jsonKey) MarshalJSON() ([]byte, error)      { return []byte(strconv.Quote(fmt.Sprint(int(v)))), nil }
func (v *jsonKey) UnmarshalJSON(b []byte) error {
	_, err := fmt.Sscanf(string(b), "%q", (*quoted)(v))
	return err
}
func (v *quoted) Scan(s fmt.ScanState, _ rune) error {
	_, err := fmt.Fscanf(s, `"%d"`, (*int)(v))
	return err
}

type quoted int

// Structs that embed them.
type (
	embedsPlain     struct{ plain }
	embedsExported  struct{ Plain }
	embedsPartial   struct{ partial }
	embedsPointer   struct{ *Plain }
	embedsHiddenPtr struct{ *plain }
	embedsNamed     struct {
		Plain `json:"p"`
	}
	embedsHiddenNamed struct {
		plain `json:"p"`
	}
	embedsHiddenPtrN struct {
		*plain `json:"p"`
	}
	embedsNumber struct {
		number
		X int
	}
	embedsNumberNamed struct {
		number `json:"n"`
		X      int
	}
	embedsNames      struct{ Names }
	embedsNamesNamed struct {
		Names `json:"names"`
	}
	embedsTwoAlike struct {
		Plain
		Other
	}
	embedsTwoNamed struct {
		Plain
		Other `json:"o"`
	}
	embedsShadowed struct {
		Plain
		P string
	}
	embedsDeepTwice struct {
		embedsPlain
		embedsHiddenTwo
	}
	embedsHiddenTwo struct{ plain }
	embedsItself    struct {
		*embedsItself
		X int
	}
	embedsLeftOut struct {
		Plain  `json:"-"`
		*plain `json:"-"`
		X      int
	}

	// Methods of an embedded field become those of the struct.
	inheritsTime struct {
		time.Time
		Label string
	}
	inheritsAlone   struct{ time.Time }
	inheritsPointer struct {
		*PointerJSON
		Label string
	}
	inheritsText struct {
		pointerText
		N int
	}
	inheritsTwice struct{ inheritsTime }
	inheritsHalf  struct {
		PointerJSON
		Label string
	}
	inheritsNamed struct {
		PointerJSON `json:"p"`
		Label       string
	}
	inheritsNothing struct {
		time.Time // both have MarshalJSON, so the struct has none
		PointerJSON
	}
	inheritsNothingNamed struct {
		time.Time   `json:"t"`
		PointerJSON `json:"p"`
	}
	inheritsLeftOut struct {
		time.Time
		Cache int `json:"-"`
	}
	overrides struct {
		PointerJSON
		Label string
	}
	overridesOnValue struct {
		time.Time
		Label string
	}
)

func (v inheritsHalf) MarshalJSON() ([]byte, error) { return json.Marshal(v.Label) }

func (v *overrides) MarshalJSON() ([]byte, error) { return json.Marshal([]string{v.s, v.Label}) }
func (v *overrides) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]*string{&v.s, &v.Label})
}
func (v overridesOnValue) MarshalJSON() ([]byte, error) {
	return json.Marshal([]string{v.Format(time.RFC3339Nano), v.Label})
}
func (v *overridesOnValue) UnmarshalJSON(b []byte) error {
	var t string
	err := json.Unmarshal(b, &[]*string{&t, &v.Label})
	v.Time, _ = time.Parse(time.RFC3339Nano, t)
	return err
}
func (v overridesOnValue) Equal(w overridesOnValue) bool {
	return v.Time.Equal(w.Time) && v.Label == w.Label
}

type (
	recursive struct {
		V    int
		Next *recursive
		All  []recursive
		By   map[string]*recursive
	}
	recursiveLoss struct {
		Next *recursiveLoss
		v    int
	}
	padding struct {
		X int
		_ int
		_ struct{}
		m struct{}
	}
	onlyPadding struct {
		_ int
		m struct{}
	}
	leftOut struct {
		X int
		y int            `json:"-"`
		F func()         `json:"-"`
		C chan int       `json:"-"`
		E fmt.Stringer   `json:"-"`
		M map[[2]int]int `json:"-"`
	}
	onlyLeftOut struct {
		y int `json:"-"`
	}
	dash struct {
		X int
		Y int `json:"-,"`
	}
	dashOnly struct {
		X int `json:"-,"`
	}
	options struct {
		A int            `json:",string"`
		B []int          `json:"b,omitempty"`
		C map[string]int `json:",omitzero"`
		D time.Time      `json:",omitzero"`
	}
	siblingByTag struct {
		A int
		B int `json:"A"`
	}
	caseOnly struct {
		Name int
		NAME int
		X    int `json:"name"`
	}
	generic[T any] struct{ V T }
)

// Types that go vet would complain of.
var (
	taggedHidden = reflect.StructOf([]reflect.StructField{
		{Name: "X", Type: reflect.TypeFor[int]()},
		{Name: "y", PkgPath: "example.com/p", Type: reflect.TypeFor[int](), Tag: `json:"y"`},
	})
	siblings = reflect.StructOf([]reflect.StructField{
		{Name: "A", Type: reflect.TypeFor[int](), Tag: `json:"n"`},
		{Name: "B", Type: reflect.TypeFor[int](), Tag: `json:"n"`},
	})
)

func handmade() []reflect.Type {
	return []reflect.Type{
		reflect.TypeFor[plain](), reflect.TypeFor[*plain](), reflect.TypeFor[partial](), reflect.TypeFor[[]partial](),
		reflect.TypeFor[number](), reflect.TypeFor[Names](),
		reflect.TypeFor[valueJSON](), reflect.TypeFor[*valueJSON](), reflect.TypeFor[PointerJSON](), reflect.TypeFor[*PointerJSON](),
		reflect.TypeFor[pointerText](), reflect.TypeFor[Enum](), reflect.TypeFor[outOnly](), reflect.TypeFor[inOnly](),
		reflect.TypeFor[textOutOnly](), reflect.TypeFor[mixed](),
		reflect.TypeFor[embedsPlain](), reflect.TypeFor[embedsExported](), reflect.TypeFor[embedsPartial](), reflect.TypeFor[embedsPointer](),
		reflect.TypeFor[embedsHiddenPtr](), reflect.TypeFor[embedsNamed](), reflect.TypeFor[embedsHiddenNamed](), reflect.TypeFor[embedsHiddenPtrN](),
		reflect.TypeFor[embedsNumber](), reflect.TypeFor[embedsNumberNamed](), reflect.TypeFor[embedsNames](), reflect.TypeFor[embedsNamesNamed](),
		reflect.TypeFor[embedsTwoAlike](), reflect.TypeFor[embedsTwoNamed](), reflect.TypeFor[embedsShadowed](), reflect.TypeFor[embedsDeepTwice](),
		reflect.TypeFor[embedsItself](), reflect.TypeFor[embedsLeftOut](),
		reflect.TypeFor[inheritsTime](), reflect.TypeFor[*inheritsTime](), reflect.TypeFor[inheritsAlone](), reflect.TypeFor[inheritsPointer](),
		reflect.TypeFor[inheritsText](), reflect.TypeFor[inheritsTwice](), reflect.TypeFor[inheritsHalf](), reflect.TypeFor[inheritsNamed](),
		reflect.TypeFor[inheritsNothing](), reflect.TypeFor[inheritsNothingNamed](), reflect.TypeFor[inheritsLeftOut](),
		reflect.TypeFor[overrides](), reflect.TypeFor[overridesOnValue](), reflect.TypeFor[map[string]overrides](),
		reflect.TypeFor[recursive](), reflect.TypeFor[recursiveLoss](), reflect.TypeFor[padding](), reflect.TypeFor[onlyPadding](),
		reflect.TypeFor[leftOut](), reflect.TypeFor[onlyLeftOut](), taggedHidden,
		reflect.TypeFor[dash](), reflect.TypeFor[dashOnly](), reflect.TypeFor[options](),
		siblings, reflect.TypeFor[siblingByTag](), reflect.TypeFor[caseOnly](),
		reflect.TypeFor[generic[int]](), reflect.TypeFor[generic[partial]](), reflect.TypeFor[generic[error]](),
		reflect.TypeFor[struct{ json.Marshaler }](), reflect.TypeFor[struct{ A json.Marshaler }](),
		reflect.TypeFor[struct{ fmt.Stringer }](), reflect.TypeFor[struct {
			E error `json:"e"`
		}](),
		reflect.TypeFor[chan int](), reflect.TypeFor[func()](), reflect.TypeFor[complex128](), reflect.TypeFor[[]func()](),
		reflect.TypeFor[generic[chan int]](), reflect.TypeFor[map[string]*complex64](), reflect.TypeFor[uintptr](),
		reflect.TypeFor[map[bool]int](), reflect.TypeFor[map[*int]int](), reflect.TypeFor[map[plain]int](), reflect.TypeFor[map[[2]int]int](),
		reflect.TypeFor[map[any]int](), reflect.TypeFor[map[*Enum]int](), reflect.TypeFor[map[outOnly]int](), reflect.TypeFor[map[PointerJSON]int](),
	}
}

func TestJSONLosesIsTrueOfHandmadeTypes(t *testing.T) {
	verdicts := map[string]int{}
	for _, typ := range handmade() {
		verdicts[judge(t, typ)]++
	}
	for _, v := range []string{"kept", "lost", "refused"} {
		if verdicts[v] < 5 {
			t.Errorf("only %d types are %s: %v", verdicts[v], v, verdicts)
		}
	}
}

func TestJSONLosesIsTrueOfRandomTypes(t *testing.T) {
	seed := rand.Uint64()
	g := &typeMaker{rand.New(rand.NewPCG(seed, 0))}
	verdicts := map[string]int{}
	for range 4000 {
		typ := g.make(4)
		if typ.Kind() == reflect.Interface {
			typ = reflect.SliceOf(typ) // a value alone has another type
		}
		verdicts[judge(t, typ)]++
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	for _, v := range []string{"kept", "lost", "refused"} {
		if verdicts[v] < 100 {
			t.Errorf("seed %d: only %d types are %s: %v", seed, verdicts[v], v, verdicts)
		}
	}
}

// judge compares the verdict on a type with what happens to a value of it.
func judge(t *testing.T, typ reflect.Type) string {
	t.Helper()
	v := reflect.New(typ).Elem()
	fill(v, 0)
	lost := jsonLoses(v.Interface())
	sink := &oneStream{}
	err := JSON{}.Save(t.Context(), sink, v.Interface())
	if refused := lost != nil && lost.refused; refused != (err != nil) {
		t.Errorf("%v: jsonLoses says %+v, and Save says %v", typ, lost, err)
	}
	if err != nil {
		return "refused"
	}
	loaded := reflect.New(typ)
	err = func() (err error) {
		defer func() { // the decoder panics on an embedded pointer that has a name and is not exported
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v", p)
			}
		}()
		return JSON{}.Load(t.Context(), fstest.MapFS{"data.json": {Data: sink.data}}, loaded.Interface())
	}()
	all := cmp.Exporter(func(reflect.Type) bool { return true })
	diff := cmp.Diff(v.Interface(), loaded.Elem().Interface(), all)
	switch {
	case lost == nil && err != nil:
		t.Errorf("%v: jsonLoses finds nothing, but %s cannot be loaded: %v", typ, sink.data, err)
	case lost == nil && diff != "":
		t.Errorf("%v: jsonLoses finds nothing, but %s is (-saved +loaded):\n%s", typ, sink.data, diff)
	case lost != nil && err == nil && diff == "":
		t.Errorf("%v: jsonLoses says %q, but %s is the same again", typ, lost.why, sink.data)
	}
	if lost != nil {
		return "lost"
	}
	return "kept"
}

// oneStream is a Sink for one stream.
type oneStream struct{ data []byte }

func (s *oneStream) Create(string) (io.WriteCloser, error) { return s, nil }
func (s *oneStream) Close() error                          { return nil }
func (s *oneStream) Write(p []byte) (int, error) {
	s.data = append(s.data, p...)
	return len(p), nil
}

// typeMaker makes types at random.
type typeMaker struct{ *rand.Rand }

func pick[T any](g *typeMaker, from ...T) T { return from[g.IntN(len(from))] }

var (
	scalars = []reflect.Type{
		reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[uint64](), reflect.TypeFor[uintptr](),
		reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[string](), reflect.TypeFor[number](),
		reflect.TypeFor[[]byte](), reflect.TypeFor[any](), reflect.TypeFor[time.Duration](),
	}
	structs = []reflect.Type{
		reflect.TypeFor[time.Time](), reflect.TypeFor[big.Int](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[json.RawMessage](),
		reflect.TypeFor[valueJSON](), reflect.TypeFor[PointerJSON](), reflect.TypeFor[pointerText](), reflect.TypeFor[Enum](),
		reflect.TypeFor[plain](), reflect.TypeFor[embedsTwoNamed](), reflect.TypeFor[recursive](), reflect.TypeFor[padding](),
		reflect.TypeFor[inOnly](), reflect.TypeFor[overrides](), reflect.TypeFor[leftOut](),
	}
	culprits = []reflect.Type{
		reflect.TypeFor[chan int](), reflect.TypeFor[func()](), reflect.TypeFor[complex64](), reflect.TypeFor[error](), reflect.TypeFor[fmt.Stringer](),
		reflect.TypeFor[partial](), reflect.TypeFor[outOnly](), reflect.TypeFor[textOutOnly](), reflect.TypeFor[onlyPadding](),
		reflect.TypeFor[inheritsTime](), reflect.TypeFor[embedsHiddenPtr](), reflect.TypeFor[embedsTwoAlike](), siblings,
		reflect.TypeFor[embedsShadowed](), reflect.TypeFor[recursiveLoss](),
	}
	keys = []reflect.Type{
		reflect.TypeFor[string](), reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[uint8](), reflect.TypeFor[float64](),
		reflect.TypeFor[number](), reflect.TypeFor[Enum](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[pointerText](), reflect.TypeFor[jsonKey](),
		reflect.TypeFor[bool](), reflect.TypeFor[plain](), reflect.TypeFor[any](), reflect.TypeFor[[2]int](), reflect.TypeFor[textOutOnly](),
	}
	embeddable = []reflect.Type{reflect.TypeFor[Plain](), reflect.TypeFor[Other](), reflect.TypeFor[*Plain](), reflect.TypeFor[Partial](), reflect.TypeFor[Names]()}
)

func (g *typeMaker) make(depth int) reflect.Type {
	switch n := g.IntN(24); {
	case n == 0:
		return pick(g, culprits...)
	case depth == 0 || n < 6:
		return pick(g, scalars...)
	case n < 10:
		return pick(g, structs...)
	case n < 12:
		return reflect.SliceOf(g.make(depth - 1))
	case n < 14:
		return reflect.ArrayOf(g.IntN(3), g.make(depth-1))
	case n < 16:
		return reflect.PointerTo(g.make(depth - 1))
	case n < 18:
		return reflect.MapOf(pick(g, keys...), g.make(depth-1))
	}
	var fields []reflect.StructField
	for i := range g.IntN(5) {
		f := reflect.StructField{Name: string(rune('A' + i)), Type: g.make(depth - 1)}
		switch g.IntN(20) {
		case 0:
			f.Name, f.PkgPath = string(rune('a'+i)), "example.com/p"
			f.Type = pick(g, scalars...) // something that can be missed
		case 1:
			f.Type = pick(g, embeddable...)
			f.Name, f.Anonymous = f.Type.Name(), true
			if f.Type.Kind() == reflect.Pointer {
				f.Name = f.Type.Elem().Name()
			}
		}
		if g.IntN(3) == 0 {
			f.Tag = reflect.StructTag(pick(g, `json:"-"`, fmt.Sprintf(`json:"n%d"`, i), fmt.Sprintf(`json:"m%d,omitzero"`, i), `json:",omitempty"`, `json:",string"`, `yaml:"x"`))
		}
		if !hasField(fields, f.Name) {
			fields = append(fields, f)
		}
	}
	return reflect.StructOf(fields)
}

func hasField(fields []reflect.StructField, name string) bool {
	for _, f := range fields {
		if f.Name == name {
			return true
		}
	}
	return false
}

// fill sets everything in v that is to be kept, unexported fields too.
func fill(v reflect.Value, depth int) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.Date(2024, 2, 29, 1, 2, 3, 4, time.UTC)
		return
	case *big.Int:
		p.SetString("123456789012345678901234567890", 10)
		return
	case *netip.Addr:
		*p = netip.MustParseAddr("fe80::1%eth0")
		return
	case *json.RawMessage:
		*p = json.RawMessage(`{"a":[1.50,null]}`)
		return
	case *any:
		*p = "anything"
		return
	case *error:
		*p = errors.New("text")
		return
	case *fmt.Stringer:
		*p = time.Second
		return
	case *json.Marshaler:
		*p = valueJSON{"s"}
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(-7)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(7)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Complex64, reflect.Complex128:
		v.SetComplex(1i)
	case reflect.String:
		v.SetString("<é>")
	case reflect.Chan:
		v.Set(reflect.MakeChan(v.Type(), 0))
	case reflect.Func:
		v.Set(reflect.MakeFunc(v.Type(), nil))
	case reflect.Pointer:
		if depth < 8 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), depth+1)
		}
	case reflect.Slice:
		if depth < 8 {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		}
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		if depth < 8 {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			if fill(k, depth+1); k.Kind() == reflect.Interface {
				k.Set(reflect.ValueOf(7)) // not one that happens to be a string
			}
			fill(e, depth+1)
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(k, e)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("json") == "-" {
				continue
			}
			f := v.Field(i)
			fill(reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem(), depth+1)
		}
	}
}
