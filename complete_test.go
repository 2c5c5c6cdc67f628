package registry_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mindtrace/registry"
)

// Whatever the package exports to be called — methods of Registry and Object,
// functions, options among them — is used by a step that runs on every
// backend, and says so.
func TestNoVerbIsLeftOut(t *testing.T) {
	called := calledBySteps(t)
	for _, name := range exported(t) {
		if !slices.ContainsFunc(verbs, func(s struct {
			uses string
			do   func(*world)
		}) bool {
			return slices.Contains(strings.Fields(s.uses), name)
		}) {
			t.Errorf("no step of TestEveryVerbOnEveryBackend uses %s", name)
		}
	}
	for _, s := range verbs {
		for use := range strings.FieldsSeq(s.uses) {
			name := use[strings.Index(use, ".")+1:]
			if ast.IsExported(name) && name != "Path" && !called[s.uses][name] {
				t.Errorf("step %q does not call %s", s.uses, name)
			}
		}
	}
}

// exported returns Registry.X, Object.X, and the names of functions.
func exported(t *testing.T) []string {
	var names []string
	for _, typ := range []reflect.Type{reflect.TypeFor[*registry.Registry](), reflect.TypeFor[*registry.Object]()} {
		for m := range typ.Methods() {
			names = append(names, typ.Elem().Name()+"."+m.Name)
		}
	}
	return append(names, exportedFuncs(t)...)
}

// exportedFuncs returns what reflection does not see.
func exportedFuncs(t *testing.T) []string {
	entries, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range entries {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.IsExported() {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

// calledBySteps returns, by what a step says it uses, the names behind a dot
// in its function.
func calledBySteps(t *testing.T) map[string]map[string]bool {
	file, err := parser.ParseFile(token.NewFileSet(), "backends_test.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	called := map[string]map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		step, ok := n.(*ast.CompositeLit)
		if !ok || len(step.Elts) != 2 {
			return true
		}
		uses, ok := step.Elts[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		names := map[string]bool{}
		ast.Inspect(step.Elts[1], func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				names[s.Sel.Name] = true
			}
			return true
		})
		called[strings.Trim(uses.Value, `"`)] = names
		return true
	})
	return called
}

// sources returns the package's files, without tests.
func sources() ([]string, error) {
	files, err := filepath.Glob("*.go")
	return slices.DeleteFunc(files, func(name string) bool { return strings.HasSuffix(name, "_test.go") }), err
}
