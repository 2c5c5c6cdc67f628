package registry

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/tracestore"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// What each operation costs, request by request, on every store. A change of
// this file is a change of the product's speed and bill.
func TestRequestsPerOperation(t *testing.T) {
	onEveryStore(t, func(t *testing.T, st store.Store) {
		trace := tracestore.New(st)
		var b strings.Builder
		step := func(title string, do func()) {
			trace.Reset()
			do()
			fmt.Fprintf(&b, "# %s\n%s\n", title, withoutProbe(trace.String()))
		}
		var r *Registry
		step("init", func() { r = openOn(t, trace, nil) })
		step("open", func() { r = openOn(t, trace, nil) })
		step("save a small object", func() { mustSave(t, r, "my:model", "first") })
		step("save its second version", func() { mustSave(t, r, "my:model", "second") })
		step("save a small object under a version", func() { mustSave(t, r, "my:model", "third", WithVersion("2.0.0")) })
		step("load the latest", func() { mustLoad[string](t, r, "my:model") })
		step("load one version", func() { mustLoad[string](t, r, "my:model@1.0.0") })
		step("load a range", func() { mustLoad[string](t, r, "my:model@^1") })
		step("has", func() { must[bool](t)(r.Has(t.Context(), "my:model@1.0.0")) })
		step("info of the latest", func() { must[*Info](t)(r.Info(t.Context(), "my:model")) })
		step("list objects", func() {
			for _, err := range r.Objects(t.Context(), "") {
				if err != nil {
					t.Fatal(err)
				}
			}
		})
		step("delete", func() { must[*DeleteReport](t)(r.Delete(t.Context(), "my:model@2.0.0", nil)) })
		step("load the latest below a deleted one", func() { mustLoad[string](t, r, "my:model") })
		step("undelete", func() {
			if _, err := r.Undelete(t.Context(), "my:model@2.0.0", nil); err != nil {
				t.Fatal(err)
			}
		})
		big := noise(1, 1<<20)
		step("save 1 MiB", func() { mustSave(t, r, "big", big) })
		step("save it again unchanged", func() { mustSave(t, r, "big", big) })
		step("load it", func() { mustLoad[[]byte](t, r, "big") })
		step("verify it", func() { must[*VerifyReport](t)(r.Verify(t.Context(), "big@latest", nil)) })

		golden(t, "requests.txt", b.String())
	})
}

// withoutProbe makes one line of the requests of a probe, which race.
func withoutProbe(trace string) string {
	var lines []string
	for line := range strings.Lines(trace) {
		if strings.Contains(line, "probe/") {
			line = "probe\n"
		}
		if n := len(lines); n == 0 || line != "probe\n" || lines[n-1] != line {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (rewrite it with -update):\n%s", path, lineDiff(string(want), got))
	}
}

// lineDiff shows the first lines that differ.
func lineDiff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		if i >= len(w) || i >= len(g) || w[i] != g[i] {
			return fmt.Sprintf("line %d\nwant %s\ngot  %s", i+1,
				strings.Join(w[min(i, len(w)):min(i+3, len(w))], "\n     "), strings.Join(g[min(i, len(g)):min(i+3, len(g))], "\n     "))
		}
	}
	return ""
}
