// Package storetest runs the checks of package storecheck as Go tests. The
// tests of a backend need one line:
//
//	func TestContract(t *testing.T) { storetest.Run(t, conns, nil) }
//
// where conns are four or more connections to one empty store. With [Main] and
// [Processes] each connection lives in a process of its own. [Root] is for
// stores whose root can be taken away.
package storetest

import (
	"strings"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/storecheck"
)

// Options adjust Run. nil means the zero value.
type Options struct {
	Prefix string // of all keys; ends in a slash; "" means "contract/"
	Rounds int    // how often to run races; see storecheck.Env
	Keys   int    // how many keys to put under one prefix; see storecheck.Env
}

// Run runs every check on one store. conns are connections to it, at least
// four. Each check is a subtest, named like storecheck.Check.Name. With -short
// there are fewer rounds and keys.
func Run(t *testing.T, conns []store.Store, opts *Options) {
	t.Helper()
	if len(conns) < 4 {
		t.Fatalf("storetest: %d connections, a race needs 4", len(conns))
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	if testing.Short() {
		o.Rounds, o.Keys = (o.Rounds+4)/5, o.Keys/10 // not 0, which means the default
	}
	if o.Prefix == "" {
		o.Prefix = "contract/"
	}
	if !strings.HasSuffix(o.Prefix, "/") {
		t.Fatalf("storetest: prefix %q does not end in a slash", o.Prefix)
	}
	for _, c := range storecheck.All() {
		t.Run(c.Name, func(t *testing.T) {
			env := &storecheck.Env{Conns: conns, Prefix: o.Prefix + c.Name + "/", Rounds: o.Rounds, Keys: o.Keys}
			if err := c.Run(t.Context(), env); err != nil {
				t.Errorf("clause %d: %s\n%v", c.Clause, c.Promise, err)
			}
		})
	}
}

// Same returns the same connection n times, for races between goroutines.
func Same(st store.Store, n int) []store.Store {
	conns := make([]store.Store, n)
	for i := range conns {
		conns[i] = st
	}
	return conns
}
