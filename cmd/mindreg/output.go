package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// Rules of what is written where: the answer goes to stdout, and nothing
// else does; with -o json it is one JSON document. Everything that is said
// beside the answer goes to stderr, in lower case, without a full stop.

// print writes v as JSON, or calls human to write it for people.
func (a *app) print(v any, human func(w io.Writer)) error {
	if a.output == "json" {
		t := newIndenter(a.stdout)
		if err := jsonTo(t).Encode(v); err != nil {
			return err
		}
		t.w.WriteByte('\n')
		return t.w.Flush()
	}
	human(a.stdout)
	return nil
}

// sticky is a writer that keeps its first error: what is written for people
// goes through functions that do not look.
type sticky struct {
	w   io.Writer
	err error
}

func (s *sticky) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	s.err = err
	return n, err
}

// remark says something beside the answer.
func (a *app) remark(format string, args ...any) {
	if !a.quiet && a.output == "human" {
		fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}

// table writes rows in aligned columns, headed by the first.
func table(w io.Writer, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i := range row {
			row[i] = visible(row[i])
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	t.Flush()
}

// visible escapes what is stored and no program should send to a terminal.
func visible(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	quoted := strconv.QuoteToGraphic(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func size(n int64) string { return humanize.Bytes(uint64(max(n, 0))) }

func when(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

// short abbreviates a digest for tables.
func short(digest string) string {
	const n = len("sha256:") + 12
	if len(digest) > n {
		return digest[:n]
	}
	return digest
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(int64(n)) + " " + many
}
