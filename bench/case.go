package main

import (
	"fmt"
	"syscall"
	"time"
)

// sample is one run of one competitor.
type sample struct {
	Seconds  float64
	CPU      float64            // user and system time of the client, in seconds
	RSS      int64              // largest resident set of the client, in bytes
	Switches float64            // how often the client gave up a processor, or lost it
	Ops      float64            // operations done, if the run is a loop of them
	Extra    map[string]float64 // other figures for targets, by name
}

// competitor is one way to do the work of a case.
type competitor struct {
	name   string
	skip   string // the reason if it cannot be measured here
	rounds int    // fewer than the case's, if not 0

	prepare func() error           // before each run, not timed
	run     func() (sample, error) // times itself
	check   func() error           // checks the result, not timed
	clean   func() error           // after each run, also a failed one
}

// bcase is a row of the table: one piece of work, done by several competitors.
type bcase struct {
	name    string // what -only matches
	title   string
	note    string // a remark for the reader
	loop    bool   // report operations per second
	rounds  int
	setup   func() error
	runs    []*competitor
	targets []target
	pairs   []pair // runs with and without a mechanism, to compare
	clean   func() error
}

// target is a figure that mindreg has to reach.
type target struct {
	text string
	eval func(r *result) (measured string, met bool, err error)
}

// result is the result of a case.
type result struct {
	c       *bcase
	samples map[string][]sample
	errs    map[string]error
	took    time.Duration
}

// measure does all runs of a case. The competitors take turns: A B C A B C.
func (e *env) measure(c *bcase) *result {
	r := &result{c: c, samples: map[string][]sample{}, errs: map[string]error{}}
	start := time.Now()
	defer func() { r.took = time.Since(start) }()
	if c.clean != nil {
		defer c.clean()
	}
	if c.setup != nil {
		if err := c.setup(); err != nil {
			for _, k := range c.runs {
				r.errs[k.name] = fmt.Errorf("setup: %w", err)
			}
			return r
		}
	}
	for round := range c.rounds {
		for _, k := range c.runs {
			if k.skip != "" || r.errs[k.name] != nil || k.rounds > 0 && round >= k.rounds {
				continue
			}
			s, err := once(k)
			if err != nil {
				r.errs[k.name] = err
				e.progress("%s: round %d: %s: %v", c.name, round+1, k.name, err)
				continue
			}
			r.samples[k.name] = append(r.samples[k.name], s)
			e.progress("%s: round %d: %-38s %s", c.name, round+1, k.name, s.text())
		}
	}
	return r
}

// once does one run. Before it, the disk has finished all writes.
func once(k *competitor) (s sample, err error) {
	if k.clean != nil {
		defer func() {
			if cerr := k.clean(); err == nil && cerr != nil {
				err = fmt.Errorf("cleaning up: %w", cerr)
			}
		}()
	}
	if k.prepare != nil {
		if err := k.prepare(); err != nil {
			return s, fmt.Errorf("preparing: %w", err)
		}
	}
	syscall.Sync()
	if s, err = k.run(); err != nil {
		return s, err
	}
	if k.check != nil {
		if err := k.check(); err != nil {
			return s, fmt.Errorf("its result is wrong: %w", err)
		}
	}
	return s, nil
}

func (s sample) text() string {
	if s.Ops > 0 {
		return fmt.Sprintf("%8.1f op/s  (%.2f s)", s.Ops/s.Seconds, s.Seconds)
	}
	return fmt.Sprintf("%8.3f s  %.2f s CPU  %d MiB", s.Seconds, s.CPU, s.RSS>>20)
}
