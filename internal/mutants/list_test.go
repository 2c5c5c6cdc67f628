package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const someList = `# About something.

in: pkg

it does harm
< if a {
<   b()
> if !a {
> b()
test: TestA|TestB
test: -short -run ^TestC$ .

in: pkg/one.go

it does other harm
< c()
survives: nobody calls it
hangs: it waits
`

// A list names the package of its mutants once, and tests of that package by
// their names alone.
func TestParse(t *testing.T) {
	all, err := parse(someList)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d mutants, %v", len(all), err)
	}
	a, b := all[0], all[1]
	if a.name() != "pkg: it does harm" || strings.Join(a.to, ";") != "if !a {;b()" || a.survives != "" || a.hangs {
		t.Errorf("%+v", a)
	}
	if got := strings.Join(a.tests[0], " "); got != "-short -run ^(TestA|TestB)$ ./pkg" {
		t.Error(got)
	}
	if got := strings.Join(a.tests[1], " "); got != "-short -run ^TestC$ ." {
		t.Error(got)
	}
	if b.name() != "pkg/one.go: it does other harm" || b.pkg() != "./pkg" || b.to != nil || b.survives != "nobody calls it" || !b.hangs {
		t.Errorf("%+v", b)
	}
	for _, bad := range []string{"in: pkg\n\nharm", "harm\n< a\n> b", "in: pkg\n\nharm\n< a\n> a", "in: pkg\n\nharm\n< a\nmore"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// A mistake is made where its text is, however that is indented, and nowhere if
// it is there twice. Tests are no place for one.
func TestEdit(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.go":      "package p\n\nfunc f() {\n\tif a {\n\t\tb()\n\t}\n}\n",
		"a_test.go": "package p\n\nif a {\n\tb()\n",
		"b.go":      "package p\n\nfunc g() { c(); c() }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	m := &mutant{in: dir, from: []string{"if a {", "b()"}, to: []string{"if !a {", "b()"}}
	file, text, err := m.edit()
	if want := "package p\n\nfunc f() {\n\tif !a {\nb()\n\t}\n}\n"; err != nil || filepath.Base(file) != "a.go" || text != want {
		t.Errorf("%s: %q, %v", file, text, err)
	}
	for _, from := range []string{"c()", "d()"} {
		m := &mutant{in: dir, from: []string{from}}
		if _, _, err := m.edit(); err == nil {
			t.Errorf("%s is not there once", from)
		}
	}
}
