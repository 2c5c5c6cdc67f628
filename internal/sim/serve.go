package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// choose picks the request to be served.
func (r *run) choose(ready []*call) *call {
	of := func(c *client) (calls []*call) {
		for _, x := range ready {
			if x.client == c {
				calls = append(calls, x)
			}
		}
		return calls
	}
	calls := of(r.last)
	if len(calls) == 0 || r.ch.often(100-r.burst) {
		var clients []*client
		for _, x := range ready {
			if !slices.Contains(clients, x.client) {
				clients = append(clients, x.client)
			}
		}
		r.last = pick(r.ch, clients)
		calls = of(r.last)
	}
	return pick(r.ch, calls)
}

// serve answers a request, one way or another.
func (r *run) serve(c *call) {
	f := fine
	if c.client.outage > 0 && c.op != opStart && c.op != opSource {
		c.client.outage--
		f = pick(r.ch, []fault{lostRequest, lostRequest, floats, lostAnswer})
	} else if r.faults > 0 && len(r.kinds) > 0 && r.ch.draw(1000) >= 1000-r.odds(c) {
		f = pick(r.ch, r.kinds)
		r.faults--
		r.count(faultNames[f])
	}
	switch f {
	case cancelled:
		r.note("client %d %s: %s", c.client.n, c, faultNames[f])
		c.client.give() // its requests are still under way
		return
	case outage:
		c.client.outage = 3 + r.ch.draw(12)
		f = lostRequest
	}
	if !c.mutates() && (f == floats || f == lostRequest) {
		f = lostAnswer
	}
	r.w.unpark(c)
	r.w.now = r.w.now.Add(time.Millisecond)
	var a answer
	switch f {
	case fine:
		a = r.w.apply(c)
		r.note("client %d %s%s", c.client.n, c, outcome(a))
	case busy:
		a.err = store.ErrRetry
	case lostAnswer:
		a.err = store.ErrUnavailable
		if c.mutates() {
			r.w.apply(c)
			a.err = store.ErrUnknown
		}
	case lostRequest:
		a.err = store.ErrUnknown
	case floats:
		a.err = store.ErrUnknown
		r.w.floating = append(r.w.floating, c)
	case crashAfter:
		r.w.apply(c)
	case crashFloating:
		if c.mutates() {
			r.w.floating = append(r.w.floating, c)
		}
	}
	if f != fine {
		r.note("client %d %s: %s", c.client.n, c, faultNames[f])
	}
	if f >= crashBefore && f <= crashFloating {
		r.crash(c.client, c)
		return
	}
	c.done <- a
}

// odds returns how many of a thousand requests like this one meet a fault.
func (r *run) odds(c *call) int {
	switch {
	case c.op == opStart || c.op == opSource || c.key == manifest.SettingsKey:
		return 0
	case r.only != nil && !r.only(c):
		return 0
	case r.only != nil:
		return 500
	}
	return r.wrong
}

func outcome(a answer) string {
	switch {
	case a.err == nil && a.page != nil:
		return fmt.Sprintf(": %d keys", len(a.page))
	case a.err != nil:
		return ": " + a.err.Error()
	}
	return ""
}

// crash ends a process. Its requests may still arrive. Another process
// continues with its other operations.
func (r *run) crash(c *client, served ...*call) {
	c.dead.Store(true)
	var gone []*call
	r.w.waiting = slices.DeleteFunc(r.w.waiting, func(x *call) bool {
		if x.client == c {
			gone = append(gone, x)
		}
		return x.client == c
	})
	for _, x := range slices.Concat(served, gone) {
		x.done <- answer{err: errCrashed}
	}
	c.cancel()
	slices.SortFunc(gone, func(a, b *call) int { return strings.Compare(a.String(), b.String()) })
	for _, x := range gone {
		if x.mutates() {
			r.w.floating = append(r.w.floating, x)
		}
	}
	r.wait()
	if len(c.ops) > 0 {
		r.newClient(c.n+10, c.ops).start()
	}
}

// land applies a request that its client has given up.
func (r *run) land(i int) {
	c := r.w.floating[i]
	r.w.floating = slices.Delete(r.w.floating, i, i+1)
	r.w.now = r.w.now.Add(time.Millisecond)
	a := r.w.apply(c)
	r.note("client %d's %s lands%s", c.client.n, c, outcome(a))
	r.count("floating landings")
	if a.err == nil {
		r.count("floating landings applied")
	}
}
