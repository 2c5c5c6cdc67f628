package fault_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/version"
)

// sentinels are all errors of the package, by name.
var sentinels = map[string]error{
	"ErrNotFound": fault.ErrNotFound, "ErrDeleted": fault.ErrDeleted, "ErrPurged": fault.ErrPurged,
	"ErrExists": fault.ErrExists, "ErrConflict": fault.ErrConflict, "ErrInvalidRef": fault.ErrInvalidRef,
	"ErrTagged": fault.ErrTagged, "ErrDangling": fault.ErrDangling, "ErrNoRegistry": fault.ErrNoRegistry,
	"ErrNotEmpty": fault.ErrNotEmpty, "ErrIntegrity": fault.ErrIntegrity, "ErrTooLarge": fault.ErrTooLarge,
	"ErrNoSpace": fault.ErrNoSpace, "ErrTooSlow": fault.ErrTooSlow,
	"ErrOutcomeUnknown": fault.ErrOutcomeUnknown, "ErrUnsafeStore": fault.ErrUnsafeStore,
}

// also are the errors that an error is besides itself.
var also = map[string][]string{
	"ErrDeleted": {"ErrNotFound"},
	"ErrPurged":  {"ErrDeleted", "ErrNotFound"},
}

// Each error is itself, those that also lists, and no other.
func TestErrorsAreWhatTheySay(t *testing.T) {
	for name, err := range sentinels {
		want := map[string]bool{name: true}
		for _, other := range also[name] {
			want[other] = true
		}
		for other, target := range sentinels {
			if errors.Is(err, target) != want[other] {
				t.Errorf("%s is %s: %t", name, other, !want[other])
			}
		}
	}
}

// Each type shows its cause to errors.Is, and its fields in its text.
func TestTypesWrapTheirCause(t *testing.T) {
	for _, c := range []struct {
		err  error
		is   []error
		says []string
	}{
		{
			&fault.OutcomeError{Key: "tags/m/@/prod.json", Nonce: "5eed", Err: fs.ErrClosed},
			[]error{fault.ErrOutcomeUnknown, fs.ErrClosed}, []string{"tags/m/@/prod.json", "5eed", fs.ErrClosed.Error()},
		},
		{
			&fault.UnreadableError{Key: "objects/m/@/", Ref: "m", Remedy: "try this", Err: fs.ErrPermission},
			[]error{fs.ErrPermission}, []string{"objects/m/@/: ", "(try this)", fs.ErrPermission.Error()},
		},
		{
			&fault.TagError{Version: version.Version{Major: 2}, Tags: []string{"a", "b"}, Err: fault.ErrConflict},
			[]error{fault.ErrConflict}, []string{"2.0.0", "a, b", fault.ErrConflict.Error()},
		},
		{
			&fault.SideError{Side: fault.Destination, URL: "file:///srv/m", Err: fault.ErrIntegrity},
			[]error{fault.ErrIntegrity}, []string{"destination file:///srv/m: ", fault.ErrIntegrity.Error()},
		},
	} {
		for _, target := range c.is {
			if !errors.Is(c.err, target) {
				t.Errorf("%T is not %v", c.err, target)
			}
		}
		for _, text := range c.says {
			if !strings.Contains(c.err.Error(), text) {
				t.Errorf("%T: %q does not say %q", c.err, c.err, text)
			}
		}
		if errors.Is(c.err, fault.ErrTooSlow) {
			t.Errorf("%T is ErrTooSlow", c.err)
		}
	}
}

// A key that the cause names is not said twice.
func TestUnreadableErrorNamesItsKeyOnce(t *testing.T) {
	err := &fault.UnreadableError{Key: "objects/m/@/", Err: errors.New("objects/m/@/: no")}
	if got := err.Error(); got != "objects/m/@/: no" {
		t.Errorf("%q", got)
	}
}

// Package registry exports every name of this one, with the same value: users
// match errors without importing package fault.
func TestRegistryExportsAll(t *testing.T) {
	declared, exported := names(t, "."), names(t, "..")
	found := 0
	for name := range declared {
		if !ast.IsExported(name) {
			continue
		}
		found++
		if exported[name] != "fault."+name {
			t.Errorf("registry.%s is %q, not fault.%s", name, exported[name], name)
		}
		if _, ok := sentinels[name]; strings.HasPrefix(name, "Err") && !ok {
			t.Errorf("%s is not in the table of this test", name)
		}
	}
	if found < len(sentinels)+4 {
		t.Errorf("%d names found", found)
	}
}

// names returns the names that the package in a directory declares at its top
// level, functions apart, and what of another package each is equal to.
func names(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	equal := map[string]string{}
	note := func(name string, value ast.Expr) {
		equal[name] = ""
		if sel, ok := value.(*ast.SelectorExpr); ok {
			if pkg, ok := sel.X.(*ast.Ident); ok {
				equal[name] = pkg.Name + "." + sel.Sel.Name
			}
		}
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					note(spec.Name.Name, spec.Type)
				case *ast.ValueSpec:
					for i, name := range spec.Names {
						if i < len(spec.Values) {
							note(name.Name, spec.Values[i])
						} else {
							note(name.Name, nil)
						}
					}
				}
			}
		}
	}
	return equal
}
