package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	registry "github.com/mindtrace/registry"
)

// Errors that were joined are lines of their own; a line feed in the name of
// a file is not.
func TestErrorsOfPeopleAreLines(t *testing.T) {
	file := &fs.PathError{Op: "open", Path: "a\nmindreg: fake\x1b[2J", Err: fs.ErrNotExist}
	for _, c := range []struct {
		err  error
		want string
	}{
		{file, `open a\nmindreg: fake\x1b[2J: file does not exist`},
		{&registry.Error{Op: "save", Ref: "m", Err: fmt.Errorf("first: %w", file)}, `save m: first: open a\nmindreg: fake\x1b[2J: file does not exist`},
		{fmt.Errorf("two: %w", errors.Join(file, errors.New("b\nc"))), "two: open a\\nmindreg: fake\\x1b[2J: file does not exist|b\\nc"},
		{fmt.Errorf("%w and %w", file, errors.New("\u202e")), `open a\nmindreg: fake\x1b[2J: file does not exist and \u202e`},
		{fmt.Errorf("at: %w", wrapsNothing{}), "at: no credentials"},
	} {
		if got := textOf(c.err, "|"); got != c.want {
			t.Errorf("%q is shown as %q, want %q", c.err, got, c.want)
		}
	}
}

// wrapsNothing may wrap several errors, and wraps none.
type wrapsNothing struct{}

func (wrapsNothing) Error() string   { return "no credentials" }
func (wrapsNothing) Unwrap() []error { return nil }

// Only the bytes of objects, JSON, progress, and the output of a command under
// a lock go round the writers that escape.
func TestNothingGoesRoundTheEscaping(t *testing.T) {
	may := map[string]bool{"main.go": true, "root.go": true, "output.go": true, "indent.go": true, "load.go": true, "lockrun.go": true, "progress.go": true}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if may[name] || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range []string{".stdout", ".terminal", "os.Stdout", "os.Stderr", "fmt.Print(", "fmt.Printf(", "fmt.Println("} {
			if strings.Contains(string(text), raw) {
				t.Errorf("%s uses %s; write to people(), stderr, or by print", name, raw)
			}
		}
	}
}

// The line of progress is written over, fits the terminal, and is gone at the
// end.
func TestProgressIsOneLine(t *testing.T) {
	var out strings.Builder
	var b bars
	at := time.Unix(1, 0)
	for done := int64(0); done < 100; done += 10 {
		b.show(&out, registry.Progress{Op: "save", Ref: "m\x1b[2J\n", Done: done * 1e6, Total: 100e6}, 60, at)
		at = at.Add(time.Second)
	}
	b.stop()
	lines := strings.Split(out.String(), "\r")
	for _, line := range lines {
		if len([]rune(line)) > 60 || strings.ContainsAny(line, "\x1b\n") {
			t.Errorf("a line is %q", line)
		}
	}
	if got := strings.TrimSpace(lines[len(lines)-3]); got != `save m\x1b[2J\n  90 MB / 100 MB  90%  10 MB/s  1s left` {
		t.Errorf("the last is %q", got)
	}
	if last := lines[len(lines)-2]; strings.TrimSpace(last) != "" || lines[len(lines)-1] != "" {
		t.Errorf("%q is left", lines[len(lines)-2:])
	}
}
