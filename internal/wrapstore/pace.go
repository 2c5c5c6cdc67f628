package wrapstore

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/mindtrace/registry/internal/mechanism"
)

// Pace finds out how many transfers at once a store serves best. It raises the
// number by one as long as that brings more bytes a second. If it does not, it
// lowers the number by one and tries again later. If the store is overloaded, it
// lowers the number by a third. A Pace is for the transfers of one direction,
// and may be used by many goroutines.
type Pace struct {
	mu      sync.Mutex
	most    int
	limit   int
	under   int // transfers under way
	waiting []chan struct{}

	since  time.Time // when the round began
	n      int       // transfers finished in the round
	bytes  int64
	full   bool    // the limit was reached in the round
	before float64 // bytes a second with a limit of one less
	rest   int     // rounds until the limit is raised again
	cut    int     // transfers still under way that began before the limit was lowered
}

const (
	fewest = 4  // smallest limit to begin with
	rests  = 16 // rounds to wait after raising the limit was useless
)

// NewPace returns a Pace with at most most transfers at once.
func NewPace(most int) *Pace {
	if mechanism.Pace > 0 {
		return newPace(min(most, mechanism.Pace), mechanism.Pace)
	}
	return newPace(most, max(fewest, runtime.GOMAXPROCS(0)))
}

func newPace(most, first int) *Pace { return &Pace{most: most, limit: max(1, min(most, first))} }

// Limit returns the present limit of transfers at once.
func (p *Pace) Limit() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limit
}

// begin waits until one more transfer may begin.
func (p *Pace) begin(ctx context.Context) error {
	p.mu.Lock()
	if p.under == 0 { // after a pause, the measurement starts anew
		p.round()
	}
	if p.under < p.limit && len(p.waiting) == 0 {
		p.under++
		p.full = p.full || p.under == p.limit
		p.mu.Unlock()
		return nil
	}
	p.full = true
	turn := make(chan struct{})
	p.waiting = append(p.waiting, turn)
	p.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		if i := slices.Index(p.waiting, turn); i >= 0 {
			p.waiting = slices.Delete(p.waiting, i, i+1)
		} else {
			p.under--
			p.next()
		}
		return ctx.Err()
	}
}

// end records the end of a transfer of n bytes. busy means that the store was
// overloaded.
func (p *Pace) end(n int64, busy bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.under--
	switch {
	case p.cut > 0: // the transfer began with the limit before
		if p.cut--; p.cut == 0 {
			p.round()
		}
	case busy:
		p.limit = max(1, p.limit*2/3)
		p.before, p.rest, p.cut = 0, rests, p.under
		p.round()
	default:
		p.bytes += n
		if p.n++; p.n >= 2*p.limit {
			p.step()
		}
	}
	p.next()
}

// next starts waiting transfers up to the limit.
func (p *Pace) next() {
	for len(p.waiting) > 0 && p.under < p.limit {
		p.under++
		close(p.waiting[0])
		p.waiting = slices.Delete(p.waiting, 0, 1)
	}
}

func (p *Pace) round() { p.since, p.n, p.bytes, p.full = time.Now(), 0, 0, p.under >= p.limit }

// step changes the limit after a round, if the limit was reached in it.
func (p *Pace) step() {
	rate, full := float64(p.bytes)/max(time.Since(p.since).Seconds(), 1e-9), p.full
	p.round()
	if !full {
		return // the limit was not what slowed the transfers down
	}
	switch {
	case p.rest > 0:
		p.rest--
		p.before = 0
		return
	case p.before > 0 && rate < p.before*(1+0.5/float64(p.limit)): // half of what one more should bring
		p.limit, p.before, p.rest = max(1, p.limit-1), 0, rests
	case p.limit < p.most:
		p.limit, p.before = p.limit+1, rate
	}
}
