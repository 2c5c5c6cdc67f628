package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
)

// Rules of what is written where: the answer goes to stdout, and nothing
// else does; with -o json it is one JSON document. Everything that is said
// beside the answer goes to stderr, in lower case, without a full stop.

// print writes v as JSON, or calls human to write it for people.
func (a *app) print(v any, human func(w io.Writer)) error {
	if a.output == "json" {
		e := json.NewEncoder(a.stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	human(a.stdout)
	return nil
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

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(int64(n)) + " " + many
}
