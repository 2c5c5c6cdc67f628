package store

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Pace finds out how many transfers at once a store serves best. It goes up by
// one as long as that brings more bytes a second, and a step back when it does
// not, to try again later; when the store says that it is asked too much, it goes
// down by a third. It is for the transfers of one direction, and may be used by
// many goroutines.
type Pace struct {
	mu      sync.Mutex
	most    int
	limit   int
	under   int // transfers under way
	waiting []chan struct{}

	since  time.Time // when the round began
	n      int       // transfers finished in it
	bytes  int64
	full   bool    // somebody has waited, or nearly
	before float64 // bytes a second at one less
	rest   int     // rounds until the next try
	cut    int     // transfers that began before the last step down
}

const (
	fewest = 4  // transfers that a pace begins with at least
	rests  = 16 // rounds between tries that have brought nothing
)

// NewPace returns a Pace that goes up to most transfers at once.
func NewPace(most int) *Pace {
	return &Pace{most: most, limit: max(1, min(most, max(fewest, runtime.GOMAXPROCS(0))))}
}

// Limit returns how many transfers are made at once now.
func (p *Pace) Limit() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limit
}

// begin waits until one more transfer may begin.
func (p *Pace) begin(ctx context.Context) error {
	p.mu.Lock()
	if p.under == 0 { // what was measured before is of another time
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
		return context.Cause(ctx)
	}
}

// end takes note of a transfer of n bytes that has ended.
func (p *Pace) end(n int64, busy bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.under--
	switch {
	case p.cut > 0: // it was asked for at the pace before
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

// next lets those begin who may.
func (p *Pace) next() {
	for len(p.waiting) > 0 && p.under < p.limit {
		p.under++
		close(p.waiting[0])
		p.waiting = slices.Delete(p.waiting, 0, 1)
	}
}

func (p *Pace) round() { p.since, p.n, p.bytes, p.full = time.Now(), 0, 0, p.under >= p.limit }

// step changes the limit after a round in which it was reached.
func (p *Pace) step() {
	rate, full := float64(p.bytes)/max(time.Since(p.since).Seconds(), 1e-9), p.full
	p.round()
	if !full {
		return // the store was not what all waited for
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

// Paced returns st with its large transfers at the paces of gets and puts. It
// is to be wrapped by Retry: no transfer is under way while that waits.
func Paced(st Store, gets, puts *Pace) Store {
	p := paced{st, gets, puts}
	if _, ok := st.(KeyLister); ok {
		return pacedLister{p}
	}
	return p
}

// largeTransfer is from how many bytes on a transfer counts.
const largeTransfer = 256 << 10

type paced struct {
	Store
	gets, puts *Pace
}

// Unwrap returns the store below.
func (p paced) Unwrap() Store { return p.Store }

// Get implements Store.
func (p paced) Get(ctx context.Context, key string, opts *GetOptions) (body []byte, info Info, err error) {
	if opts == nil || opts.Length < largeTransfer {
		return p.Store.Get(ctx, key, opts)
	}
	if err := p.gets.begin(ctx); err != nil {
		return nil, Info{}, err
	}
	defer func() { p.gets.end(int64(len(body)), tooMuch(err)) }()
	return p.Store.Get(ctx, key, opts)
}

// Put implements Store.
func (p paced) Put(ctx context.Context, key string, body []byte, match Token) (info Info, err error) {
	if len(body) < largeTransfer {
		return p.Store.Put(ctx, key, body, match)
	}
	if err := p.puts.begin(ctx); err != nil {
		return Info{}, err
	}
	defer func() { p.puts.end(int64(len(body)), tooMuch(err)) }()
	return p.Store.Put(ctx, key, body, match)
}

// tooMuch reports whether an answer may mean that the store is asked too much:
// 429, 503 and what else passes.
func tooMuch(err error) bool {
	return errors.Is(err, ErrRetry) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnknown)
}

// pacedLister is a paced store that is a KeyLister.
type pacedLister struct{ paced }

// Keys implements KeyLister.
func (p pacedLister) Keys(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return Keys(ctx, p.Store, prefix, after)
}

// Stage implements Stager, if the store below does. Bodies that are staged keep
// no pace: the store takes them in at once.
func (p paced) Stage(ctx context.Context, key string, body []byte) (Staged, error) {
	return wrappedStage(ctx, p.Store, key, body, func(s Staged) Staged { return s })
}
