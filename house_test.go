package registry

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The limits that keep the house easy to walk through.
const (
	maxKnot     = 5   // files of the root that refer to one another, in a circle
	maxMethods  = 15  // unexported methods of Registry
	maxFunction = 80  // lines
	maxFile     = 400 // lines
)

// longer are the functions and files that may be longer, and why.
var longer = map[string]string{
	"internal/sim/oracle.go putRegister": "one rule of the protocol after the other",
}

// A reader of the root walks from the face of a verb down, and not in circles.
func TestRootIsNoKnot(t *testing.T) {
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range must[[]string](t)(filepath.Glob("*.go")) {
		if !strings.HasSuffix(name, "_test.go") {
			files = append(files, must[*ast.File](t)(parser.ParseFile(fset, name, nil, 0)))
		}
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: noImports{}, Error: func(error) {}} // what is imported is not looked at
	pkg, _ := conf.Check(module, fset, files, info)
	fileOf := func(p token.Pos) string { return filepath.Base(fset.Position(p).Filename) }
	methods := 0
	for _, o := range info.Defs {
		if f, ok := o.(*types.Func); ok && !f.Exported() && f.Signature().Recv() != nil && strings.HasSuffix(f.Signature().Recv().Type().String(), ".Registry") {
			methods++
		}
	}
	refers := map[string]map[string]bool{}
	edges := 0
	for id, o := range info.Uses {
		if o.Pkg() != pkg || o.Parent() != pkg.Scope() && !isMember(o) {
			continue
		}
		from, to := fileOf(id.Pos()), fileOf(o.Pos())
		if from == to {
			continue
		}
		if refers[from] == nil {
			refers[from] = map[string]bool{}
		}
		if !refers[from][to] {
			edges++
		}
		refers[from][to] = true
	}
	knot := largestKnot(refers)
	t.Logf("%d files, %d references between them, %d unexported methods of Registry; the largest knot: %q", len(files), edges, methods, knot)
	if len(knot) > maxKnot {
		t.Errorf("%d files refer to one another in circles, the limit is %d: %q", len(knot), maxKnot, knot)
	}
	if methods == 0 || methods > maxMethods {
		t.Errorf("Registry has %d unexported methods, the limit is %d", methods, maxMethods)
	}
}

// isMember reports whether an object is a method or field.
func isMember(o types.Object) bool {
	switch o := o.(type) {
	case *types.Func:
		return o.Signature().Recv() != nil
	case *types.Var:
		return o.IsField()
	}
	return false
}

// largestKnot returns the most files that all refer to one another, directly
// or through others.
func largestKnot(refers map[string]map[string]bool) (largest []string) {
	reach := func(from string) map[string]bool {
		seen := map[string]bool{}
		for todo := []string{from}; len(todo) > 0; {
			at := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for to := range refers[at] {
				if !seen[to] {
					seen[to] = true
					todo = append(todo, to)
				}
			}
		}
		return seen
	}
	all := map[string]map[string]bool{}
	for f := range refers {
		all[f] = reach(f)
	}
	for f, seen := range all {
		var knot []string
		for g := range seen {
			if all[g][f] {
				knot = append(knot, g)
			}
		}
		if slices.Sort(knot); len(knot) > len(largest) || len(knot) == len(largest) && slices.Compare(knot, largest) < 0 {
			largest = knot
		}
	}
	return largest
}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("not looked at") }

// No function and no file is longer than a reader can hold in their head.
func TestNothingIsTooLong(t *testing.T) {
	told := map[string]bool{}
	check := func(what string, lines, most int) {
		if lines <= most {
			return
		}
		if told[what] = true; longer[what] == "" {
			t.Errorf("%s has %d lines, the limit is %d: divide it, or name it with the reason", what, lines, most)
		}
	}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		path = filepath.ToSlash(path)
		check(path, strings.Count(string(src), "\n"), maxFile)
		if strings.HasSuffix(path, "_test.go") {
			return nil // a test is a list of cases
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, src, 0)
		if err != nil {
			return err
		}
		for _, d := range f.Decls {
			if fd, ok := d.(*ast.FuncDecl); ok {
				check(path+" "+fd.Name.Name, fset.Position(fd.End()).Line-fset.Position(fd.Pos()).Line+1, maxFunction)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for what := range longer {
		if !told[what] {
			t.Errorf("%s is not too long any more: take it off the list", what)
		}
	}
}
