package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A mechanism should make saves or loads faster. Each mechanism is measured with
// and without it, by turns, and both again without hashing, which hides the
// costs of everything else. The measured program is built with the tag
// "mechanisms": see internal/mechanism.

// variant is one way to run the program.
type variant struct {
	name string
	off  string // for $MINDREG_WITHOUT
}

const asItIs = "as it is"

// pair is two runs of a case that are compared.
type pair struct{ hashing, with, without string }

// mechanism returns a command line of the program, which can switch off its
// mechanisms.
func (e *env) mechanism(v variant, registry string, args ...string) command {
	c := e.mindreg(registry, args...)
	c.args[0] = e.tools.mechanisms.path
	c.env = append(c.env, "MINDREG_WITHOUT="+v.off)
	return c
}

// mechanismCase is the work of run with each variant, with digests and without.
func (e *env) mechanismCase(name, title string, plain bool, variants []variant, run func(variant) *competitor) *bcase {
	c := &bcase{name: "mechanisms-" + name, title: title, rounds: e.rounds(7)}
	if strings.Contains(name, "minio") {
		c.rounds = e.rounds(5)
	}
	for _, hashing := range []string{"yes", "no"} {
		if hashing == "no" && !plain {
			continue
		}
		for i, v := range variants {
			if hashing == "no" {
				v.name, v.off = v.name+", no hashing", strings.TrimPrefix(v.off+",hash", ",")
			}
			k := run(v)
			k.name = v.name
			c.runs = append(c.runs, k)
			if i > 0 {
				c.pairs = append(c.pairs, pair{hashing, c.runs[len(c.runs)-1-i].name, v.name})
			}
		}
	}
	return c
}

// mechanisms are the cases that -only mechanisms measures.
func (e *env) mechanisms() []*bcase {
	if e.minio == nil {
		e.minio = &server{}
	}
	direct := []variant{{name: asItIs}, {name: "without O_DIRECT", off: "direct"}}
	stage := []variant{{name: asItIs}, {name: "without staging", off: "stage"}}
	pace := []variant{{name: asItIs}, {name: "always 4 at once", off: "pace"}, {name: "always 8 at once", off: "pace8"}}
	look := []variant{{name: asItIs}, {name: "without looking", off: "look"}}
	local, minio := e.localPlace(), e.minioPlace()
	cases := []*bcase{
		e.mechanismSave("direct-save", "O_DIRECT: save", local, direct),
		e.mechanismLoad("direct-load", "O_DIRECT: the first load after the save", local, direct),
		e.mechanismSave("stage-save", "Staging: save", local, stage),
		e.mechanismSave("stage-direct-save", "Staging and O_DIRECT: save", local, []variant{{name: asItIs}, {name: "without both", off: "stage,direct"}}),
		e.mechanismAgain("look-local", "Looking for packs of a killed save: save again", local, look),
		e.mechanismSave("look-save", "Looking for packs of a killed save: save", local, look),
		e.mechanismAgain("look-minio", "Looking for packs of a killed save: save again", minio, look),
		e.mechanismSave("pace-minio-save", "Pace: save", minio, pace),
		e.mechanismLoad("pace-minio-load", "Pace: load", minio, pace),
	}
	for _, c := range cases {
		if e.tools.minio.why != "" && strings.Contains(c.name, "minio") {
			c.setup = nil
			for _, k := range c.runs {
				k.skip = e.tools.minio.why
			}
		}
	}
	return cases
}

// mechanismSize returns how many bytes are saved and loaded.
func (e *env) mechanismSize() int64 { return max(e.size(1<<30), 256<<20) } // with less, nothing waits

// mechanismSave: a large file from the page cache into a new registry.
func (e *env) mechanismSave(name, title string, p *place, variants []variant) *bcase {
	src, dst := e.path("src"), e.path("dst")
	c := e.mechanismCase(name, title, true, variants, func(v variant) *competitor {
		return &competitor{
			clean:   func() error { return errors.Join(p.clean(), remove(dst)()) },
			prepare: func() error { return errors.Join(p.prepare(), warm(src)) },
			run:     func() (sample, error) { return e.mechanism(v, p.url(), "save", "bench", src).run() },
			check: func() error {
				if err := e.mechanism(v, p.url(), "load", "bench", dst).must(); err != nil {
					return err
				}
				return sameFile(dst, src)
			},
		}
	})
	return e.withFile(c, src, p)
}

