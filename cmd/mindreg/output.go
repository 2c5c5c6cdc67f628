package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/plain"
)

// Where output goes: stdout gets the answer and nothing else; with -o json, one
// JSON document. stderr gets everything else, in lower case, without a full
// stop. Text for people has no control characters (package plain).

// print writes v as JSON, or calls human to write it for people.
func (a *app) print(v any, human func(w io.Writer)) error {
	if a.output != "json" {
		human(a.people())
		return nil
	}
	t := newIndenter(a.stdout)
	if err := jsonTo(t).Encode(v); err != nil {
		return err
	}
	t.w.WriteByte('\n')
	return t.w.Flush()
}

// printDone prints, as print does, what a command has done before it ended
// with err. An error after the first of several things is a partialError.
func (a *app) printDone(done int, v any, human func(w io.Writer), err error) error {
	if err != nil && done == 0 {
		return err
	}
	if perr := a.print(v, human); perr != nil {
		return perr
	}
	if err != nil {
		return &partialError{err}
	}
	return nil
}

// people is standard output for text.
func (a *app) people() io.Writer { return plain.NewWriter(a.stdout) }

// sticky is a writer that keeps its first error, for callers that do not check.
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

// remark prints something beside the answer, on stderr.
func (a *app) remark(format string, args ...any) {
	if !a.quiet && a.output == "human" {
		fmt.Fprintln(a.stderr, plain.Text(fmt.Sprintf(format, args...)))
	}
}

// table writes rows in aligned columns, headed by the first.
func table(w io.Writer, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i := range row {
			row[i] = plain.Text(row[i])
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	t.Flush()
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

// inTree counts the entries of an object. A directory may have links and empty
// directories too.
func inTree(i registry.Info) string {
	if i.Class == "dir" {
		return count(i.Files, "entry", "entries")
	}
	return count(i.Files, "file", "files")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(int64(n)) + " " + many
}
