package material

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"
)

// These tests hold JSON to its rule: what is loaded is equal to what was
// saved, or was refused when it was saved.

// equal is the rule. Values of types that write themselves are equal if their
// method Equal says so, or if they write themselves alike.
func equal(a, b reflect.Value) error {
	if a.Kind() == reflect.Interface {
		if a.IsNil() || b.IsNil() {
			if a.IsNil() != b.IsNil() {
				return fmt.Errorf("%#v became %#v", a, b)
			}
			return nil
		}
		a, b = integer(a.Elem()), integer(b.Elem())
	}
	if a.Type() != b.Type() {
		return fmt.Errorf("a %s became a %s", a.Type(), b.Type())
	}
	if out, _ := marshalBy(a.Type()); out != "" && a.Kind() != reflect.Pointer && a.Kind() != reflect.Interface {
		return equalSelves(a, b)
	}
	differ := fmt.Errorf("%#v became %#v", a, b)
	switch a.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if a.IsNil() != b.IsNil() {
			return differ
		}
	}
	switch a.Kind() {
	case reflect.Pointer:
		if !a.IsNil() {
			return equal(a.Elem(), b.Elem())
		}
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() {
			return differ
		}
		for i := range a.Len() {
			if err := equal(a.Index(i), b.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		if a.Len() != b.Len() {
			return differ
		}
		for _, k := range a.MapKeys() {
			other := b.MapIndex(k)
			for _, l := range b.MapKeys() { // keys may be pointers, or times
				if !other.IsValid() && equal(k, l) == nil {
					other = b.MapIndex(l)
				}
			}
			if !other.IsValid() {
				return differ
			}
			if err := equal(a.MapIndex(k), other); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range a.NumField() {
			if sf := a.Type().Field(i); sf.Tag.Get("json") != "-" && sf.Name != "_" {
				if err := equal(a.Field(i), b.Field(i)); err != nil {
					return fmt.Errorf(".%s: %w", sf.Name, err)
				}
			}
		}
	default:
		if !a.Equal(b) {
			return differ
		}
	}
	return nil
}

func equalSelves(a, b reflect.Value) error {
	if a.CanInterface() && b.CanInterface() {
		if reflect.DeepEqual(a.Interface(), b.Interface()) || equalByMethod(a, b) {
			return nil
		}
		p, perr := json.Marshal(copyOf(a).Interface())
		q, qerr := json.Marshal(copyOf(b).Interface())
		if perr != nil || qerr != nil || string(p) != string(q) {
			return fmt.Errorf("%s became %s (%v, %v)", p, q, perr, qerr)
		}
	}
	return nil
}

// integer makes an integer the int64 or uint64 that it is loaded as.
func integer(v reflect.Value) reflect.Value {
	switch {
	case v.Type().PkgPath() != "":
		return v
	case v.CanUint() && v.Uint() > math.MaxInt64:
		return reflect.ValueOf(v.Uint())
	case v.CanUint():
		return reflect.ValueOf(int64(v.Uint()))
	case v.CanInt():
		return reflect.ValueOf(v.Int())
	}
	return v
}

// keeps saves a value and loads it again, and reports whether it was taken.
func keeps(ctx context.Context, v reflect.Value) (taken bool, err error) {
	m, err := new(Set).For(v.Interface())
	if errors.Is(err, ErrNone) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	sink := &oneStream{}
	if err := m.Save(ctx, sink, v.Interface()); err != nil {
		return false, nil
	}
	loaded := reflect.New(v.Type())
	if err := m.Load(ctx, fstest.MapFS{"data": {Data: sink.data}}, loaded.Interface()); err != nil {
		return true, fmt.Errorf("%s was saved by %q, and cannot be loaded: %w", sink.data, m.Name(), err)
	}
	if m.Name() == "bytes" && v.Len() == 0 && loaded.Elem().Len() == 0 {
		return true, nil // an empty file is neither nil nor not
	}
	if err := equal(v, loaded.Elem()); err != nil {
		return true, fmt.Errorf("%s: %w", sink.data, err)
	}
	return true, nil
}

func TestTypedValuesAreEqualOrRefused(t *testing.T) {
	taken, all := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		g := &typeMaker{rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))}
		for range 20 {
			v := reflect.New(g.make(3)).Elem()
			if g.fill(v, 0); v.Kind() == reflect.Interface || isNil(v) && v.Kind() == reflect.Pointer {
				continue // saved alone, it has no such type
			}
			ok, err := keeps(t.Context(), v)
			if err != nil {
				rt.Fatalf("%s %#v: %v", v.Type(), v, err)
			}
			if all++; ok {
				taken++
			}
		}
	})
	t.Logf("%d of %d values were taken", taken, all)
	if taken < all/10 || taken == all {
		t.Errorf("%d of %d values were taken", taken, all)
	}
}

