// Package storetest runs the checks of package storecheck as Go tests. A
// backend joins with one line:
//
//	func TestContract(t *testing.T) { storetest.Run(t, conns, nil) }
//
// where conns are connections to one empty store. With [Main] and [Processes]
// each connection lives in a process of its own.
package storetest

import (
	"strings"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/storecheck"
)

// Options adjust Run. nil means the zero value.
type Options struct {
	Prefix string // of all keys, ends in a slash; "" means "contract/"
	Rounds int    // see storecheck.Env
	Keys   int    // see storecheck.Env
}

// Run runs every check against the store that conns are connections to, each
// as a subtest named by clause.
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
		o.Rounds, o.Keys = (o.Rounds+4)/5, o.Keys/10 // not to 0, which means another number
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

// Same returns n times the same connection: the racers are goroutines.
func Same(st store.Store, n int) []store.Store {
	conns := make([]store.Store, n)
	for i := range conns {
		conns[i] = st
	}
	return conns
}
