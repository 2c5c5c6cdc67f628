package material_test

//lint:file-ignore U1000,SA5008 The fields are there for what they are, not to be used.

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/material/materialtest"
)

type (
	myString   string
	myBytes    []byte
	exported   struct{ X int }
	unexported struct {
		X      int
		secret int
	}
	hidden    struct{ secret int }
	withLock  struct{ Mu sync.Mutex }
	onPurpose struct {
		X     int
		cache int    `json:"-"`
		Also  func() `json:"-"`
	}
	withMethod struct{ E fmt.Stringer }
	withAny    struct{ V any }
	withChan   struct{ C chan int }
	withArg    struct{ In struct{ Z complex64 } }
	recursive  struct {
		Kids []*recursive
		Up   *recursive
	}
	recursiveBad struct {
		Next *recursiveBad
		f    int
	}
	stamped struct {
		time.Time
		Label string
	}
	linked struct {
		url.URL
		Label string
	}
	onlyTime struct{ time.Time }
	loop     *loop
)

func TestForResolvesByWhatAValueIs(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	open, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	text := "x"
	var set material.Set
	for _, test := range []struct {
		v    any
		want string // name, or what the error says
	}{
		{[]byte("x"), "bytes"},
		{[]byte(nil), "bytes"},
		{"x", "text"},
		{&text, "json"},
		{myString("x"), "json"},
		{myBytes("x"), "json"},
		{json.RawMessage("{}"), "json"},
		{1, "json"}, {int64(1), "json"}, {1.5, "json"}, {true, "json"}, {uintptr(1), "json"},
		{[]string(nil), "json"}, {map[string]int(nil), "json"}, {[2]int{}, "json"},
		{map[string]any{"a": []any{1, "b", nil}}, "json"},
		{exported{}, "json"}, {&exported{}, "json"}, {[]*exported{}, "json"},
		{recursive{}, "json"}, {&recursive{}, "json"},
		{onPurpose{}, "json"},
		{struct{}{}, "json"},
		{time.Time{}, "json"}, {&time.Time{}, "json"}, {onlyTime{}, "json"}, {time.Second, "json"},
		{*big.NewInt(1), "json"}, {big.NewInt(1), "json"},
		{netip.Addr{}, "binary"}, {&netip.Addr{}, "binary"},
		{url.URL{}, "binary"}, {&url.URL{}, "binary"},
		{new(bytes.Buffer), "bytes"}, {strings.NewReader(""), "bytes"}, {io.MultiReader(), "bytes"}, {open, "bytes"},
		{os.DirFS(dir), "dir"}, {fstest.MapFS{}, "dir"}, {new(zip.Reader), "dir"},
		{material.Path(dir), "dir"}, {material.Path(file), "file"}, {material.Path(os.DevNull), "file"},
		{material.Path(filepath.Join(dir, "missing")), "no such file"},
		{material.Path(""), "no such file"},

		{nil, "for nil"},
		{(*exported)(nil), "for a nil *material_test.exported"},
		{(*os.File)(nil), "for a nil *os.File"},
		{(*zip.Reader)(nil), "for a nil *zip.Reader"},
		{(*time.Time)(nil), "for a nil *time.Time"},

		{unexported{}, "unexported field github.com/mindtrace/registry/material_test.unexported.secret"},
		{&unexported{}, ".unexported.secret"},
		{[]unexported{}, ".unexported.secret"},
		{map[string]*unexported{}, ".unexported.secret"},
		{struct{ In unexported }{}, "In.secret"},
		{hidden{}, "hidden.secret"},
		{withLock{}, "withLock.Mu"},
		{recursiveBad{}, "recursiveBad.f"},
		{bytes.Buffer{}, "bytes.Buffer.buf"},
		{withMethod{}, "withMethod.E is an interface (fmt.Stringer)"},
		{withChan{}, "withChan.C is a chan"},
		{withArg{}, "withArg.In.Z is a complex64"},
		{make(chan int), "chan int is a chan"},
		{new(loop), "pointers without end"},
		{func() {}, "is a func"},
		{complex(1, 2), "complex128"},
		{errors.New("x"), "errorString.s"},
		{map[bool]int{}, "keys of type bool"},
		{map[any]int{}, "keys of an interface"},
		{map[*int]int{}, "pointers as keys"},
		{map[exported]int{}, "keys of type material_test.exported"},
		{stamped{}, "stamped marshals itself with the methods of a field embedded in it, which drops the field Label"},
		{[]stamped{}, "drops the field Label"},
		{linked{}, "drops the field Label"},

		{withAny{exported{}}, "V is a material_test.exported in an any"},
		{withAny{unexported{}}, ".unexported.secret"},
		{[]any{1, map[string]any{"a": []any{&unexported{}}}}, ".unexported.secret"},
		{map[string]any{"a": make(chan int)}, "is a chan"},
		{map[string]any{"now": time.Now()}, `["now"] is a time.Time in an any`},
	} {
		m, err := set.For(test.v)
		switch {
		case err == nil && m.Name() != test.want:
			t.Errorf("For(%T) = %q, want %q", test.v, m.Name(), test.want)
		case err != nil && !strings.Contains(err.Error(), test.want):
			t.Errorf("For(%T): error %q, want %q", test.v, err, test.want)
		}
		if _, isPath := test.v.(material.Path); err != nil && errors.Is(err, material.ErrNone) == isPath {
			t.Errorf("For(%T): errors.Is(%v, ErrNone) = %t", test.v, err, isPath)
		}
	}
	if _, err := set.For(material.Path(filepath.Join(dir, "missing"))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("For a missing path = %v", err)
	}
}

