// Mutants makes one mistake after another in the code, each a single edit, and
// runs the tests that should notice it. A mistake that no test notices is a gap
// in the tests:
//
//	go run ./internal/mutants                # all lists, two mutants at a time
//	go run ./internal/mutants -only lease    # those whose name matches
//	go run ./internal/mutants -check         # only whether the lists fit the code
//	go run ./internal/mutants -all           # for survivors, all tests of their package
//	go run ./internal/mutants -find -only x  # which tests of their package kill them
//
// The tree does not change: the compiler reads the edited file in place of the
// real one (go test -overlay). The lists are the files in lists; their format is
// described at parse. Run it at the root of the module.
//
// It fails if a mutant survives without a line survives:, and if fewer than
// 95 % are killed. Mutants that need a server survive if $MINDREG_TEST_SERVERS
// does not name it: make mutants names them all.
package main

import (
	"embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

//go:embed lists/*.txt
var lists embed.FS

// enough is the share of mutants that tests have to kill.
const enough = 0.95

func main() {
	only := flag.String("only", "", "only mutants whose name matches this regular expression")
	check := flag.Bool("check", false, "only check that each mutant fits the code, and that its tests exist")
	all := flag.Bool("all", false, "run all tests of its package against a mutant that its own tests do not kill")
	find := flag.Bool("find", false, "print which tests of its package kill each mutant, to name them in its list")
	at := flag.Int("p", 2, "how many mutants to try at once")
	flag.Parse()
	if err := run(*only, *check, *all, *find, *at); err != nil {
		fmt.Fprintf(os.Stderr, "mutants: %v\n", err)
		os.Exit(1)
	}
}

func run(only string, check, all, find bool, at int) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	mutants, err := readLists(lists)
	if err != nil {
		return err
	}
	var chosen []*mutant
	var misfits []error
	for _, m := range mutants {
		if match.MatchString(m.name()) {
			chosen = append(chosen, m)
			if find {
				continue
			}
			if err := m.fit(); err != nil {
				misfits = append(misfits, fmt.Errorf("%s: %w", m.name(), err))
			}
		}
	}
	if len(misfits) > 0 {
		return fmt.Errorf("these mutants no longer fit the code; correct them in internal/mutants/lists:\n%w", errors.Join(misfits...))
	}
	if find {
		return findTests(chosen, at)
	}
	if check {
		fmt.Printf("%d mutants fit the code\n", len(chosen))
		return nil
	}
	if err := baseline(chosen, at); err != nil {
		return err
	}
	return report(try(chosen, all, at), len(chosen) == len(mutants))
}

// result is the result of one mutant.
type result struct {
	*mutant
	verdict verdict
	err     error
}

// try tries mutants, several at a time, and prints each result.
func try(mutants []*mutant, all bool, at int) []result {
	results := make([]result, len(mutants))
	var mu sync.Mutex
	each(len(mutants), at, func(i int) {
		m, start := mutants[i], time.Now()
		verdict, err := m.try(m.tests)
		if err == nil && verdict == survived && all {
			verdict, err = m.try([][]string{m.wide()})
		}
		results[i] = result{m, verdict, err}
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf("%6.1fs  %-9s %s\n", time.Since(start).Seconds(), results[i].word(), m.name())
	})
	return results
}

func (r *result) word() string {
	switch {
	case r.err != nil:
		return "ERROR"
	case r.verdict == killed:
		return "killed"
	case r.verdict == hung && r.hangs:
		return "killed"
	case r.verdict == hung:
		return "HANGS"
	case r.survives != "":
		return "survives"
	}
	return "SURVIVES"
}

// report prints the sum, and returns an error if it is not good enough. The
// share that has to be killed is one of all mutants.
func report(results []result, whole bool) error {
	dead := 0
	var bad, known []string
	for i := range results {
		r := &results[i]
		switch word := r.word(); {
		case word == "killed" && r.survives != "":
			bad = append(bad, r.name()+": it is killed; take the line with survives: out of its list")
			dead++
		case word == "killed":
			dead++
		case word == "survives":
			known = append(known, r.name()+"\n\t\t"+r.survives)
		case r.err != nil:
			bad = append(bad, fmt.Sprintf("%s: %v", r.name(), r.err))
		case word == "HANGS":
			bad = append(bad, r.name()+": its tests hang until the time limit; say so with hangs:, or find a test that fails")
		default:
			bad = append(bad, r.name()+": no test notices it")
		}
	}
	share := float64(dead) / float64(max(len(results), 1))
	fmt.Printf("%d of %d killed (%.1f %%)\n", dead, len(results), 100*share)
	if len(known) > 0 {
		fmt.Printf("survivors that are known:\n\t%s\n", strings.Join(known, "\n\t"))
	}
	if len(bad) > 0 {
		return fmt.Errorf("%d to look at:\n\t%s", len(bad), strings.Join(bad, "\n\t"))
	}
	if whole && share < enough {
		return fmt.Errorf("fewer than %.0f %% are killed", 100*enough)
	}
	return nil
}

// each calls do for 0 to n-1, at most at of them at once.
func each(n, at int, do func(int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(1, at))
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	wg.Wait()
}
