package store_test

import (
	"context"
	"io/fs"
	"iter"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
	"github.com/mindtrace/registry/store/tracestore"
)

// As finds the outermost store that has an interface.
func TestAs(t *testing.T) {
	file := &flushing{memstore.New(nil)}
	inner := tracestore.New(file)
	outer := tracestore.New(inner)
	if f, ok := store.As[store.Flusher](outer); !ok || f != store.Flusher(file) {
		t.Errorf("a Flusher below two wrappers: %v, %v", f, ok)
	}
	if s, ok := store.As[*tracestore.Store](outer); !ok || s != outer {
		t.Errorf("of two, it returns %p, want the outermost %p", s, outer)
	}
	if f, ok := store.As[store.Flusher](tracestore.New(memstore.New(nil))); ok {
		t.Errorf("a Flusher where there is none: %v", f)
	}
}

// A wrapper without Keys is not bypassed: it sees the listing.
func TestKeysAsksTheOutermostStore(t *testing.T) {
	trace := tracestore.New(&flushing{memstore.New(nil)})
	for _, err := range store.Keys(t.Context(), trace, "a/", "") {
		t.Fatal(err)
	}
	if n := trace.Count("list"); n != 1 {
		t.Errorf("the wrapper saw %d listings, want 1", n)
	}
}

// A KeyLister may leave it to List.
func TestKeysOfNil(t *testing.T) {
	st := leaving{memstore.New(nil)}
	if _, err := st.Put(t.Context(), "a/b", nil, store.Absent); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for key, err := range store.Keys(t.Context(), st, "a/", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if !slices.Equal(keys, []string{"a/b"}) {
		t.Errorf("keys %q", keys)
	}
}

type leaving struct{ store.Store }

func (leaving) Keys(context.Context, string, string) iter.Seq2[string, error] { return nil }

// flushing is a store with two optional interfaces.
type flushing struct{ store.Store }

func (*flushing) Flush(context.Context, string) error { return nil }

func (*flushing) Keys(context.Context, string, string) iter.Seq2[string, error] {
	return func(func(string, error) bool) {}
}

// Every optional interface is in the table of optional.go and in the guide for
// backends.
func TestOptionalInterfacesAreListed(t *testing.T) {
	source := string(must(fs.ReadFile(os.DirFS("."), "optional.go")))
	guide := string(must(fs.ReadFile(os.DirFS("../docs"), "new-store.md")))
	found := regexp.MustCompile(`(?m)^type (\w+) interface`).FindAllStringSubmatch(source, -1)
	if len(found) < 12 {
		t.Fatalf("only %d interfaces found", len(found))
	}
	for _, m := range found {
		name := m[1]
		if name == "Staged" { // of Stager
			continue
		}
		if !regexp.MustCompile(`(?m)^//\t` + name + ` `).MatchString(source) {
			t.Errorf("%s is not in the table of optional.go", name)
		}
		if !strings.Contains(guide, "| `"+name+"` |") {
			t.Errorf("%s is not in docs/new-store.md", name)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