// mechanismLoad: the load after the save, with the page cache as that left it.
func (e *env) mechanismLoad(name, title string, p *place, variants []variant) *bcase {
	src, dst := e.path("src"), e.path("dst")
	c := e.mechanismCase(name, title, true, variants, func(v variant) *competitor {
		return &competitor{
			clean: func() error { return errors.Join(p.clean(), remove(dst)()) },
			prepare: func() error {
				return errors.Join(p.prepare(), warm(src), e.mechanism(v, p.url(), "save", "bench", src).must())
			},
			run:   func() (sample, error) { return e.mechanism(v, p.url(), "load", "bench", dst).run() },
			check: func() error { return sameFile(dst, src) },
		}
	})
	return e.withFile(c, src, p)
}

// mechanismAgain: a save is killed half-way, and run again.
func (e *env) mechanismAgain(name, title string, p *place, variants []variant) *bcase {
	src := e.path("src")
	half := int(e.mechanismSize() / (16 << 20) / 2)
	c := e.mechanismCase(name, title, false, variants, func(v variant) *competitor { // without digests it is over before it is killed
		return &competitor{
			clean: p.clean,
			prepare: func() error {
				if err := errors.Join(p.prepare(), warm(src)); err != nil {
					return err
				}
				return e.killed(p, e.mechanism(v, p.url(), "save", "bench", src), half)
			},
			run: func() (sample, error) {
				s, out, err := e.mechanism(v, p.url(), "save", "bench", src, "-o", "json").measured()
				if err != nil {
					return s, err
				}
				return s, json.Unmarshal(out, new(struct{}))
			},
			check: func() error { return e.loadsBack(p.url(), src) },
		}
	})
	return e.withFile(c, src, p)
}

func (e *env) withFile(c *bcase, src string, p *place) *bcase {
	c.title += " " + human(e.mechanismSize()) + ", " + p.name
	c.setup = func() error { return noiseFile(src, 9, e.mechanismSize()) }
	c.clean = remove(src)
	return c
}

const mechanismHead = `## Mechanisms

What each mechanism gains: it and the program without it by turns, in ` + "`make bench BENCHFLAGS='-only mechanisms'`" + `. A ratio above 1
says that the program is slower, or works more, without the mechanism. "Hashing: no" leaves out the SHA-256 of the
data, which takes most of the time otherwise. CPU is user and system time of the client; switches are how often it
gave up a processor or lost it.
`

// mechanismText is the section of the report.
func mechanismText(results []*result, m *machine) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nMeasured on %s; load average %s before and %s after; %s.\n\n", mechanismHead,
		m.started.UTC().Format("2006-01-02"), m.before, m.after, strings.Join(m.facts, "; "))
	b.WriteString("| work | hashing | without | time | time without | ratio | CPU ratio | switches ratio | rounds |\n|---|---|---|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range results {
		for _, p := range r.c.pairs {
			b.WriteString(r.pairRow(p))
		}
	}
	return b.String()
}

func (r *result) pairRow(p pair) string {
	row := fmt.Sprintf("| %s | %s | %s |", cell(r.c.title), p.hashing, cell(strings.TrimSuffix(p.without, ", no hashing")))
	ratio, low, high, err := r.timeRatio(p.without, p.with)
	if err != nil {
		return fmt.Sprintf("%s not measured: %s | | | | | |\n", row, cell(oneLine(err.Error())))
	}
	with, _ := r.column(p.with, seconds)
	without, _ := r.column(p.without, seconds)
	used, ul, uh, _ := r.ratio(p.without, p.with, func(s sample) float64 { return s.CPU })
	switches, _, _, _ := r.ratio(p.without, p.with, func(s sample) float64 { return s.Switches })
	return fmt.Sprintf("%s %s | %s | %.2f (%.2f–%.2f) | %.2f (%.2f–%.2f) | %.2f | %d |\n", row,
		duration(median(with)), duration(median(without)), ratio, low, high, used, ul, uh, switches, len(with))
}

const mechanismMark = "## Mechanisms\n"

// keepMechanisms returns the section of the existing report.
func keepMechanisms(dir string) string {
	b, _ := os.ReadFile(filepath.Join(dir, "benchmarks.md"))
	_, section, found := strings.Cut(string(b), mechanismMark)
	if !found {
		return ""
	}
	return mechanismMark + section
}

// replaceMechanisms replaces the section in the existing report.
func replaceMechanisms(dir, text string) error {
	file := filepath.Join(dir, "benchmarks.md")
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	rest, _, _ := strings.Cut(string(b), mechanismMark)
	return os.WriteFile(file, []byte(strings.TrimRight(rest, "\n")+"\n\n"+text), 0o666)
}
