package registry

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Nothing is loaded to a place of a registry's own, in the one that is loaded from
// or in another, also if that cannot be read.
func TestNothingGoesIntoRegistries(t *testing.T) {
	base := t.TempDir()
	at := func(p string) string { return filepath.Join(base, filepath.FromSlash(p)) }
	mine := must[*Registry](t)(Open(t.Context(), at("mine"), &Options{Create: true}))
	mustSave(t, mine, "packs", Path(writeFiles(t, map[string][]byte{"x": noise(1, 1<<20), "d/y": nil})))
	mustSave(t, mine, "file", oneFile(t, "registry.json", "{}"))
	for _, other := range []string{"other", "damaged"} {
		mustSave(t, must[*Registry](t)(Open(t.Context(), at(other), &Options{Create: true})), "m", noise(2, 1<<20))
	}
	if err := os.WriteFile(at("damaged/registry.json"), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	symlink(t, "mine/packs", at("link"))
	for _, reg := range []string{"mine", "other", "damaged"} {
		for _, c := range []struct{ ref, dest string }{
			{"packs", "packs"}, {"packs", "packs/new"}, {"packs", "packs/new/deep"}, {"packs", "objects"}, {"packs", "tags/new"},
			{"packs", ""}, {"file", ""}, {"file", "registry.json"}, {"packs", "registry.json"}, {"packs", "../link"}, {"packs", "../link/new"},
		} {
			for _, opts := range [][]LoadOption{nil, {WithExact()}} {
				if c.dest == "" && opts != nil {
					continue // see TestExactSpares
				}
				dest := at(reg + "/" + c.dest)
				if err := mine.Load(t.Context(), c.ref, Path(dest), opts...); err == nil || !strings.Contains(err.Error(), "inside the registry") {
					t.Errorf("%s to %s, exact %t: %v", c.ref, dest, opts != nil, err)
				}
			}
		}
	}
	if err := mine.Load(t.Context(), "packs", Path(at("damaged")), WithExact()); err == nil {
		t.Error("a damaged registry was replaced")
	}
	if err := mine.Load(t.Context(), "packs", Path(at("elsewhere/packs"))); err != nil {
		t.Error(err)
	}
	if rep := must[*VerifyReport](t)(mine.Verify(t.Context(), "", nil)); len(rep.Problems) > 0 {
		t.Errorf("%+v", rep.Problems)
	}
}
