package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// mutant is one mistake.
type mutant struct {
	in       string // a package's directory, or a file, from the root of the module
	harm     string // what it does
	from, to []string
	tests    [][]string // arguments of go test, for each run
	survives string     // why no test notices it, or has to notice it
	hangs    bool       // tests notice it by hanging
}

func (m *mutant) name() string { return m.in + ": " + m.harm }

// pkg returns the package of m, as an argument of go test.
func (m *mutant) pkg() string {
	if strings.HasSuffix(m.in, ".go") {
		return "./" + path.Dir(m.in)
	}
	return "./" + m.in
}

// wide returns the arguments of go test for all tests of the package.
func (m *mutant) wide() []string { return []string{"-short", m.pkg()} }

// readLists reads every list, in the order of their names.
func readLists(lists fs.FS) ([]*mutant, error) {
	names, err := fs.Glob(lists, "lists/*.txt")
	if err != nil {
		return nil, err
	}
	var all []*mutant
	for _, name := range names {
		text, err := fs.ReadFile(lists, name)
		if err != nil {
			return nil, err
		}
		mutants, err := parse(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, mutants...)
	}
	return all, nil
}

// parse reads a list of mutants, which empty lines separate:
//
//	in: internal/lease
//
//	the harm that it does, in one line
//	< text of the code, one line or several
//	> the text in its place; without this line, the text is removed
//	test: TestName, or several with | between them
//
// The line in: names the directory of the package of the mutants that follow, or
// one file. The text must occur exactly once in the package's files, without its
// tests; indentation does not matter. Further lines of a mutant:
//
//	test: -run TestName ./cmd/mindreg      all arguments of go test
//	survives: why no test notices it, or has to notice it
//	hangs: why tests notice it by hanging
//
// If there are several lines test:, one of the runs must fail. Lines that begin
// with # are comments.
func parse(list string) ([]*mutant, error) {
	var all []*mutant
	in := ""
	for _, block := range regexp.MustCompile(`\n\s*\n`).Split(list, -1) {
		m := &mutant{in: in}
		for line := range strings.Lines(block) {
			line = strings.TrimRight(line, "\n")
			head, rest, _ := strings.Cut(line, ":")
			rest = strings.TrimSpace(rest)
			switch {
			case line == "" || line[0] == '#':
			case line[0] == '<':
				m.from = append(m.from, strings.TrimSpace(line[1:]))
			case line[0] == '>':
				m.to = append(m.to, strings.TrimSpace(line[1:]))
			case head == "in":
				in = rest
				m.in = in
			case head == "test":
				m.tests = append(m.tests, m.args(rest))
			case head == "survives":
				m.survives = rest
			case head == "hangs":
				m.hangs = true
			case m.harm == "":
				m.harm = line
			default:
				return nil, fmt.Errorf("cannot parse the line %q", line)
			}
		}
		switch {
		case m.harm == "" && m.from == nil:
			continue
		case m.harm == "" || m.in == "" || m.from == nil || slices.Equal(m.from, m.to):
			return nil, fmt.Errorf("%q needs a line in:, a line with the harm, and lines that begin with < and >", m.name())
		}
		all = append(all, m)
	}
	return all, nil
}

// args returns the arguments of go test for a line test:.
func (m *mutant) args(line string) []string {
	if strings.HasPrefix(line, "-") {
		return strings.Fields(line)
	}
	return []string{"-short", "-run", "^(" + line + ")$", m.pkg()}
}

// fit finds the one place of a mutant in the code, and its tests.
func (m *mutant) fit() error {
	if _, _, err := m.edit(); err != nil {
		return err
	}
	if m.tests == nil {
		return errors.New("no tests; find some with -find")
	}
	for _, args := range m.tests {
		if err := hasTests(args); err != nil {
			return err
		}
	}
	return nil
}

// edit returns the file that m changes, and its text with the mistake.
func (m *mutant) edit() (file, text string, err error) {
	files := []string{m.in}
	if !strings.HasSuffix(m.in, ".go") {
		if files, err = filepath.Glob(filepath.Join(m.in, "*.go")); err != nil {
			return "", "", err
		}
	}
	lines := make([]string, len(m.from))
	for i, line := range m.from {
		lines[i] = regexp.QuoteMeta(line)
	}
	place := regexp.MustCompile(strings.Join(lines, `\n[\t ]*`))
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		body, err := os.ReadFile(name)
		if err != nil {
			return "", "", err
		}
		if at := place.FindAllIndex(body, -1); len(at) > 0 {
			found += len(at)
			file, text = name, string(body[:at[0][0]])+strings.Join(m.to, "\n")+string(body[at[0][1]:])
		}
	}
	if found != 1 {
		return "", "", fmt.Errorf("%q occurs %d times, want once", strings.Join(m.from, " "), found)
	}
	return file, text, nil
}

// testNames finds the tests that an argument of -run names.
var testNames = regexp.MustCompile(`(Test|Example|Fuzz)[A-Za-z0-9_]*`)

// hasTests returns an error unless the package has the tests.
func hasTests(args []string) error {
	i := slices.Index(args, "-run")
	if i < 0 || i+1 == len(args) {
		return nil
	}
	dir := args[len(args)-1]
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return err
	}
	var all strings.Builder
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		all.Write(body)
	}
	for _, name := range testNames.FindAllString(args[i+1], -1) {
		if !strings.Contains(all.String(), "func "+name) {
			return fmt.Errorf("there is no %s in %s", name, dir)
		}
	}
	return nil
}
