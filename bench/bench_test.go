package main

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func resultOf(samples map[string][]float64) *result {
	r := &result{c: &bcase{name: "c", title: "A case"}, samples: map[string][]sample{}, errs: map[string]error{}}
	for name, seconds := range samples {
		r.c.runs = append(r.c.runs, &competitor{name: name})
		for _, s := range seconds {
			r.samples[name] = append(r.samples[name], sample{Seconds: s, RSS: int64(s) << 20, Extra: map[string]float64{"x": s}})
		}
	}
	return r
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		xs   []float64
		want float64
	}{
		{[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5},
	} {
		if got := median(test.xs); got != test.want {
			t.Errorf("median of %v: %v, want %v", test.xs, got, test.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("nothing has a median")
	}
}

func TestTargets(t *testing.T) {
	r := resultOf(map[string][]float64{"a": {2, 9, 2}, "b": {1, 1, 1}, "c": {4, 4, 4}})
	for _, test := range []struct {
		name string
		target
		met bool
	}{
		{"time at the limit", atMost("a", 2, "b"), true},
		{"time above it", atMost("a", 1.9, "b"), false},
		{"faster than one", faster("a", 2, "c"), true},
		{"not fast enough", faster("a", 2.1, "c"), false},
		{"as fast as the fastest of several", faster("a", 0.5, "c", "b"), true},
		{"slower than the fastest of several", faster("a", 0.6, "c", "b"), false},
		{"the worst counts", extraAtMost("a", "x", 8.9, "", "%g"), false},
		{"all below", extraAtMost("a", "x", 9, "", "%g"), true},
		{"a figure that was not taken is none to be met", extraAtMost("a", "y", 9, "", "%g"), false},
		{"largest memory", rssAtMost("a", 8<<20), false},
		{"memory below", rssAtMost("a", 9<<20), true},
	} {
		if measured, met, err := test.eval(r); err != nil || met != test.met {
			t.Errorf("%s: %q %t, %v", test.name, measured, met, err)
		}
	}
}

// A competitor that failed, or was left out, makes no target look met.
func TestNotMeasured(t *testing.T) {
	r := resultOf(map[string][]float64{"a": {1}, "b": {2}, "none": nil})
	r.errs["b"] = errors.New("it broke | down")
	r.c.targets = []target{atMost("a", 5, "b"), atMost("none", 5, "a"), faster("a", 1, "b", "none"), rssAtMost("b", 1<<40)}
	for _, row := range r.summary() {
		if strings.Contains(row, "yes") || !strings.Contains(row, "not measured") {
			t.Error(row)
		}
	}
	r.c.runs = append(r.c.runs, &competitor{name: "absent", skip: "it cannot be had"})
	text := strings.Join(r.text().Rows, "\n")
	for _, want := range []string{`it broke \| down`, "it cannot be had"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

func TestSameBytes(t *testing.T) {
	long := make([]byte, 3<<20)
	io.ReadFull(noise(1), long)
	other := bytes.Clone(long)
	other[2<<20+5]++
	for _, test := range []struct {
		name      string
		got, want []byte
		same      bool
	}{
		{"empty", nil, nil, true}, {"equal", long, bytes.Clone(long), true},
		{"cut short", long[:1<<20], long, false}, {"cut within a block", long[:len(long)-1], long, false},
		{"too long", long, long[:2<<20], false}, {"a byte differs", other, long, false}, {"nothing came", nil, long, false},
	} {
		if err := sameBytes(bytes.NewReader(test.got), bytes.NewReader(test.want), "it"); (err == nil) != test.same {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestData(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := errors.Join(noiseFile(a, 1, 1000), insertedFile(b, 1, 1000, []byte("here"))); err != nil {
		t.Fatal(err)
	}
	x, _ := os.ReadFile(a)
	y, _ := os.ReadFile(b)
	if len(x) != 1000 || string(y) != string(x[:500])+"here"+string(x[500:]) {
		t.Errorf("%d and %d bytes, or not the same around the insertion", len(x), len(y))
	}
	for _, name := range []string{"t", "u"} {
		if err := smallFiles(filepath.Join(dir, name), 2, 150, 10); err != nil {
			t.Fatal(err)
		}
	}
	if err := sameTree(filepath.Join(dir, "t"), filepath.Join(dir, "u")); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "u", "1", "149"), []byte("different!"), 0o666); err != nil {
		t.Fatal(err)
	}
	if sameTree(filepath.Join(dir, "t"), filepath.Join(dir, "u")) == nil {
		t.Error("trees that differ are the same")
	}
}

// Competitors take turns, and one that fails is left out from then on.
func TestTurns(t *testing.T) {
	var trace strings.Builder
	make := func(name string, err error) *competitor {
		return &competitor{
			name:    name,
			prepare: func() error { trace.WriteString("+"); return nil },
			run:     func() (sample, error) { trace.WriteString(name); return sample{Seconds: 1}, nil },
			check:   func() error { return err },
			clean:   func() error { trace.WriteString("-"); return nil },
		}
	}
	once := make("C", nil)
	once.rounds = 1
	e := &env{}
	r := e.measure(&bcase{name: "c", rounds: 2, runs: []*competitor{make("A", nil), make("B", errors.New("wrong")), once}})
	if got, want := trace.String(), "+A-+B-+C-+A-"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if len(r.samples["A"]) != 2 || len(r.samples["B"]) != 0 || len(r.samples["C"]) != 1 || r.errs["B"] == nil {
		t.Errorf("%v %v", r.samples, r.errs)
	}
}

// The report keeps to the width of all documents: a note is wrapped, and loses
// no word.
func TestWrap(t *testing.T) {
	for text, want := range map[string]string{
		"":        "",
		"a  b\nc": "a b c",
		strings.Repeat("é", 50) + " " + strings.Repeat("b", 49) + " c": strings.Repeat("é", 50) + " " + strings.Repeat("b", 49) + "\nc",
		strings.Repeat("a", 101) + " b":                                strings.Repeat("a", 101) + "\nb",
	} {
		if got := wrap(text); got != want {
			t.Errorf("%q is wrapped as %q, not %q", text, got, want)
		}
	}
}
