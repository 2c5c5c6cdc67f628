package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// docs runs "mindreg docs" and returns the directory that it has filled.
func docs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var stderr bytes.Buffer
	if code := run([]string{"docs", dir}, strings.NewReader(""), io.Discard, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	return dir
}

// Every command that --help shows has a man page with its description, its
// flags and its examples, and no command has two.
func TestEveryCommandHasAManPage(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1795849648")
	dir := docs(t)
	var want []string
	for c := range commands((&app{}).command()) {
		name := pageName(c) + ".1"
		want = append(want, name)
		page, err := os.ReadFile(filepath.Join(dir, "man", name))
		if err != nil {
			t.Error(err)
			continue
		}
		if date := ` "2026-11-28" `; !strings.Contains(string(page), date) {
			t.Errorf("%s lacks the date %s", name, date)
		}
		parts := []string{c.Short, "SYNOPSIS"}
		for line := range strings.Lines(c.Long + "\n" + c.Example) {
			parts = append(parts, strings.TrimSpace(line))
		}
		c.InitDefaultHelpFlag()
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" {
				parts = append(parts, "--"+f.Name)
			}
		})
		for _, part := range parts {
			if !strings.Contains(string(page), escaped(part)) {
				t.Errorf("%s lacks %q", name, part)
			}
		}
	}
	slices.Sort(want)
	var got []string
	pages, err := os.ReadDir(filepath.Join(dir, "man"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		got = append(got, p.Name())
	}
	if !slices.Equal(got, want) || len(want) < 30 {
		t.Errorf("the pages are %q, want %q", got, want)
	}
	main, err := os.ReadFile(filepath.Join(dir, "man", "mindreg.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range []string{"NAME", "SYNOPSIS", "COMMANDS", "ENVIRONMENT", "EXIT CODES", "FILES", "REFS"} {
		if !strings.Contains(string(main), "\n.SH "+quoted(section)+"\n") {
			t.Errorf("mindreg(1) lacks the section %s", section)
		}
	}
}

// The formatters of man pages report no warning.
func TestManPagesAreWellFormed(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1795849648")
	pages, err := filepath.Glob(filepath.Join(docs(t), "man", "*.1"))
	if err != nil || len(pages) == 0 {
		t.Fatal(len(pages), err)
	}
	checked := false
	for _, check := range [][]string{{"groff", "-man", "-Tutf8", "-ww", "-z"}, {"mandoc", "-T", "lint", "-W", "warning"}} {
		path, err := exec.LookPath(check[0])
		if err != nil {
			continue
		}
		checked = true
		if said, err := exec.Command(path, append(check[1:], pages...)...).CombinedOutput(); err != nil || len(said) > 0 {
			t.Errorf("%s: %v: %s", check[0], err, said)
		}
	}
	if !checked {
		t.Skip("neither groff nor mandoc is installed")
	}
}

// The same program writes the same files.
func TestDocsAreReproducible(t *testing.T) {
	a, b := docs(t), docs(t)
	n := 0
	err := filepath.WalkDir(a, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		rel, err := filepath.Rel(a, path)
		if err != nil {
			return err
		}
		one, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		other, err := os.ReadFile(filepath.Join(b, rel))
		if err == nil && !bytes.Equal(one, other) {
			t.Errorf("%s differs", rel)
		}
		return err
	})
	if err != nil || n < 30 {
		t.Errorf("%d files, %v", n, err)
	}
}

// The completions are scripts that their shells can read.
func TestCompletionsAreScripts(t *testing.T) {
	dir := filepath.Join(docs(t), "completions")
	for shell, file := range map[string]string{"bash": "mindreg.bash", "zsh": "_mindreg", "fish": "mindreg.fish"} {
		file := filepath.Join(dir, file)
		if script, err := os.ReadFile(file); err != nil || !strings.Contains(string(script), "mindreg") {
			t.Errorf("%s: %d bytes, %v", file, len(script), err)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("not read by %s: %v", shell, err)
			continue
		}
		if said, err := exec.Command(path, "-n", file).CombinedOutput(); err != nil || len(said) > 0 {
			t.Errorf("%s -n: %v: %s", shell, err, said)
		}
	}
	if script, err := os.ReadFile(filepath.Join(dir, "mindreg.ps1")); err != nil || !strings.Contains(string(script), "Register-ArgumentCompleter") {
		t.Errorf("PowerShell: %d bytes, %v", len(script), err)
	}
}

// "mindreg help environment" names every variable of mindreg's own that the
// product reads.
func TestEnvironmentIsDocumented(t *testing.T) {
	found := map[string]bool{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if rel, _ := filepath.Rel(root, path); d.IsDir() && slices.Contains([]string{"internal", "bench", "tools", ".git", ".cache"}, filepath.ToSlash(rel)) {
			return filepath.SkipDir // for developers
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil && strings.HasPrefix(s, "MINDREG_") && !strings.ContainsAny(s, " :%") {
					found[strings.TrimSuffix(s, "=")] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil || len(found) < 4 {
		t.Fatalf("%d variables, %v", len(found), err)
	}
	for name := range found {
		if !strings.Contains(environmentHelp, "  "+name+" ") {
			t.Errorf("mindreg help environment lacks %s", name)
		}
	}
}
