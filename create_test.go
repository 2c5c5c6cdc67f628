package registry

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/filestore"
	"github.com/mindtrace/registry/store/memstore"
)

// Another process makes and fills a registry between two requests of Open(Create):
// Open opens that registry, whichever two requests they are.
func TestCreateRaces(t *testing.T) {
	for n := range 4 {
		st := newStore(t)
		var other *Registry
		calls := 0
		fst := faultstore.New(st, func(c faultstore.Call) faultstore.Fault {
			if calls++; calls != n+1 {
				return faultstore.Fault{}
			}
			return faultstore.Fault{Do: func() {
				other = openOn(t, st, nil)
				mustSave(t, other, "a", "x")
			}}
		})
		r, err := OpenStore(context.Background(), fst, "test:", &Options{Create: true})
		if err != nil {
			t.Errorf("somebody was faster before request %d: %v", n, err)
			continue
		}
		if other == nil || r.ID() != other.ID() {
			t.Errorf("before request %d: not the same registry", n)
		}
		mustLoad[string](t, r, "a")
	}
}

// A registry is not made amid other files, also if their names are no keys.
// What systems leave everywhere does not count.
func TestCreateAmidFiles(t *testing.T) {
	for path, ok := range map[string]bool{
		"README.md": false, "Makefile": false, "src/Main.java": false, "a b": false, "data.csv": false,
		".DS_Store": true, ".git/HEAD": true, "lost+found/#12": true, "Empty/": true,
	} {
		dir := t.TempDir()
		full := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
			t.Fatal(err)
		}
		if path[len(path)-1] == '/' {
			if err := os.MkdirAll(full, 0o777); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(full, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
		st, err := filestore.New(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = OpenStore(t.Context(), store.Store(st), dir, &Options{Create: true})
		if ok && err != nil || !ok && !errors.Is(err, ErrNotEmpty) {
			t.Errorf("beside %s: %v", path, err)
		}
		if !ok {
			if entries, _ := os.ReadDir(dir); len(entries) != 1 {
				t.Errorf("beside %s, something was made: %v", path, entries)
			}
		}
	}
}

// The command that is advised can be pasted into a shell as it is.
func TestAdviceCanBePasted(t *testing.T) {
	for url, word := range map[string]string{
		"mem://bucket/a.b-c":         "mem://bucket/a.b-c",
		"mem://bucket?region=x&a=b":  "'mem://bucket?region=x&a=b'",
		"mem://it's; rm -rf ~/a b$c": `'mem://it'\''s; rm -rf ~/a b$c'`,
	} {
		_, err := OpenStore(t.Context(), memstore.New(nil), url, nil)
		if !errors.Is(err, ErrNoRegistry) || !strings.Contains(err.Error(), "run mindreg init "+word+" (") {
			t.Error(err)
		}
	}
}
