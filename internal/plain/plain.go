// Package plain makes text of others safe to show: on a terminal ([Text], [Lines],
// [NewWriter]), as JSON ([JSON], [NewJSONWriter]), and in a command that can be
// pasted into a shell ([ShellWord]). The command mindreg and the error messages of
// the registry use it.
//
// File names, metadata, messages of servers and the reasons of locks come from
// others. They may contain sequences that a terminal executes, or characters that
// change the order in which text is shown. This package makes them visible instead.
package plain

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shown reports whether a terminal shows r as a character and does nothing else. It
// is false for control characters (also those from U+0080 to U+009F), characters
// that change the direction of text, separators of lines and paragraphs, and
// invisible, private and unassigned characters. It is true for the two joiners,
// which some scripts and emoji need.
func shown(r rune) bool {
	return unicode.IsGraphic(r) || r == '\u200c' || r == '\u200d'
}

// Text returns s as one line, with every character escaped that a terminal does not
// show: as \n, \r or \t; as \xHH for other bytes below 128 and for bytes that are
// not UTF-8; else as \uHHHH or \UHHHHHHHH. Backslashes are not escaped, so text of
// which all characters are shown is returned unchanged.
func Text(s string) string { return escaped(s, "") }

// Lines is Text, but keeps line feeds and tabs.
func Lines(s string) string { return escaped(s, "\n\t") }

func escaped(s, keep string) string {
	first := strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || !shown(r) })
	if first < 0 {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:first])
	for i := first; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case shown(r), strings.ContainsRune(keep, r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += n
	}
	return b.String()
}

// JSON returns a JSON text in which every character that a terminal does not show
// is written as \uHHHH. The value stays the same: only strings have such
// characters, apart from line feeds, which stay.
func JSON(text []byte) []byte {
	var b bytes.Buffer
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1, shown(r), r == '\n':
			b.Write(text[:n])
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
		text = text[n:]
	}
	return b.Bytes()
}

// NewWriter returns a writer that writes Lines of its text to w. Each call of Write
// must have whole characters.
func NewWriter(w io.Writer) io.Writer { return writer{w} }

type writer struct{ w io.Writer }

func (w writer) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.w, Lines(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// NewJSONWriter returns a writer that writes JSON of its text to w. Each call of
// Write must have whole characters, as with a json.Encoder.
func NewJSONWriter(w io.Writer) io.Writer { return jsonWriter{w} }

type jsonWriter struct{ w io.Writer }

func (w jsonWriter) Write(p []byte) (int, error) {
	if _, err := w.w.Write(JSON(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// ShellWord returns s as one word of a shell command that can be pasted. It quotes
// s if needed. For text with characters that a terminal does not show, it uses
// $'...', which bash and zsh read.
func ShellWord(s string) string {
	if Text(s) != s {
		var b strings.Builder
		for _, c := range []byte(s) {
			if c < 0x20 || c > 0x7e || c == '\'' || c == '\\' {
				fmt.Fprintf(&b, `\%03o`, c)
			} else {
				b.WriteByte(c)
			}
		}
		return "$'" + b.String() + "'"
	}
	safe := s != "" && s[0] != '~' && s[0] != '=' && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/:._-+@%,=~", r)
	})
	if safe {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
