package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/store"
)

type model struct {
	Layers  []int              `json:"layers"`
	Weights map[string]float64 `json:"weights"`
	Note    string             `json:"note"`
}

var aModel = model{[]int{784, 128, 10}, map[string]float64{"a": 0.25, "b": -1e-9}, "trained"}

func TestSaveAndLoadValues(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		r := openOn(t, st, nil)
		if v := mustSave(t, r, "my:model", aModel); v.String() != "1.0.0" {
			t.Errorf("first version is %s", v)
		}
		if got := mustLoad[model](t, r, "my:model"); !reflect.DeepEqual(got, aModel) {
			t.Errorf("got %+v", got)
		}
		mustSave(t, r, "my:model", &aModel) // a pointer is the same object
		if got := mustLoad[*model](t, r, "my:model@latest"); !reflect.DeepEqual(*got, aModel) {
			t.Errorf("got %+v", got)
		}
		mustSave(t, r, "text", "héllo")
		if got := mustLoad[string](t, r, "text"); got != "héllo" {
			t.Errorf("got %q", got)
		}
		for _, size := range []int{0, 1, 128 << 10, 128<<10 + 1, 3 << 20, 40 << 20} {
			want := noise(uint64(size), size)
			mustSave(t, r, "bytes", want)
			if got := mustLoad[[]byte](t, r, "bytes"); !slices.Equal(got, want) {
				t.Errorf("%d bytes came back as %d, or altered", size, len(got))
			}
		}
		mustSave(t, r, "gob", map[string][]int{"x": {1, 2}}, WithMaterializer(material.Gob{}))
		if got := mustLoad[map[string][]int](t, r, "gob"); !reflect.DeepEqual(got, map[string][]int{"x": {1, 2}}) {
			t.Errorf("got %v", got)
		}
		mustSave(t, r, "reader", strings.NewReader("streamed"))
		var b strings.Builder
		if err := r.Load(t.Context(), "reader", &b); err != nil || b.String() != "streamed" {
			t.Errorf("got %q, %v", b.String(), err)
		}
	})
}

// A save takes the patch release after the highest release that ever existed.
// WithVersion may choose a number in between. No number is used twice
// (docs/attacks.md, A5 and A6).
func TestAutomaticVersions(t *testing.T) {
	r, _ := inMemory(t)
	check := func(want string, opts ...SaveOption) {
		t.Helper()
		if got := mustSave(t, r, "m", "x", opts...); got.String() != want {
			t.Errorf("saved as %s, want %s", got, want)
		}
	}
	check("1.0.0")
	check("1.0.1")
	check("2.0.0", WithVersion("2"))
	check("2.0.1")
	check("1.5.0", WithVersion("v1.5")) // below the highest
	check("2.0.2")
	check("3.0.0-rc.1", WithVersion("3.0.0-rc.1"))
	check("2.0.3") // a pre-release is not promoted by accident
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@2.0.3", nil))
	check("2.0.4") // not 2.0.3 again
	check("10.0.0", WithVersion("10"))
	check("9.0.0", WithVersion("9"))
	check("10.0.1") // numbers, not text
	check("1.0.9223372036854775807", WithVersion("1.0.9223372036854775807"))

	r2, _ := inMemory(t)
	for range 120 {
		mustSave(t, r2, "many", "x")
	}
	if v := must[*Info](t)(r2.Info(t.Context(), "many")).Version; v.String() != "1.0.119" {
		t.Errorf("latest is %s", v)
	}
	if v := mustSave(t, r2, "rc", "x", WithVersion("1.0.0-beta")); v.String() != "1.0.0-beta" {
		t.Error(v)
	}
	if v := mustSave(t, r2, "rc", "x"); v.String() != "1.0.0" {
		t.Errorf("after a pre-release alone: %s", v)
	}
}

func TestNoNumberAfterTheLast(t *testing.T) {
	r, _ := inMemory(t)
	mustSave(t, r, "m", "x", WithVersion(fmt.Sprintf("1.0.%d", uint64(math.MaxInt64))))
	_, err := r.Save(t.Context(), "m", "x")
	wantErr(t, err, ErrInvalidVersion)
}

