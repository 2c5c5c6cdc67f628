package main

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"

	"github.com/mindtrace/registry/internal/plain"
)

// maxIndent is how deep JSON is indented. Deeper values stay on one line: metadata
// nested a hundred deep would be mostly blanks.
const maxIndent = 16

// indenter indents JSON without blanks as it is written, as encoding/json does
// with two blanks, down to maxIndent.
type indenter struct {
	w       *bufio.Writer
	depth   int
	text    bool // in a string,
	escaped bool // after a backslash
	opened  bool // the last byte has opened an object or array
}

func newIndenter(w io.Writer) *indenter { return &indenter{w: bufio.NewWriter(w)} }

// Write implements io.Writer. Errors come with the Flush of w.
func (t *indenter) Write(p []byte) (int, error) {
	for _, c := range p {
		t.add(c)
	}
	return len(p), nil
}

func (t *indenter) add(c byte) {
	if t.text {
		t.w.WriteByte(c)
		t.text = t.escaped || c != '"'
		t.escaped = c == '\\' && !t.escaped
		return
	}
	switch {
	case c == '\n': // after each value of an encoder
		return
	case c == ']' || c == '}':
		if t.depth--; !t.opened && t.depth < maxIndent {
			t.line()
		}
	case t.opened:
		t.line()
	}
	t.opened = c == '[' || c == '{'
	t.w.WriteByte(c)
	switch c {
	case '"':
		t.text = true
	case '[', '{':
		t.depth++
	case ',':
		t.line()
	case ':':
		t.w.WriteByte(' ')
	}
}

func (t *indenter) line() {
	if t.depth <= maxIndent {
		t.w.WriteByte('\n')
		t.w.WriteString(strings.Repeat("  ", t.depth))
	}
}

// indent writes one value.
func indent(w io.Writer, compact []byte) error {
	t := newIndenter(w)
	t.Write(compact)
	return t.w.Flush()
}

// jsonTo returns an encoder to t that escapes control characters.
func jsonTo(t *indenter) *json.Encoder {
	e := json.NewEncoder(plain.NewJSONWriter(t))
	e.SetEscapeHTML(false)
	return e
}

// printList is print for a list; it holds one element at a time.
func printList[T any](a *app, list func(yield func(T) bool), human func(T)) error {
	if a.output != "json" {
		list(func(v T) bool { human(v); return true })
		return nil
	}
	t := newIndenter(a.stdout)
	e, sep := jsonTo(t), byte('[')
	var err error
	for v := range list {
		t.add(sep)
		sep = ','
		if err = e.Encode(v); err != nil {
			return err
		}
	}
	if sep == '[' {
		t.add(sep)
	}
	t.add(']')
	t.w.WriteByte('\n')
	return t.w.Flush()
}
