package main

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// plot draws the medians of a case as bars, with lines from the lowest to the
// highest, as SVG. Without samples it is empty.
func (r *result) plot() string {
	const label, width, bar, gap, top = 300, 420, 20, 8, 34
	type row struct {
		name           string
		mid, low, high float64
	}
	var rows []row
	var most float64
	for _, k := range r.c.runs {
		if xs := column(r.samples[k.name], r.value); len(xs) > 0 && r.errs[k.name] == nil {
			rows = append(rows, row{k.name, median(xs), slices.Min(xs), slices.Max(xs)})
			most = max(most, slices.Max(xs))
		}
	}
	if len(rows) == 0 || most <= 0 {
		return ""
	}
	unit := "time (less is better)"
	if r.c.loop {
		unit = "operations per second (more is better)"
	}
	var b strings.Builder
	height := top + len(rows)*(bar+gap) + gap
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="13">`+"\n",
		label+width+100, height, label+width+100, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n")
	fmt.Fprintf(&b, `<title>%s</title>`+"\n", html.EscapeString(r.c.title))
	fmt.Fprintf(&b, `<text x="%d" y="20" fill="#555">%s</text>`+"\n", label, unit)
	x := func(v float64) float64 { return label + v/most*width }
	for i, w := range rows {
		y := top + i*(bar+gap)
		fill := "#9aa5b1"
		if strings.HasPrefix(w.name, "mindreg") {
			fill = "#2f6f9f"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="#222">%s</text>`+"\n", label-8, y+15, html.EscapeString(w.name))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", label, y, x(w.mid)-label, bar, fill)
		fmt.Fprintf(&b, `<path d="M%.1f %dH%.1f" stroke="#222" stroke-width="1.5"/>`+"\n", x(w.low), y+bar/2, x(w.high))
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#222">%s</text>`+"\n", x(w.high)+6, y+15, r.format(w.mid))
	}
	b.WriteString("</svg>\n")
	return b.String()
}
