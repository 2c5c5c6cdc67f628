// Package storecheck tests the contract of package store on a real store,
// without package testing, so that a command can run it on a user's own
// bucket: mindreg doctor runs [All] of it, and a registry runs [Probe] before
// it writes. Package storetest runs the same checks as Go tests.
//
// The checks race: they send calls over several connections at the same
// moment. A store that keeps the contract only for one call at a time would
// lose data in production.
//
//	storecheck.go  All: the checks with their clauses; Env
//	put.go         creating, replacing, tokens, deleting
//	read.go        reading beside a writer; ranges; the clock
//	list.go        order and completeness of listings; keys
//	body.go        sizes of bodies; cancellation
//	root.go        Root: stores whose directory can be taken away
//	probe.go       Probe: the promises that matter most, in some hundred requests
//	settle.go      puts whose first answer is not the last word
package storecheck

import (
	"context"
	"sync"
	"time"

	"github.com/mindtrace/registry/store"
)

// Env is what a check works with.
type Env struct {
	// Conns are connections to one and the same store, four or more, best
	// from different processes or machines.
	Conns []store.Store
	// Prefix begins the keys of the check, and ends in a slash. No key may
	// exist there yet. The caller removes the keys afterwards: see Clean.
	Prefix string
	// Rounds is how often to run races. 0 means 20.
	Rounds int
	// Keys is how many keys to put under one prefix. 0 means 1000.
	Keys int
	// Limit is how long one check may take. 0 means a minute, plus 6 s for
	// each round and 20 ms for each key.
	Limit time.Duration
}

// Check tests one clause of the contract.
type Check struct {
	Clause  int                                     // number in the list at store.Store
	Name    string                                  // short, for command lines and test names
	Promise string                                  // what must hold, as a sentence
	Run     func(ctx context.Context, e *Env) error // nil if the store keeps the promise; ends within the Limit
}

// All returns the checks, in the order of the clauses.
func All() []Check {
	checks := []Check{
		{1, "atomic", "Get, Stat and List never show part of a Put.", atomic},
		{2, "linearizable", "After a call returns, every later call on every connection sees its effect.", linearizable},
		{3, "create-one-winner", "Of many creators of a key exactly one wins, and the body is the winner's.", createRace},
		{3, "create-existing", "A key that exists is never created again.", createExisting},
		{4, "cas-counter", "Concurrent compare-and-swap loses no update.", casCounter},
		{4, "cas-one-winner", "Of many replacements of one state exactly one wins.", casRace},
		{4, "cas-absent", "Replacing a key that does not exist is refused and creates nothing.", casAbsent},
		{5, "tokens", "Every Put of another body changes the token; Put, Get, Stat and List agree on it.", tokens},
		{6, "outcomes", "A refused Put says so, and changes nothing.", outcomes},
		{7, "delete", "Delete is idempotent and lasting.", deletes},
		{8, "list-order", "List is ascending in bytes, after is exclusive, no key comes twice.", listOrder},
		{9, "list-complete", "List never shows a key without those completed before it.", listComplete},
		{10, "list-one-state", "The fields of a listed entry belong to one state.", listState},
		{11, "time", "Modified is on the clock of Now and never goes back.", clock},
		{12, "get-one-version", "Get, also of a range, returns bytes and token of one version.", getVersion},
		{12, "get-range", "Ranges return the bytes asked for, short at the end.", getRange},
		{13, "keys-distinct", "Keys that look alike are different objects.", keysDistinct},
		{13, "keys-many", "Many keys under one prefix work.", keysMany},
		{14, "body-sizes", "Bodies of 0 bytes to 16 MiB come back unchanged.", bodySizes},
		{14, "body-too-large", "A body over the limit is refused whole.", bodyTooLarge},
		{16, "cancel", "A cancelled call returns within a second, and applies nothing silently.", cancel},
	}
	for i := range checks {
		checks[i].Run = within(checks[i].Run)
	}
	return checks
}

func (e *Env) rounds() int {
	if e.Rounds == 0 {
		return 20
	}
	return e.Rounds
}

func (e *Env) keys() int {
	if e.Keys == 0 {
		return 1000
	}
	return e.Keys
}

func (e *Env) conn(i int) store.Store { return e.Conns[i%len(e.Conns)] }

// together runs n functions at once, spread over the connections, and returns
// the first of their errors.
func (e *Env) together(ctx context.Context, n int, do func(i int, st store.Store) error) error {
	start := make(chan struct{})
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = do(i, e.conn(i))
		})
	}
	close(start)
	wg.Wait()
	return one(errs)
}

// one returns the first of several errors of calls that ran at once. If all
// fail, it is mostly for one reason, which should be reported once.
func one(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func list(ctx context.Context, st store.Store, prefix, after string) ([]store.Info, error) {
	var all []store.Info
	for info, err := range st.List(ctx, prefix, after) {
		if err != nil {
			return all, err
		}
		all = append(all, info)
	}
	return all, nil
}

// filled returns n bytes that all equal seed. A mixture of two bodies is
// visible.
func filled(seed byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = seed
	}
	return b
}
