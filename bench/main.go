// Bench measures mindreg and its alternatives in one run, on the same data, by
// turns, and writes docs/benchmarks.md:
//
//	make bench                                 # everything; some 15 minutes
//	make bench BENCHFLAGS='-quick -only small' # to try things out
//	make bench BENCHFLAGS='-only mechanisms'   # what each mechanism of mindreg gains
//
// Everything is made from noise that is the same each time, and every result
// is compared with what went in. It needs 25 GB of disk below $BENCH_DIR or
// the directory for temporary files, and a Unix system. Programs that are not
// available are left out, and the table says so.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

func main() {
	var err error
	if len(os.Args) > 2 && os.Args[1] == "worker" {
		err = work(os.Args[2:])
	} else {
		err = bench()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func bench() error {
	only := flag.String("only", "", "measure only the cases whose names match this `regexp`")
	quick := flag.Bool("quick", false, "a sixteenth of the data and two rounds, to try things out; the report goes to standard output alone")
	rounds := flag.Int("rounds", 0, "`number` of rounds of each case that has several, instead of its own")
	hurry := flag.Duration("hurry", 13*time.Minute, "after this `time`, measure one round alone of what is left")
	list := flag.Bool("list", false, "list the cases and measure nothing")
	out := flag.String("o", "", "`directory` for the report (default docs of the repository)")
	flag.Parse()
	e := &env{quick: *quick, start: time.Now()}
	match, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if err := e.begin(*list); err != nil {
		return err
	}
	defer e.end()
	go e.endOnSignal()
	mechanisms := strings.HasPrefix(*only, "mechanisms")
	if !*list {
		find := e.findTools
		if mechanisms {
			find = e.findMechanisms
		}
		if err := find(); err != nil {
			return err
		}
		if err := e.startServers(); err != nil {
			return err
		}
	}
	var results []*result
	m := e.machine()
	cases := e.cases
	switch {
	case mechanisms:
		cases = e.mechanisms
	case *list:
		cases = func() []*bcase { return append(e.cases(), e.mechanisms()...) }
	}
	for _, c := range cases() {
		if !match.MatchString(c.name) {
			continue
		}
		if *list {
			fmt.Printf("%-22s %s\n", c.name, c.title)
			continue
		}
		if *rounds > 0 && c.rounds > 1 {
			c.rounds = *rounds
		}
		if time.Since(e.start) > *hurry {
			c.rounds = 1
		}
		e.progress("== %s: %s", c.name, c.title)
		results = append(results, e.measure(c))
	}
	if *list {
		return nil
	}
	m.after = loadAverage()
	whole := (*only == "" || *only == "mechanisms") && !*quick
	if *out == "" && whole {
		*out = filepath.Join(e.root, "docs")
	}
	if mechanisms {
		text := mechanismText(results, m)
		fmt.Print(text)
		if *out == "" {
			return nil
		}
		return replaceMechanisms(*out, text)
	}
	return e.report(results, m, *out)
}

// cases in the order of the table.
func (e *env) cases() []*bcase {
	if e.minio == nil {
		e.minio = &server{} // only listed, or MinIO is missing
	}
	cases := []*bcase{
		e.saveLocal(), e.loadLocal(),
		e.saveMinIO(), e.loadMinIO(),
		e.secondVersion(e.localPlace(), 0.5), e.secondVersion(e.minioPlace(), 0.25),
		e.interrupted(e.localPlace()), e.interrupted(e.minioPlace()),
		e.treeSave(), e.treeLoad(), e.treeMinIO(),
		e.smallLocal(1, "versions"), e.smallLocal(16, "versions"),
		e.smallLocal(1, "names"), e.smallLocal(16, "names"),
		e.smallMinIO("save"), e.smallMinIO("load"),
	}
	for i := range shapes {
		cases = append(cases, e.original(i))
	}
	cases = append(cases, e.latest(e.localPlace()), e.latest(e.minioPlace()), e.huge())
	for _, c := range cases {
		if e.tools.minio.why == "" || !strings.Contains(c.name, "minio") {
			continue
		}
		c.setup = nil
		for _, k := range c.runs {
			k.skip = e.tools.minio.why
		}
	}
	return cases
}

// begin makes the directory of the data.
func (e *env) begin(list bool) (err error) {
	if e.root, err = repository(); err != nil || list {
		return err
	}
	if e.self, err = os.Executable(); err != nil {
		return err
	}
	if e.dir, err = os.MkdirTemp(os.Getenv("BENCH_DIR"), "mindreg-bench-"); err != nil {
		return err
	}
	if e.dir, err = filepath.Abs(e.dir); err != nil {
		return err
	}
	left, err := free(e.dir)
	if err != nil {
		return err
	}
	if need := e.size(25e9); left < need {
		os.RemoveAll(e.dir)
		return fmt.Errorf("%s has %s free, and %s are needed; let $BENCH_DIR name a directory with more", filepath.Dir(e.dir), human(left), human(need))
	}
	return errors.Join(os.Mkdir(e.path("tmp"), 0o777), os.Mkdir(e.path("home"), 0o777))
}

func (e *env) end() {
	e.stopServers()
	if e.dir != "" {
		os.RemoveAll(e.dir)
	}
}

// endOnSignal leaves nothing behind after an interrupt.
func (e *env) endOnSignal() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	<-c
	e.end()
	os.Exit(130)
}

// repository finds the directory with the product's go.mod, from where the
// program is started.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "mindreg")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("start it in the repository")
		}
	}
}
