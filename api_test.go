package registry

import (
	"bytes"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/mindtrace/registry/cache"
	"github.com/mindtrace/registry/material"
)

// publicPackages are those that users import.
func publicPackages(t *testing.T) (names []string) {
	for name := range strings.FieldsSeq(string(must[[]byte](t)(exec.Command("go", "list", "./...").Output()))) {
		rel := strings.TrimPrefix(name, module)
		if !strings.Contains(rel, "/internal/") && !strings.HasPrefix(rel, "/cmd/") && !strings.HasPrefix(rel, "/examples/") {
			names = append(names, name)
		}
	}
	return names
}

// A user never holds a value whose type they cannot name or read about.
func TestNoInternalTypeLeaks(t *testing.T) {
	exports := map[string]string{}
	out := must[[]byte](t)(exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "./...").Output())
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 2 {
			exports[f[0]] = f[1]
		}
	}
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	names := publicPackages(t)
	if len(names) < 10 {
		t.Fatalf("public packages: %q", names)
	}
	for _, name := range names {
		pkg := must[*types.Package](t)(imp.Import(name))
		for _, id := range pkg.Scope().Names() {
			if o := pkg.Scope().Lookup(id); o.Exported() {
				leaks(t, strings.TrimPrefix(name, module)+"."+id, o.Type(), map[types.Type]bool{})
			}
		}
	}
}

// leaks fails for what of a type a user can reach and is of an internal
// package.
func leaks(t *testing.T, at string, typ types.Type, seen map[types.Type]bool) {
	if seen[typ] {
		return
	}
	seen[typ] = true
	named := func(o *types.TypeName) bool {
		switch {
		case o.Pkg() == nil || !strings.HasPrefix(o.Pkg().Path(), module):
			return true
		case strings.Contains(o.Pkg().Path(), "/internal/"):
			t.Errorf("%s: %s is of an internal package", at, o.Type())
			return true
		}
		return false
	}
	switch typ := typ.(type) {
	case *types.Alias:
		if !named(typ.Obj()) {
			leaks(t, at, types.Unalias(typ), seen)
		}
	case *types.Named:
		if named(typ.Obj()) {
			return
		}
		for m := range typ.Methods() {
			if m.Exported() {
				leaks(t, at+"."+m.Name(), m.Type(), seen)
			}
		}
		leaks(t, at, typ.Underlying(), seen)
	case *types.Struct:
		for f := range typ.Fields() {
			if f.Exported() || f.Embedded() {
				leaks(t, at+"."+f.Name(), f.Type(), seen)
			}
		}
	case *types.Interface:
		for m := range typ.Methods() {
			if m.Exported() {
				leaks(t, at+"."+m.Name(), m.Type(), seen)
			}
		}
	case *types.Signature:
		for v := range typ.Params().Variables() {
			leaks(t, at, v.Type(), seen)
		}
		for v := range typ.Results().Variables() {
			leaks(t, at, v.Type(), seen)
		}
	case *types.Map:
		leaks(t, at, typ.Key(), seen)
		leaks(t, at, typ.Elem(), seen)
	case interface{ Elem() types.Type }: // pointers, slices, arrays, channels
		leaks(t, at, typ.Elem(), seen)
	}
}

// What an Error and a Progress say was attempted is one of the constants.
func TestOpsAreDeclared(t *testing.T) {
	literals := 0
	for _, name := range must[[]string](t)(filepath.Glob("*.go")) {
		if strings.HasSuffix(name, "_test.go") || name == "op.go" {
			continue
		}
		file := must[*ast.File](t)(parser.ParseFile(token.NewFileSet(), name, nil, 0))
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "wrap" {
					literals++
					if lit, ok := n.Args[1].(*ast.BasicLit); ok {
						t.Errorf("%s: wrap with %s, which is no constant", name, lit.Value)
					}
				}
			case *ast.KeyValueExpr:
				if k, ok := n.Key.(*ast.Ident); ok && k.Name == "Op" {
					if lit, ok := n.Value.(*ast.BasicLit); ok {
						t.Errorf("%s: Op: %s, which is no constant", name, lit.Value)
					}
				}
			}
			return true
		})
	}
	if literals < 30 {
		t.Errorf("only %d calls of wrap were found", literals)
	}
}

// Every field of a report has a name in JSON.
func TestReportsHaveJSONNames(t *testing.T) {
	for _, report := range []any{
		SaveReport{}, LoadReport{}, CheckoutReport{}, DeleteReport{}, UndeleteReport{}, TagReport{}, UntagReport{}, PruneReport{}, Pruned{},
		PurgeReport{}, PurgedVersion{}, CopyReport{}, CopiedVersion{}, VerifyReport{}, Problem{}, Damage{}, Hurt{}, RepairReport{},
		GCReport{}, GCVersions{}, GCEras{}, GCAmount{}, CleanReport{}, Leftover{}, LeftOut{}, BreakLockReport{},
		Info{}, Resolved{}, File{}, Tag{}, TagMove{},
	} {
		typ := reflect.TypeOf(report)
		for f := range typ.Fields() {
			if tag := f.Tag.Get("json"); tag == "" || strings.HasPrefix(tag, ",") || tag == "-" {
				t.Errorf("%s.%s has no name in JSON", typ.Name(), f.Name)
			}
		}
	}
}