// What an error tells to do must help.
func TestForNamesARemedyThatWorks(t *testing.T) {
	var set material.Set
	for _, test := range []struct {
		v      any
		remedy string
		m      material.Materializer // that the remedy names, or nil
	}{
		{unexported{X: 1}, "material.JSON{}", material.JSON{}},
		{withAny{unexported{}}, "material.JSON{}", material.JSON{}},
		{stamped{}, "material.JSON{}", material.JSON{}},
		{withMethod{}, "material.JSON{}", material.JSON{}},
		{linked{}, "material.Binary{}", material.Binary{}},
		{hidden{}, "material.JSON{}", material.JSON{}},
		{withChan{}, "register one", nil},
		{map[bool]int{true: 1}, "register one", nil},
	} {
		_, err := set.For(test.v)
		if err == nil || !strings.Contains(err.Error(), test.remedy) || !strings.Contains(err.Error(), "register one for the type") {
			t.Errorf("For(%T) = %v, which does not name %q", test.v, err, test.remedy)
			continue
		}
		if test.m == nil {
			if strings.Contains(err.Error(), "material.JSON{}") {
				t.Errorf("For(%T) names a remedy that does not work: %v", test.v, err)
			}
		} else if err := test.m.Save(t.Context(), new(materialtest.Sink), test.v); err != nil {
			t.Errorf("the remedy that For(%T) names fails: %v", test.v, err)
		}
	}
	if err := set.Register(reflect.TypeFor[withChan](), material.Func[withChan]("mine", nil, nil)); err != nil {
		t.Fatal(err)
	}
	if m, err := set.For(withChan{}); err != nil || m.Name() != "mine" {
		t.Errorf("For a registered type = %v, %v", m, err)
	}
}

func TestRegisteredTypesComeFirst(t *testing.T) {
	mine := material.Func("mine", func(context.Context, material.Sink, any) error { return nil }, nil)
	var set material.Set
	for _, v := range []any{[]byte("x"), "x", 1, exported{}, (*exported)(nil), material.Path("missing"), time.Time{}, new(bytes.Buffer)} {
		if err := set.Register(reflect.TypeOf(v), mine); err != nil {
			t.Fatal(err)
		}
		if m, err := set.For(v); err != nil || m.Name() != "mine" {
			t.Errorf("For(%T) = %v, %v", v, m, err)
		}
	}
	for _, v := range []any{&exported{}, myString("x")} {
		set := material.Set{}
		if err := set.Register(deref(v), mine); err != nil {
			t.Fatal(err)
		}
		if m, err := set.For(v); err != nil || m.Name() != "json" {
			t.Errorf("For(%T) = %v, %v, though only a type related to it is registered", v, m, err)
		}
	}
}

func deref(v any) reflect.Type {
	if t := reflect.TypeOf(v); t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return reflect.TypeFor[string]()
}

func TestNamedFindsBuiltinAndRegistered(t *testing.T) {
	var set material.Set
	for _, name := range []string{"bytes", "text", "json", "gob", "binary", "file", "dir"} {
		if m, err := set.Named(name); err != nil || m.Name() != name {
			t.Errorf("Named(%q) = %v, %v", name, m, err)
		}
	}
	_, err := set.Named("mine")
	if !errors.Is(err, material.ErrNone) || !strings.Contains(err.Error(), `"mine"`) || !strings.Contains(err.Error(), "WithMaterializer") {
		t.Errorf("Named of an unknown name = %v", err)
	}
	if err := set.Register(nil, material.Func[int]("mine", nil, nil)); err != nil {
		t.Fatal(err)
	}
	if m, err := set.Named("mine"); err != nil || m.Name() != "mine" {
		t.Errorf("Named of a registered name = %v, %v", m, err)
	}
	if _, err := set.For(1); err != nil {
		t.Error(err)
	}
}

