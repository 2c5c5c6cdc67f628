package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/tracestore"
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

// A process that begins with a save knows when that was: it asks a store that
// has not told it the time. A prune by age would take what has no time.
func TestFirstSaveKnowsTheTime(t *testing.T) {
	url := t.TempDir()
	must[*Registry](t)(Open(t.Context(), url, &Options{Create: true}))
	for _, opts := range [][]SaveOption{nil, {WithVersion("2.0.0")}, {WithIfLatest("2.0.0")}} {
		st := must[store.Store](t)(store.Open(t.Context(), url)) // as in a new process
		r := must[*Registry](t)(OpenStore(t.Context(), st, url, nil))
		v := mustSave(t, r, "m", "x", opts...)
		i := must[*Info](t)(r.Info(t.Context(), "m@"+v.String()))
		if i.Created.Year() < 2000 {
			t.Errorf("%s was created at %v", v, i.Created)
		}
	}
	rep := must[*PruneReport](t)(must[*Registry](t)(Open(t.Context(), url, nil)).Prune(t.Context(), &PruneOptions{KeepWithin: 1 << 50}))
	if len(rep.Deleted) != 0 {
		t.Errorf("pruned %v", rep.Deleted)
	}
}

func TestSaveIfLatest(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []string // versions to save, "-" before one to delete
		opt   SaveOption
		want  string // the version saved
		err   error
	}{
		{"first", nil, WithIfAbsent(), "1.0.0", nil},
		{"none to follow", nil, WithIfLatest("1.0.0"), "", ErrConflict},
		{"not the first", []string{"1.0.0"}, WithIfAbsent(), "", ErrConflict},
		{"follows", []string{"1.0.0", "1.0.1"}, WithIfLatest("1.0.1"), "1.0.2", nil},
		{"spelt otherwise", []string{"1.0.0"}, WithIfLatest("v1"), "1.0.1", nil},
		{"too late", []string{"1.0.0", "1.0.1"}, WithIfLatest("1.0.0"), "", ErrConflict},
		{"never was", []string{"1.0.0"}, WithIfLatest("2.0.0"), "", ErrConflict},
		{"chosen number above", []string{"1.0.0", "3.0.0"}, WithIfLatest("1.0.0"), "", ErrConflict},
		{"pre-release above", []string{"1.0.0", "3.0.0-rc.1"}, WithIfLatest("1.0.0"), "1.0.1", nil},
		{"follows a pre-release", []string{"1.0.0-rc.1", "1.0.0-rc.2"}, WithIfLatest("1.0.0-rc.2"), "1.0.0", nil},
		{"it was deleted", []string{"1.0.0", "1.0.1", "-1.0.1"}, WithIfLatest("1.0.1"), "", ErrConflict},
		{"one above was deleted", []string{"1.0.0", "1.0.1", "-1.0.1"}, WithIfLatest("1.0.0"), "1.0.2", nil},
		{"all were deleted", []string{"1.0.0", "-1.0.0"}, WithIfAbsent(), "1.0.1", nil},
		{"all were deleted, none to follow", []string{"1.0.0", "-1.0.0"}, WithIfLatest("1.0.0"), "", ErrConflict},
		{"no version", []string{"1.0.0"}, WithIfLatest(""), "", ErrInvalidVersion},
		{"not a version", []string{"1.0.0"}, WithIfLatest("latest"), "", ErrInvalidVersion},
	} {
		trace := tracestore.New(newStore(t))
		r := openOn(t, trace, nil)
		for _, s := range c.steps {
			if v, gone := strings.CutPrefix(s, "-"); gone {
				must[*DeleteReport](t)(r.Delete(t.Context(), "m@"+v, nil))
			} else {
				mustSave(t, r, "m", s, WithVersion(s))
			}
		}
		trace.Reset()
		v, err := r.Save(t.Context(), "m", noise(1, 1<<20), c.opt)
		if !errors.Is(err, c.err) || err == nil && v.String() != c.want {
			t.Errorf("%s: saved as %s, %v; want %s, %v", c.name, v, err, c.want, c.err)
		}
		if err != nil && (trace.Count("put") > 0 || errors.Is(err, ErrNotFound)) {
			t.Errorf("%s: %d puts before %v", c.name, trace.Count("put"), err)
		}
	}
	r, _ := inMemory(t)
	for _, opt := range []SaveOption{WithIfAbsent(), WithIfLatest("1")} {
		_, err := r.Save(t.Context(), "m", "x", opt, WithVersion("2"))
		wantErr(t, err, ErrInvalidVersion)
	}
}