// Options that contradict each other are refused, and so is one that is given
// twice, whatever their order. No option is ignored. Nothing is written.
func TestContradictoryOptions(t *testing.T) {
	mem := newStore(t)
	r := openOn(t, mem, nil)
	mustSave(t, r, "m", "x")
	before := keysOf(t, mem)
	dest := Path(filepath.Join(t.TempDir(), "dest"))
	var report LoadReport
	for name, options := range map[string]any{
		"base, no reuse":            []SaveOption{WithBase("m"), WithoutReuse()},
		"if latest, if absent":      []SaveOption{WithIfLatest("1.0.0"), WithIfAbsent()},
		"if latest, version":        []SaveOption{WithIfLatest("1.0.0"), WithVersion("2.0.0")},
		"two versions":              []SaveOption{WithVersion("2.0.0"), WithVersion("3.0.0")},
		"two of if latest":          []SaveOption{WithIfLatest("1.0.0"), WithIfLatest("1.0.1")},
		"two materializers":         []SaveOption{WithMaterializer(material.Text{}), WithMaterializer(material.Bytes{})},
		"exact, no clobber":         []LoadOption{WithExact(), WithNoClobber()},
		"two reports":               []LoadOption{WithLoadReport(&report), WithLoadReport(&report)},
		"a materializer for a Path": []LoadOption{WithMaterializer(material.Text{})},
	} {
		for i := range 2 {
			var err error
			switch o := options.(type) {
			case []SaveOption:
				reflect.Swapper(o)(0, len(o)-1)
				_, err = r.Save(t.Context(), "m", "y", o...)
			case []LoadOption:
				reflect.Swapper(o)(0, len(o)-1)
				err = r.Load(t.Context(), "m", dest, o...)
			}
			if err == nil || !strings.Contains(err.Error(), ":") {
				t.Errorf("%s, order %d: %v", name, i, err)
			}
		}
	}
	change := func(string, *Info) (string, error) {
		t.Error("an update that is refused has called change")
		return "y", nil
	}
	if _, err := Update(t.Context(), r, "m", change, WithIfLatest("1.0.0")); err == nil {
		t.Error("an update takes a condition of its caller's")
	}
	local, err := cache.Open(&cache.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), "mem://far", &Options{Offline: true, Create: true, Cache: local}); err == nil || !strings.Contains(err.Error(), "contradict") {
		t.Errorf("a registry is made offline: %v", err)
	}
	if _, err := OpenStore(t.Context(), mem, "test:", &Options{Offline: true}); err == nil {
		t.Error("a store that is there is opened offline")
	}
	if after := keysOf(t, mem); !reflect.DeepEqual(after, before) {
		t.Errorf("there were %q, and are %q", before, after)
	}
	if _, err := os.Stat(string(dest)); err == nil {
		t.Error("a refused load has made its destination")
	}
	// What is empty is not given: it neither contradicts another option nor undoes it.
	if v := mustSave(t, r, "m", "y", WithBase(""), WithoutReuse(), WithVersion("7.0.0"), WithVersion("")); v.String() != "7.0.0" {
		t.Errorf("saved as %s", v)
	}
}

// A dry run says what the call would do, and writes nothing.
func TestDryRuns(t *testing.T) {
	mem := newStore(t)
	r := openOn(t, mem, nil)
	for i := range 3 {
		mustSave(t, r, "m", strconv.Itoa(i))
	}
	mustDelete(t, r, "m@1.0.0")
	to, toStore := inMemory(t)
	before, toBefore := keysOf(t, mem), keysOf(t, toStore)
	var bodies bytes.Buffer
	dump := func() string {
		bodies.Reset()
		for _, key := range keysOf(t, mem) {
			body, _, err := mem.Get(t.Context(), key, nil)
			if err != nil {
				t.Fatal(err)
			}
			bodies.Write(body)
		}
		return bodies.String()
	}
	was := dump()
	if rep := must[*DeleteReport](t)(r.Delete(t.Context(), "m@*", &DeleteOptions{DryRun: true})); !rep.DryRun || len(rep.Deleted) != 2 {
		t.Errorf("%+v", rep)
	}
	if rep := must[*UndeleteReport](t)(r.Undelete(t.Context(), "m@1.0.0", &UndeleteOptions{DryRun: true})); !rep.DryRun || rep.Version.String() != "1.0.0" {
		t.Errorf("%+v", rep)
	}
	if rep := must[*CopyReport](t)(Copy(t.Context(), to, r, "m", &CopyOptions{DryRun: true})); !rep.DryRun || len(rep.Copied) != 2 || rep.Copied[0].Digest == "" {
		t.Errorf("%+v", rep)
	}
	if rep := must[*PruneReport](t)(r.Prune(t.Context(), &PruneOptions{KeepLast: 1, DryRun: true})); !rep.DryRun || len(rep.Deleted) != 1 {
		t.Errorf("%+v", rep)
	}
	if rep := must[*PurgeReport](t)(r.Purge(t.Context(), "m@1.0.0", &PurgeOptions{DryRun: true})); !rep.DryRun || len(rep.Purged) != 1 {
		t.Errorf("%+v", rep)
	}
	if rep := wouldGC(t, r); !rep.DryRun {
		t.Errorf("%+v", rep)
	}
	if after, toAfter := keysOf(t, mem), keysOf(t, toStore); !reflect.DeepEqual(after, before) || !reflect.DeepEqual(toAfter, toBefore) || dump() != was {
		t.Errorf("there were %q and %q, and are %q and %q", before, toBefore, after, toAfter)
	}
}
