package registry

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/store/faultstore"
)

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

// The same for a load: an error or the right bytes, and never a panic.
func TestLoadFailureAtEveryCall(t *testing.T) {
	r, fst, _ := faulty(t)
	body := noise(2, 20<<20)
	mustSave(t, r, "m", body)
	boom := errors.New("boom")
	for n := range 5 {
		fst.Plan(func(c faultstore.Call) faultstore.Fault {
			if c.N == n {
				return faultstore.Fault{Before: boom}
			}
			return faultstore.Fault{}
		})
		got, err := Load[[]byte](t.Context(), r, "m")
		if n < 3 { // list, register, at least one pack
			wantErr(t, err, boom)
		} else if err == nil && !slices.Equal(got, body) {
			t.Error("wrong bytes and no error")
		}
	}
}

// From the deletion on, a reader has retain + window to finish. A reader that
// takes longer is told what happened (docs/attacks.md, A33).
func TestLoadOfADeletedVersionFinishes(t *testing.T) {
	for _, c := range []struct {
		takes time.Duration
		want  error
	}{{8 * day, nil}, {9 * day, ErrDeleted}} {
		r, fst, mem, clock := timed(t)
		body := noise(1, 1<<20)
		mustSave(t, r, "m", body)
		clock.advance(30 * day)
		other := openOn(t, mem, nil)
		asleep := false
		fst.Plan(func(call faultstore.Call) faultstore.Fault {
			if asleep || call.Op != "get" || !strings.HasPrefix(call.Key, "packs/") {
				return faultstore.Fault{}
			}
			asleep = true
			return faultstore.Fault{Do: func() {
				mustDelete(t, other, "m@1")
				clock.advance(c.takes)
				mustGC(t, other)
			}}
		})
		got, err := Load[[]byte](t.Context(), r, "m")
		wantErr(t, err, c.want)
		if c.want == nil && !bytes.Equal(got, body) {
			t.Error("wrong bytes")
		}
	}
}

// The latest version is replaced between the listing and the reading: there
// was a latest version at every moment, so a load finds one.
func TestLatestIsReplacedDuringALoad(t *testing.T) {
	r, fst, mem := faulty(t)
	other := openOn(t, mem, nil)
	mustSave(t, r, "m", "zero")
	fst.Plan(atCall(0, "get", manifest.VersionKey("m", Version{Major: 1}), faultstore.Fault{Do: func() {
		mustSave(t, other, "m", "one")
		must[*DeleteReport](t)(other.Delete(context.Background(), "m@1.0.0", nil))
	}}))
	if got := mustLoad[string](t, r, "m"); got != "one" {
		t.Errorf("got %q", got)
	}
}

// Between the two requests of a load by tag, the tag is moved and the version
// that it has left is deleted. The load gets the new version
// (docs/attacks.md, A16).
func TestLoadByTagBesideMoveAndDelete(t *testing.T) {
	r, fst, mem := faulty(t)
	other := openOn(t, mem, nil)
	mustSave(t, r, "m", "zero")
	mustSave(t, r, "m", "one")
	mustTag(t, r, "m@1.0.0", "prod")
	fst.Plan(atCall(0, "get", "objects/", faultstore.Fault{Do: func() {
		mustTag(t, other, "m@1.0.1", "prod")
		must[*DeleteReport](t)(other.Delete(context.Background(), "m@1.0.0", nil))
	}}))
	if got := mustLoad[string](t, r, "m@prod"); got != "one" {
		t.Errorf("got %q", got)
	}
}

// Errors speak of the path that the user wrote, not of a temporary one.
func TestLoadErrorsNameTheDestination(t *testing.T) {
	r, _ := inMemory(t)
	mustSave(t, r, "m", Path(writeFiles(t, map[string][]byte{"a/b": []byte("x")})))
	dest := filepath.Join(writeFiles(t, map[string][]byte{"file": nil}), "file", "new")
	err := r.Load(t.Context(), "m", Path(dest))
	if e := (*fs.PathError)(nil); !errors.As(err, &e) || e.Path != dest {
		t.Errorf("%v does not name %s", err, dest)
	}
}

// A loader that is known by its name only.
func TestRegisterMaterializer(t *testing.T) {
	r, st := inMemory(t)
	m := material.Func("upper", func(ctx context.Context, dst material.Sink, v string) error {
		return material.Text{}.Save(ctx, dst, v)
	}, func(context.Context, fs.FS) (string, error) { return "UPPER", nil })
	mustSave(t, r, "m", "x", WithMaterializer(m))
	other := must[*Registry](t)(OpenStore(t.Context(), st, "test:", nil))
	wantErr(t, other.Load(t.Context(), "m", new(string)), ErrNoMaterializer)
	if err := other.RegisterMaterializer(m); err != nil {
		t.Fatal(err)
	}
	if got := mustLoad[string](t, other, "m"); got != "UPPER" {
		t.Errorf("%q", got)
	}
	if err := other.RegisterMaterializer(material.Func("upper", func(context.Context, material.Sink, int) error { return nil }, func(context.Context, fs.FS) (int, error) { return 0, nil })); err == nil {
		t.Error("two materializers of one name")
	}
}
