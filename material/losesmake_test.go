package material

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"time"
	"unsafe"
)

// typeMaker makes types at random.
type typeMaker struct{ *rand.Rand }

func pick[T any](g *typeMaker, from ...T) T { return from[g.IntN(len(from))] }

var (
	scalars = []reflect.Type{
		reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[uint64](), reflect.TypeFor[uintptr](),
		reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[string](), reflect.TypeFor[number](),
		reflect.TypeFor[[]byte](), reflect.TypeFor[any](), reflect.TypeFor[time.Duration](),
		reflect.TypeFor[ratio](), reflect.TypeFor[float32](), reflect.TypeFor[thin](), reflect.TypeFor[box](), reflect.TypeFor[json.Number](),
		reflect.TypeFor[[]octet](), reflect.TypeFor[[3]byte](),
	}
	structs = []reflect.Type{
		reflect.TypeFor[time.Time](), reflect.TypeFor[big.Int](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[json.RawMessage](),
		reflect.TypeFor[valueJSON](), reflect.TypeFor[PointerJSON](), reflect.TypeFor[pointerText](), reflect.TypeFor[Enum](),
		reflect.TypeFor[plain](), reflect.TypeFor[embedsTwoNamed](), reflect.TypeFor[recursive](), reflect.TypeFor[padding](),
		reflect.TypeFor[inOnly](), reflect.TypeFor[overrides](), reflect.TypeFor[leftOut](),
		reflect.TypeFor[level](), reflect.TypeFor[zeroes](), reflect.TypeFor[big.Float](), reflect.TypeFor[texts](),
		reflect.TypeFor[embedsPointer](), reflect.TypeFor[embedsEmpty](),
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
	case *big.Float:
		p.SetFloat64(0.5)
		p.SetPrec(64) // that of one that is loaded
		return
	case *json.Number:
		*p = "1.50"
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
	case *box:
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