// Bad input is refused with an error that says what to do, and nothing is
// written: not one request reaches the store.
func TestSaveRefuses(t *testing.T) {
	r, st := inMemory(t)
	mustSave(t, r, "m", "x", WithVersion("1.0.0"))
	mustSave(t, r, "m", "x", WithVersion("1.1.0"))
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@1.1.0", nil))
	before := keysOf(t, st)
	type hidden struct{ secret int }
	for _, c := range []struct {
		name string
		v    any
		opts []SaveOption
		err  error
		says string
	}{
		{"my_model", "x", nil, ErrInvalidName, `"my-model"`},
		{"", "x", nil, ErrInvalidName, "my:model"},
		{"a/b", "x", nil, ErrInvalidName, `"a:b"`},
		{"a::b", "x", nil, ErrInvalidName, `"a:b"`},
		{"m@1.0.0", "x", nil, ErrInvalidName, "name alone"},
		{"größe", "x", nil, ErrInvalidName, "letters"},
		{"con", "x", nil, ErrInvalidName, "Windows"},
		{strings.Repeat("n", 101), "x", nil, ErrInvalidName, "too long"},
		{"m", "x", []SaveOption{WithVersion("latest")}, ErrInvalidVersion, "leave it out"},
		{"m", "x", []SaveOption{WithVersion("1.0.0+build")}, ErrInvalidVersion, "build"},
		{"m", "x", []SaveOption{WithVersion("01.0.0")}, ErrInvalidVersion, "leading zero"},
		{"m", "x", []SaveOption{WithVersion("one")}, ErrInvalidVersion, "1.2.3"},
		{"m", "x", []SaveOption{WithVersion("1.0.0")}, ErrExists, "exists"},
		{"m", "x", []SaveOption{WithVersion("v1")}, ErrExists, "exists"},
		{"m", "x", []SaveOption{WithVersion("1.1.0")}, ErrExists, "deleted"},
		{"m", nil, nil, ErrNoMaterializer, "nil"},
		{"m", make(chan int), nil, ErrNoMaterializer, "register one"},
		{"m", func() {}, nil, ErrNoMaterializer, "register one"},
		{"m", hidden{1}, nil, ErrNoMaterializer, "secret"},
		{"m", 1, []SaveOption{WithMaterializer(material.Bytes{})}, ErrType, "[]byte"},
		{"m", math.NaN(), nil, ErrType, "NaN"},
		{"m", "x", []SaveOption{WithMetadata(make(chan int))}, nil, "JSON"},
		{"m", "x", []SaveOption{WithMetadata(map[string]any{"n": int64(1<<53 + 1)})}, nil, "string"},
		{"m", "x", []SaveOption{WithMetadata(strings.Repeat("x", 300<<10))}, nil, "file"},
		{"m", "x", []SaveOption{WithBase("no_name")}, ErrInvalidName, "base"},
		{"m", "x", []SaveOption{WithBase("m@")}, ErrInvalidRef, "base"},
		{"m", "x", []SaveOption{WithClass(strings.Repeat("c", 1025))}, nil, "1024"},
		{"m", "x", []SaveOption{WithClass("c\x1b[2J")}, nil, "shown"},
		{"m", "x", []SaveOption{WithClass("c\n")}, nil, "shown"},
		{"m", "x", []SaveOption{WithClass("c\xff")}, nil, "UTF-8"},
		{"m", Path("/does/not/exist"), nil, fs.ErrNotExist, "/does/not/exist"},
		{"m", "x\xff", []SaveOption{WithMaterializer(material.JSON{})}, nil, "UTF-8"},
	} {
		_, err := r.Save(t.Context(), c.name, c.v, c.opts...)
		if err == nil {
			t.Errorf("save %q %v succeeded", c.name, c.v)
			continue
		}
		if c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("save %q %v: error is not %q: %v", c.name, c.v, c.err, err)
		}
		if !strings.Contains(err.Error(), c.says) {
			t.Errorf("save %q %v: error does not say %q: %v", c.name, c.v, c.says, err)
		}
	}
	if after := keysOf(t, st); !slices.Equal(before, after) {
		t.Errorf("refused saves left %q", after)
	}
}

