package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Each command is built in a file of its own, named for it: tagset.go builds
// "mindreg tag set", and nothing else.
func TestEachCommandHasItsFile(t *testing.T) {
	built := map[string][]string{} // by file, the first words of the Use fields in it
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if !strings.HasSuffix(name, "_test.go") {
			built[name] = uses(t, name)
		}
	}
	want := map[string]string{"root.go": "mindreg"}
	var add func(c *cobra.Command, file string)
	add = func(c *cobra.Command, file string) {
		for _, s := range c.Commands() {
			if s.Name() == "help" || s.Name() == "completion" || s.IsAdditionalHelpTopicCommand() {
				continue // help.go has all help; cobra has completion
			}
			name := file + s.Name()
			want[name+".go"] = s.Name()
			add(s, name)
		}
	}
	add((&app{}).command(), "")
	for file, name := range want {
		if got := built[file]; len(got) != 1 || got[0] != name {
			t.Errorf("%s builds %q, want %q alone", file, got, name)
		}
	}
	for file, names := range built {
		if len(names) > 0 && want[file] == "" && file != "help.go" {
			t.Errorf("%s builds %q, and is not named for it", file, names)
		}
	}
}

// uses returns the names of the commands that a file builds.
func uses(t *testing.T, name string) (names []string) {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		field, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		if key, ok := field.Key.(*ast.Ident); !ok || key.Name != "Use" {
			return true
		}
		text, ok := field.Value.(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s: write the name of the command in its field Use", name)
		}
		use, err := strconv.Unquote(text.Value)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.Fields(use)[0])
		return true
	})
	return names
}
