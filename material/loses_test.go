package material

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// These tests compare what jsonLoses says of a type with what becomes of a
// value of it, all fields filled, that is really saved and loaded.

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

// A number of another precision than a load gives it is lost only if it becomes
// another number.
func TestJSONLosesPrecision(t *testing.T) {
	for _, lost := range []bool{false, true} {
		f := big.NewFloat(0.5)
		if lost {
			f = big.NewFloat(0.1)
		}
		for _, v := range []any{f, *f, []*big.Float{nil, f}, struct{ F big.Float }{*f}, map[string]any{"a": []*big.Float{f}}} {
			if _, inAny := v.(map[string]any); (jsonLoses(v) != nil) != (lost || inAny) {
				t.Errorf("%v: %v", v, jsonLoses(v))
			}
		}
	}
}

func TestJSONLosesEndsInACycle(t *testing.T) {
	m, s, p := map[string]any{}, []any{nil}, &recursive{}
	m["self"], s[0], p.Next = m, s, p
	for _, v := range []any{m, s, p} {
		if lost := jsonLoses(v); lost != nil {
			t.Errorf("%T: %+v", v, lost)
		}
		if err := (JSON{}).Save(t.Context(), &oneStream{}, v); !errors.Is(err, ErrType) {
			t.Errorf("Save(%T) = %v", v, err)
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