// A version that exists is refused before gigabytes are moved for it.
func TestExistingVersionRefusedBeforeUpload(t *testing.T) {
	r, st := inMemory(t)
	mustSave(t, r, "m", "x", WithVersion("1.0.0"))
	_, err := r.Save(t.Context(), "m", noise(1, 40<<20), WithVersion("1.0.0"))
	wantErr(t, err, ErrExists)
	if packs := packKeys(t, st); len(packs) > 0 {
		t.Errorf("%d packs were put for it", len(packs))
	}
}

func TestLoadRefuses(t *testing.T) {
	r, _ := inMemory(t)
	mustSave(t, r, "m", aModel)
	mustSave(t, r, "m", aModel)
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@1.0.1", nil))
	mustSave(t, r, "tree", Path(writeFiles(t, map[string][]byte{"a": nil, "b/c": []byte("x")})))
	mustSave(t, r, "odd", 7, WithMaterializer(material.Func("nobody-knows",
		func(ctx context.Context, dst material.Sink, v int) error { return material.Text{}.Save(ctx, dst, "7") },
		func(context.Context, fs.FS) (int, error) { return 7, nil })))
	var n int
	var m model
	var b []byte
	var other struct{ Unrelated int }
	for _, c := range []struct {
		ref  string
		into any
		err  error
		says string
	}{
		{"nothing", &m, ErrNotFound, "no object"},
		{"m@3", &m, ErrNotFound, "3.0.0"},
		{"m@>2", &m, ErrNotFound, "range"},
		{"m@1.0.1", &m, ErrDeleted, "deleted"},
		{"m@sha256:" + strings.Repeat("0", 64), &m, ErrNotFound, "digest"},
		{"m@sha256:12", &m, ErrInvalidRef, "64"},
		{"m@", &m, ErrInvalidRef, "leave it out"},
		{"m@not.a.version", &m, ErrNotFound, "no tag or version"},
		{"m@1.2.3.4", &m, ErrInvalidRef, "1.2.3"},
		{"m@not+a+tag", &m, ErrInvalidRef, "as in prod"},
		{"m@^1.x.y.z", &m, ErrInvalidRef, "range"},
		{"my_model", &m, ErrInvalidName, "my-model"},
		{"m", &n, ErrType, "int"},
		{"m", &other, ErrType, "AllowUnknownFields"},
		{"m", m, ErrType, "pointer"},
		{"m", nil, ErrType, "pointer"},
		{"m", (*model)(nil), ErrType, "nil"},
		{"tree", &b, ErrType, "tree"},
		{"odd", &n, ErrNoMaterializer, "nobody-knows"},
	} {
		err := r.Load(t.Context(), c.ref, c.into)
		if !errors.Is(err, c.err) || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("load %s into %T: got %v, want %v saying %q", c.ref, c.into, err, c.err, c.says)
		}
	}
}

func TestMetadataAndInfo(t *testing.T) {
	r, _ := inMemory(t)
	meta := map[string]any{"source": "line-3", "epochs": 12, "loss": 0.125, "tags": []string{"ü", "b"}, "nested": map[string]any{"x": nil}}
	mustSave(t, r, "my:model", aModel, WithMetadata(meta))
	i := must[*Info](t)(r.Info(t.Context(), "my:model"))
	var got map[string]any
	if err := i.DecodeMetadata(&got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"source": "line-3", "epochs": 12.0, "loss": 0.125, "tags": []any{"ü", "b"}, "nested": map[string]any{"x": nil}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("metadata is %v", got)
	}
	if i.Name != "my:model" || i.Version.String() != "1.0.0" || i.Materializer != "json" ||
		i.Class != "github.com/mindtrace/registry.model" || i.Files != 1 || i.Size == 0 ||
		i.Path != "test:/objects/my!!model/@/a1.a0.a0~.json" || i.Deleted != nil || i.Ref() != "my:model@1.0.0" {
		t.Errorf("info is %+v", i)
	}
	mustSave(t, r, "other:name", aModel, WithMetadata(meta))
	if j := must[*Info](t)(r.Info(t.Context(), "other:name")); j.Digest != i.Digest {
		t.Error("the same content under another name has another digest")
	}
	mustSave(t, r, "my:model", aModel)
	if j := must[*Info](t)(r.Info(t.Context(), "my:model")); j.Digest == i.Digest || len(j.Metadata) != 0 {
		t.Error("metadata are not part of the digest, or stick to the next version")
	}
	if j := must[*Info](t)(r.Info(t.Context(), "my:model@"+i.Digest)); j.Version != i.Version {
		t.Errorf("digest leads to %s", j.Version)
	}
}

