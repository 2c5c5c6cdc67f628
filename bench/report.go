package main

import (
	_ "embed"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"
)

//go:embed report.md.tmpl
var reportTemplate string

// report writes the tables, to dir and always to standard output.
func (e *env) report(results []*result, m *machine, dir string) error {
	var text strings.Builder
	t, err := template.New("report").Funcs(template.FuncMap{"wrap": wrap}).Parse(reportTemplate)
	if err != nil {
		return err
	}
	data := struct {
		Date          string
		Took          time.Duration
		Quick         bool
		Facts         []string
		Before, After string
		Versions      []string
		Summary       []string
		Cases         []caseText
		Mechanisms    string
	}{
		Date: m.started.UTC().Format(time.DateOnly), Took: time.Since(e.start).Round(time.Second), Quick: e.quick,
		Facts: m.facts, Before: m.before, After: m.after, Versions: e.versions(),
	}
	for _, r := range results {
		data.Summary = append(data.Summary, r.summary()...)
		data.Cases = append(data.Cases, r.text())
	}
	data.Mechanisms = keepMechanisms(filepath.Join(e.root, "docs"))
	if err := t.Execute(&text, data); err != nil {
		return err
	}
	fmt.Print(text.String())
	met, all := 0, 0
	for _, row := range data.Summary {
		switch {
		case strings.HasSuffix(row, "| yes |"):
			met, all = met+1, all+1
		case !strings.HasSuffix(row, "|  |"):
			all++
		}
	}
	e.progress("%d of %d targets met, in %s", met, all, data.Took)
	if dir == "" {
		return nil
	}
	plots := filepath.Join(dir, "benchmarks")
	if err := os.MkdirAll(plots, 0o777); err != nil {
		return err
	}
	for _, r := range results {
		if svg := r.plot(); svg != "" {
			if err := os.WriteFile(filepath.Join(plots, r.c.name+".svg"), []byte(svg), 0o666); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(filepath.Join(dir, "benchmarks.md"), []byte(text.String()), 0o666)
}

// wrap breaks a text into lines of at most 100 characters, as all documents
// have them. A single word may be longer.
func wrap(text string) string {
	var b strings.Builder
	n := 0
	for word := range strings.FieldsSeq(text) {
		length := utf8.RuneCountInString(word)
		switch {
		case n > 0 && n+1+length > 100:
			b.WriteByte('\n')
			n = 0
		case n > 0:
			b.WriteByte(' ')
			n++
		}
		b.WriteString(word)
		n += length
	}
	return b.String()
}

// summary is the case's rows of the table of targets.
func (r *result) summary() []string {
	var rows []string
	for i, t := range r.c.targets {
		title := r.c.title
		if i > 0 {
			title = ""
		}
		measured, met, err := t.eval(r)
		verdict := "yes"
		switch {
		case err != nil:
			measured, verdict = "not measured: "+oneLine(err.Error()), "–"
		case strings.HasPrefix(t.text, "("):
			verdict = ""
		case !met:
			verdict = "**no**"
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |", cell(title), cell(t.text), cell(measured), verdict))
	}
	return rows
}

// caseText is what the template shows of a case.
type caseText struct {
	Name, Title, Note string
	Plot              bool
	Head              string
	Rows              []string
}

func (r *result) text() caseText {
	c := caseText{Name: r.c.name, Title: r.c.title, Note: r.c.note, Plot: r.plot() != ""}
	c.Head = "| | time, median | lowest – highest | CPU | resident | rounds |\n|---|--:|--:|--:|--:|--:|"
	if r.c.loop {
		c.Head = "| | op/s, median | lowest – highest | CPU/op | resident | rounds |\n|---|--:|--:|--:|--:|--:|"
	}
	for _, k := range r.c.runs {
		switch err := r.errs[k.name]; {
		case k.skip != "":
			c.Rows = append(c.Rows, fmt.Sprintf("| %s | left out: %s | | | | |", cell(k.name), cell(oneLine(k.skip))))
			continue
		case err != nil:
			c.Rows = append(c.Rows, fmt.Sprintf("| %s | failed: %s | | | | |", cell(k.name), cell(oneLine(err.Error()))))
			continue
		}
		samples := r.samples[k.name]
		if len(samples) == 0 {
			c.Rows = append(c.Rows, fmt.Sprintf("| %s | not measured | | | | |", cell(k.name)))
			continue
		}
		values := column(samples, r.value)
		cpu := duration(median(column(samples, func(s sample) float64 { return s.CPU / max(s.Ops, 1) })))
		rss := slices.Max(column(samples, func(s sample) float64 { return float64(s.RSS) }))
		c.Rows = append(c.Rows, fmt.Sprintf("| %s | %s | %s – %s | %s | %.0f MiB | %d |", cell(k.name),
			r.format(median(values)), r.format(slices.Min(values)), r.format(slices.Max(values)), cpu, math.Ceil(rss/(1<<20)), len(samples)))
	}
	return c
}

// value is the figure that a case reports: seconds, or operations per second.
func (r *result) value(s sample) float64 {
	if r.c.loop {
		return s.Ops / s.Seconds
	}
	return s.Seconds
}

func (r *result) format(v float64) string {
	if r.c.loop {
		return significant(v)
	}
	return duration(v)
}

func column(samples []sample, of func(sample) float64) []float64 {
	var xs []float64
	for _, s := range samples {
		xs = append(xs, of(s))
	}
	return xs
}

// duration prints seconds with three digits.
func duration(s float64) string {
	switch {
	case math.IsNaN(s):
		return "–"
	case s < 1e-3:
		return significant(s*1e6) + " µs"
	case s < 1:
		return significant(s*1e3) + " ms"
	}
	return significant(s) + " s"
}

// significant prints three digits that count.
func significant(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 240 {
		s = string(r[:240]) + "…"
	}
	return s
}