// fill sets v to a value at random, of which some are lost by a careless
// writer or reader.
func (g *typeMaker) fill(v reflect.Value, depth int) {
	const many = 6 // one in so many is out of the ordinary
	special := g.IntN(many) == 0
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		if fill(v, 0); special {
			*p = p.In(time.FixedZone("", pick(g, 3600, -90*60, 3208, 0)))
		}
		return
	case *any:
		*p = g.any(depth)
		return
	case *box:
		*p = g.any(depth)
		return
	case *big.Float:
		fill(v, 0)
		if p.SetPrec(pick[uint](g, 0, 53, 64)); special {
			p.SetPrec(pick[uint](g, 53, 200))
			p.Quo(big.NewFloat(1).SetPrec(200), big.NewFloat(3))
		}
		return
	case *level:
		*p = pick[level](g, 0, -7, 5)
		return
	case *json.Number:
		*p = pick[json.Number](g, "0", "-1.50", "1e400", "", "x")
		return
	case *json.RawMessage:
		*p = pick(g, json.RawMessage(nil), json.RawMessage(`{"a":[1.50,null]}`), json.RawMessage(`{`), json.RawMessage("null"))
		return
	}
	switch v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(pick[int64](g, 0, 1, -1, math.MaxInt8, math.MinInt16, 1<<53+1, math.MaxInt64, math.MinInt64))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(pick[uint64](g, 0, 1, math.MaxUint8, 1<<53+1, math.MaxInt64+1, math.MaxUint64))
	case reflect.Float32, reflect.Float64:
		if v.SetFloat(g.float()); special {
			v.SetFloat(pick[float64](g, math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)))
		}
	case reflect.Bool:
		v.SetBool(g.IntN(2) == 0)
	case reflect.String:
		v.SetString(pick(g, "", "a", "<é>\u2028", "\x00", "null", "0"))
		if g.IntN(30) == 0 {
			v.SetString("a\xff")
		}
	case reflect.Pointer:
		if depth < 6 && !special {
			v.Set(reflect.New(v.Type().Elem()))
			g.fill(v.Elem(), depth+1)
		}
	case reflect.Slice:
		if n := g.IntN(3); depth < 6 && !special {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
		}
		for i := range v.Len() {
			g.fill(v.Index(i), depth+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			g.fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		if depth >= 6 || special {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for range g.IntN(3) {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			if k.Kind() == reflect.Interface {
				return
			}
			g.fill(k, depth+1)
			g.fill(e, depth+1)
			v.SetMapIndex(k, e)
		}
	case reflect.Struct:
		if marshals, _ := marshalBy(v.Type()); marshals != "" {
			fill(v, 0)
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				g.fill(v.Field(i), depth+1)
			}
		}
	}
}

func (g *typeMaker) float() float64 {
	return pick[float64](g, 0, 1, -2, 0.1, 1<<53, 1<<60, 1e20, 1e21, 1e-7, 123456789.125, math.MaxFloat32, math.SmallestNonzeroFloat32, float64(g.Uint64()), g.NormFloat64())
}

// any returns what an any may hold, and now and then what is not loaded again.
func (g *typeMaker) any(depth int) any {
	if depth > 6 {
		return nil
	}
	switch g.IntN(12) {
	case 0:
		return nil
	case 1:
		return g.IntN(2) == 0
	case 2:
		return pick(g, "", "1", "null", "é\n")
	case 3:
		return g.float()
	case 4:
		return pick[int64](g, int64(g.Uint64()), 0, 1<<53+1, math.MinInt64)
	case 5:
		return pick[uint64](g, g.Uint64(), 0, math.MaxUint64)
	case 6:
		return pick[any](g, 7, int8(-7), uint16(7), uintptr(7), math.MaxInt)
	case 7:
		v := reflect.New(g.make(1)).Elem()
		g.fill(v, depth+1)
		return v.Interface()
	case 8, 9:
		list := make([]any, g.IntN(3))
		for i := range list {
			list[i] = g.any(depth + 1)
		}
		return list
	}
	m := map[string]any{}
	for range g.IntN(3) {
		m[pick(g, "", "a", "b.c", "é")] = g.any(depth + 1)
	}
	return m
}

// Documents of the types that an any is filled with are never refused.
func TestDocumentsAreAlwaysTaken(t *testing.T) {
	scalar := rapid.OneOf(
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.String().AsAny(), rapid.Float64().AsAny(),
		rapid.Int64().AsAny(), rapid.Uint64().AsAny(), rapid.Int().AsAny(), rapid.Int8().AsAny(), rapid.Uint32().AsAny(),
		rapid.Map(rapid.Float64Range(-1e25, 1e25), math.Round).AsAny(),
	)
	document := rapid.Deferred(func() *rapid.Generator[any] { return scalar })
	for range 3 {
		inner := document
		document = rapid.OneOf(scalar, rapid.SliceOfN(inner, 0, 4).AsAny(), rapid.MapOfN(rapid.String(), inner, 0, 4).AsAny())
	}
	rapid.Check(t, func(rt *rapid.T) {
		v := map[string]any{"doc": document.Draw(rt, "document")}
		taken, err := keeps(t.Context(), reflect.ValueOf(v))
		if err != nil || !taken {
			rt.Fatalf("%#v: taken: %t, %v", v, taken, err)
		}
	})
}