// Somebody saves between the check and the commit: by the next number, which
// the commit runs into, or by another while the data moves, which a second
// look finds. Nothing is saved then, and no other number tried.
func TestSaveIfLatestChangesMeanwhile(t *testing.T) {
	for _, c := range []struct {
		at   string // before a put of such a key
		body any
		opts []SaveOption // of the other
	}{
		{"objects/", "small", nil},
		{"objects/", noise(1, 1<<20), nil},
		{"packs/", noise(1, 1<<20), nil},
		{"packs/", noise(1, 1<<20), []SaveOption{WithVersion("5")}},
	} {
		r, fst, mem := faulty(t)
		other := openOn(t, mem, nil)
		mustSave(t, r, "m", "zero")
		fst.Plan(atPut(0, c.at, faultstore.Fault{Do: func() { mustSave(t, other, "m", "theirs", c.opts...) }}))
		_, err := r.Save(t.Context(), "m", c.body, WithIfLatest("1.0.0"))
		fst.Plan(nil)
		wantErr(t, err, ErrConflict)
		if got := liveVersions(t, r, "m"); len(got) != 2 {
			t.Errorf("live are %v", got)
		}
	}
	// A lost answer is not a conflict with oneself.
	r, fst, _ := faulty(t)
	mustSave(t, r, "m", "zero")
	fst.Plan(atPut(0, "objects/", faultstore.Fault{After: store.ErrUnknown}))
	if v := mustSave(t, r, "m", "one", WithIfLatest("1.0.0")); v.String() != "1.0.1" {
		t.Errorf("saved as %s", v)
	}
}

func TestSaveWithTag(t *testing.T) {
	r, fst, _ := faulty(t)
	mustSave(t, r, "m", "zero", WithTag("prod"))
	trace := 0
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op == "put" && strings.HasPrefix(c.Key, "tags/") {
			trace++
		}
		return faultstore.Fault{}
	})
	mustSave(t, r, "m", "one", WithTag("prod", "beta"), WithTag("prod"))
	if trace != 2 {
		t.Errorf("%d writes of tags, want 2", trace)
	}
	wantTags(t, r, "m", "beta=1.0.1", "prod=1.0.1")

	// The version stands although it could not be tagged.
	fst.Plan(atPut(0, "tags/", faultstore.Fault{Before: fs.ErrPermission}))
	var report SaveReport
	v, err := r.Save(t.Context(), "m", "two", WithTag("prod", "beta"), WithReport(&report))
	fst.Plan(nil)
	te := (*TagError)(nil)
	if !errors.As(err, &te) || te.Version != v || !slices.Equal(te.Tags, []string{"prod"}) || v.Patch != 2 || report.Info.Version != v {
		t.Errorf("saved as %s, reported %s, with %v", v, report.Info.Version, err)
	}
	wantErr(t, err, fs.ErrPermission)
	if err == nil || !strings.Contains(err.Error(), "saved as version 1.0.2, but not tagged prod") {
		t.Errorf("error %q", err)
	}
	wantTags(t, r, "m", "beta=1.0.2", "prod=1.0.1")
}

// A save that came too late takes the tags with it that somebody has set on
// what it had shown.
func TestTooSlowSaveDropsTags(t *testing.T) {
	r, fst, mem, clock := timed(t)
	other := openOn(t, mem, nil)
	puts := 0
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op == "put" && strings.HasPrefix(c.Key, "objects/") {
			switch puts++; puts {
			case 1:
				return faultstore.Fault{Do: func() { clock.advance(23*time.Hour + time.Minute) }}
			case 2:
				return faultstore.Fault{Do: func() {
					if _, err := other.Tag(context.Background(), "m@1.0.0", "prod", nil); err != nil {
						t.Error(err)
					}
				}}
			}
		}
		return faultstore.Fault{}
	})
	_, err := r.Save(t.Context(), "m", noise(1, 1<<20))
	wantErr(t, err, ErrTooSlow)
	for tag, err := range other.Tags(t.Context(), "m") {
		t.Errorf("left: %+v, %v", tag, err)
	}
}