func TestRegisterRefuses(t *testing.T) {
	var set material.Set
	if err := set.Register(nil, material.Func[int]("taken", nil, nil)); err != nil {
		t.Fatal(err)
	}
	number := reflect.TypeFor[int]()
	for _, test := range []struct {
		t    reflect.Type
		m    material.Materializer
		says string
	}{
		{number, material.Func[int]("my_model", nil, nil), "letters, digits, dots and dashes"},
		{number, material.Func[int]("", nil, nil), "1 to 64"},
		{number, material.Func[string]("taken", nil, nil), "taken by"},
		{number, material.Func[int]("json", nil, nil), "taken by material.JSON"}, // or what others saved as JSON could not be loaded
		{reflect.TypeFor[io.Reader](), material.Func[io.Reader]("r", nil, nil), "io.Reader is an interface"},
	} {
		if err := set.Register(test.t, test.m); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("Register(%v, %q) = %v, want an error with %q", test.t, test.m.Name(), err, test.says)
		}
	}
	if m, err := set.For(1); err != nil || m.Name() != "json" {
		t.Errorf("a refused Register has changed For to %v, %v", m, err)
	}
	// The same materializer with other settings is fine.
	if err := set.Register(number, material.JSON{AllowUnknownFields: true}); err != nil {
		t.Error(err)
	}
	if m, err := set.Named("json"); err != nil || m != (material.JSON{AllowUnknownFields: true}) {
		t.Errorf("Named = %#v, %v; want the registered JSON", m, err)
	}
}

func TestSetIsForManyGoroutines(t *testing.T) {
	var set material.Set
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			m := material.Func[int](fmt.Sprint("m", i), nil, nil)
			if err := set.Register(reflect.TypeFor[int](), m); err != nil {
				t.Error(err)
			}
			if _, err := set.For(i); err != nil {
				t.Error(err)
			}
			if _, err := set.Named(m.Name()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "my-model", "v1.2", "A9", strings.Repeat("x", 64)} {
		if err := material.CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "-", "a-", ".a", "my_model", "a/b", "a b", "é", "a\n", strings.Repeat("x", 65)} {
		if err := material.CheckName(name); err == nil {
			t.Errorf("%q is allowed", name)
		}
	}
}

type pair[K comparable, V any] struct {
	Key   K
	Value V
}

func TestClassOfNamesTheType(t *testing.T) {
	type local struct{}
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	const pkg = "github.com/mindtrace/registry/material_test."
	for _, test := range []struct {
		v    any
		want string
	}{
		{nil, ""},
		{1, "int"}, {"x", "string"}, {true, "bool"}, {1.5, "float64"},
		{[]byte{}, "[]byte"}, {[]uint8{}, "[]byte"}, {[][]byte{}, "[][]byte"},
		{[]int{}, "[]int"}, {map[string]bool{}, "map[string]bool"},
		{exported{}, pkg + "exported"}, {&exported{}, "*" + pkg + "exported"},
		{[]*exported{}, "[]*" + pkg + "exported"}, {[2]exported{}, "[2]" + pkg + "exported"}, {[3]byte{}, "[3]uint8"},
		{map[myString][]exported{}, "map[" + pkg + "myString][]" + pkg + "exported"},
		{map[string]any{}, "map[string]interface {}"},
		{myBytes{}, pkg + "myBytes"},
		{local{}, pkg + "local"},
		{pair[string, exported]{}, pkg + "pair[string," + pkg + "exported]"},
		{struct{ X int }{}, "struct { X int }"},
		{time.Time{}, "time.Time"}, {big.NewInt(1), "*math/big.Int"}, {new(bytes.Buffer), "*bytes.Buffer"},
		{material.Path(dir), "dir"}, {material.Path(file), "file"},
		{material.Path(file + "missing"), "github.com/mindtrace/registry/material.Path"},
	} {
		if got := material.ClassOf(test.v); got != test.want {
			t.Errorf("ClassOf(%T) = %q, want %q", test.v, got, test.want)
		}
	}
}