func TestSelectors(t *testing.T) {
	r, _ := inMemory(t)
	for _, v := range []string{"0.9.0", "1.0.0", "1.2.0", "1.2.9", "1.2.10", "1.10.0", "2.0.0-rc.1", "2.0.0-rc.2", "3.1.0", "10.0.0-alpha"} {
		mustSave(t, r, "m", v, WithVersion(v))
	}
	for ref, want := range map[string]string{
		"m": "3.1.0", "m@latest": "3.1.0", "m@1": "1.0.0", "m@1.2": "1.2.0", "m@v1.2.9": "1.2.9",
		"m@^1": "1.10.0", "m@^1.2": "1.10.0", "m@~1.2": "1.2.10", "m@~1.2.0": "1.2.10", "m@<1.2": "1.0.0",
		"m@>=1.2 <1.2.10": "1.2.9", "m@>=1.2, <1.3": "1.2.10", "m@<1 || ^3": "3.1.0", "m@1.x": "1.10.0", "m@1.2.x": "1.2.10",
		"m@*": "3.1.0", "m@^2": "", "m@2.0.0-rc.1": "2.0.0-rc.1", "m@>=2.0.0-rc.1 <3": "2.0.0-rc.2", "m@^0.9": "0.9.0", "m@!=3.1.0": "1.10.0",
	} {
		got, err := Load[string](t.Context(), r, ref)
		if want == "" {
			wantErr(t, err, ErrNotFound)
			continue
		}
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %s", ref, got, err, want)
		}
	}
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@3.1.0", nil))
	if got := mustLoad[string](t, r, "m"); got != "1.10.0" {
		t.Errorf("latest after deleting it: %s", got)
	}
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@<2", nil))
	if got := mustLoad[string](t, r, "m"); got != "10.0.0-alpha" {
		t.Errorf("latest with pre-releases only: %s", got)
	}
}

func TestListing(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		r := openOn(t, st, nil)
		for _, name := range []string{"b", "a", "a:b", "A", "a-b", "a:b:c", "gone", "my:model"} {
			mustSave(t, r, name, "x")
		}
		mustSave(t, r, "a", "y")
		must[*DeleteReport](t)(r.Delete(t.Context(), "gone@*", nil))
		var names []string
		for name, err := range r.Objects(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
		slices.Sort(names)
		if want := []string{"A", "a", "a-b", "a:b", "a:b:c", "b", "my:model"}; !slices.Equal(names, want) {
			t.Errorf("objects are %q", names)
		}
		latest := map[string]string{}
		for i, err := range r.Latest(t.Context(), "a:") {
			if err != nil {
				t.Fatal(err)
			}
			latest[i.Name] = i.Version.String()
		}
		if !maps.Equal(latest, map[string]string{"a:b": "1.0.0", "a:b:c": "1.0.0"}) {
			t.Errorf("latest of a: are %v", latest)
		}
		for range r.Objects(t.Context(), "") {
			break // may be left at any time
		}
		var versions []string
		for i, err := range r.Versions(t.Context(), "a") {
			if err != nil {
				t.Fatal(err)
			}
			versions = append(versions, i.Version.String())
		}
		if !slices.Equal(versions, []string{"1.0.0", "1.0.1"}) {
			t.Errorf("versions are %q", versions)
		}
		for _, err := range r.Versions(t.Context(), "gone") {
			wantErr(t, err, ErrDeleted)
		}
		n := 0
		for i, err := range r.AllVersions(t.Context(), "gone") {
			if err != nil || i.Deleted == nil {
				t.Errorf("%+v, %v", i, err)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%d deleted versions", n)
		}
		for ref, want := range map[string]bool{"a": true, "a@1.0.1": true, "a@1.0.2": false, "gone": false, "gone@1": false, "none": false} {
			if got := must[bool](t)(r.Has(t.Context(), ref)); got != want {
				t.Errorf("Has(%s) is %v", ref, got)
			}
		}
	})
}

func keysOf(t testing.TB, st store.Store) []string {
	t.Helper()
	var keys []string
	for info, err := range st.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}
