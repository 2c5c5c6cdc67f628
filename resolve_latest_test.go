package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store/faultstore"
)

// The latest version is deleted while it is looked for, but not before the
// next one was saved: what lies below both never was the latest.
func TestLatestAmongDeletions(t *testing.T) {
	r, fst, mem := faulty(t)
	other := openOn(t, mem, nil)
	for _, v := range []string{"first", "second"} {
		mustSave(t, r, "m", v)
	}
	second := must[*Info](t)(r.Info(t.Context(), "m")).Version
	met := false
	fst.Plan(func(c faultstore.Call) (f faultstore.Fault) {
		if c.Op == "get" && c.Key == manifest.VersionKey("m", second) && !met {
			met = true
			f.Do = func() {
				mustSave(t, other, "m", "third")
				must[*DeleteReport](t)(other.Delete(context.Background(), "m@"+second.String(), nil))
			}
		}
		return f
	})
	if got := mustLoad[string](t, r, "m"); got != "third" || !met {
		t.Errorf("the latest is %q; first was not the latest at any time", got)
	}
}

// I8: while a deleted version is read, the next is saved and the other
// deleted; the version below was never the latest.
func TestLatestBesideDelete(t *testing.T) {
	mem := newStore(t)
	fst := faultstore.New(mem, nil)
	r, other := openOn(t, fst, nil), openOn(t, mem, nil)
	mustSave(t, other, "m", "a")
	mustSave(t, other, "m", "b")
	once := false
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op != "get" || !strings.HasPrefix(c.Key, "objects/") || once {
			return faultstore.Fault{}
		}
		once = true
		return faultstore.Fault{Do: func() {
			mustSave(t, other, "m", "c")
			mustDelete(t, other, "m@1.0.1")
		}}
	})
	if got := mustLoad[string](t, r, "m"); got != "c" {
		t.Errorf("the latest is %q", got)
	}
}

// Where all changes all the time, the reader is told, and does not hang.
func TestLatestNeverRests(t *testing.T) {
	mem := newStore(t)
	fst := faultstore.New(mem, nil)
	r, other := openOn(t, fst, nil), openOn(t, mem, nil)
	mustSave(t, other, "m", "x")
	listed := false
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if !listed || c.Op != "get" {
			listed = c.Op == "list"
			return faultstore.Fault{}
		}
		listed = false
		return faultstore.Fault{Do: func() {
			mustSave(t, other, "m", "x")
			_, v, err := manifest.ParseVersionRegisterKey(c.Key)
			if err != nil {
				t.Error(err)
			}
			if _, err := other.Delete(t.Context(), "m@"+v.String(), nil); err != nil && !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
		}}
	})
	wantErr(t, r.Load(t.Context(), "m", new(string)), ErrConflict)
}

// seedDir writes registers of versions of the object m into a directory.
func seedDir(t *testing.T, dir string, state manifest.State, versions ...string) {
	t.Helper()
	for _, v := range versions {
		m := manifest.NewManifest("m", must[Version](t)(ParseVersion(v)), newTestClock().now())
		m.Content.Materializer = "string"
		m.Content.Files = []manifest.File{{Path: "value.txt", Size: 4, SHA256: manifest.Sum([]byte("seed"))}}
		m.Placement.Inline, m.State = []byte("seed"), state
		if err := m.Seal(); err != nil {
			t.Fatal(err)
		}
		body := must[[]byte](t)(m.Encode())
		path := filepath.Join(dir, filepath.FromSlash(manifest.VersionKey(m.Name, m.Version)))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, body, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func numbered(format string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf(format, i))
	}
	return all
}

// In a directory only the highest versions are listed. The latest and the next
// are what they are among all.
func TestHighestOfADirectory(t *testing.T) {
	for _, c := range []struct {
		name          string
		live, deleted []string
		latest, next  string // latest "": no version is live
	}{
		{"few", numbered("1.0.%d", 3), nil, "1.0.2", "1.0.3"},
		{"as many as are listed", numbered("1.0.%d", 16), nil, "1.0.15", "1.0.16"},
		{"many", numbered("1.0.%d", 300), nil, "1.0.299", "1.0.300"},
		{"pre-releases above", numbered("1.0.%d", 40), nil, "1.0.39", "1.0.40"},
		{"many deleted above", []string{"1.0.0"}, numbered("2.0.%d", 50), "1.0.0", "2.0.50"},
		{"all deleted", nil, numbered("1.0.%d", 50), "", "1.0.50"},
		{"pre-releases alone", numbered("1.0.0-rc.%d", 50), nil, "1.0.0-rc.49", "1.0.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			r := must[*Registry](t)(Open(t.Context(), dir, &Options{Create: true}))
			seedDir(t, dir, manifest.Live, c.live...)
			seedDir(t, dir, manifest.Deleted, c.deleted...)
			if c.name == "pre-releases above" {
				seedDir(t, dir, manifest.Live, numbered("3.0.0-rc.%d", 50)...)
			}
			info, err := r.Info(t.Context(), "m")
			if c.latest == "" && err == nil || c.latest != "" && (err != nil || info.Version.String() != c.latest) {
				t.Errorf("the latest is %+v (%v), want %s", info, err, c.latest)
			}
			if v := mustSave(t, r, "m", "next"); v.String() != c.next {
				t.Errorf("saved %s, want %s", v, c.next)
			}
		})
	}
}
