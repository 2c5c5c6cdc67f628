package sim

import (
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/internal/manifest"
)

// times are the times of the simulated registries. They are so close to each
// other that eras end while saves are under way.
var times = manifest.Times{Era: 4 * 3600, Window: 2 * 3600, Retain: 3 * 3600, Margin: 600}

func init() {
	knob.Jitter = func(limit time.Duration) time.Duration { return limit / 2 }
}

// run is one schedule.
type run struct {
	ch      *choices
	sc      *scenario
	w       *world
	oracle  *oracle
	clients []*client

	ablation *ablation // nil: the protocol as it is
	knobs    knob.Knobs

	step   int
	last   *client
	faults int // that may still happen
	trace  []string
	traced bool
	counts map[string]int
	uneven bool // time has passed while clients were not asleep

	// What this schedule is made of.
	burst   int // percent: how much the present client goes on
	wrong   int // per mille of the requests
	jump    int // per mille of the steps
	suspend int
	loss    int // per mille of the steps, of the root
	kinds   []fault
	only    func(*call) bool // requests that may meet a fault; nil: all
	nap     time.Duration    // how much time passes when all clients wait for time to pass
}

type fault int

const (
	fine fault = iota
	lostAnswer
	lostRequest
	floats
	busy
	crashBefore
	crashAfter
	crashFloating
	cancelled // by its user
	outage    // this request and the next ones of the client get lost
)

var faultNames = []string{"", "answer lost", "request lost", "floating", "busy", "crash before", "crash after", "crash, floating", "cancelled", "outage"}

// result of one schedule.
type result struct {
	violation string
	made      []uint32
	trace     []string
	steps     int
}

// seeded makes crypto/rand deterministic, for the nonces.
type seeded struct {
	mu  sync.Mutex
	src *rand.ChaCha8
}

func (s *seeded) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.src.Read(p)
}

// schedule runs one schedule.
func schedule(t *testing.T, sc *scenario, ab *ablation, ch *choices, counts map[string]int, traced bool) (res result) {
	old := crand.Reader
	crand.Reader = &seeded{src: rand.NewChaCha8([32]byte{1})}
	defer func() { crand.Reader = old }()
	knobs := knob.Default()
	knobs.MaxInline, knobs.MaxPack, knobs.ProbeEvery = 0, 64, -1
	if sc.turn != nil {
		sc.turn(ch, &knobs)
	}
	synctest.Test(t, func(t *testing.T) {
		r := &run{knobs: knobs, nap: 10 * time.Second, ch: ch, sc: sc, ablation: ab, counts: counts, traced: traced}
		r.w = &world{objects: map[string]object{}, born: map[string]int{}, page: 1000}
		r.w.now = times.EraEnd(1000).Add(time.Minute)
		r.w.mu.Lock()
		defer r.w.mu.Unlock()
		r.oracle = newOracle(r)
		r.w.put, r.w.deleted, r.w.sent = r.oracle.put, r.oracle.deleted, r.oracle.sent
		config := manifest.NewSettings(r.w.now, times)
		config.Unversioned = sc.unversioned
		settings, err := config.Encode()
		if err != nil {
			panic(err)
		}
		r.w.objects[manifest.SettingsKey] = object{settings, "0", r.w.now}
		before, ops := sc.plan(r.ch)
		if len(before) > 0 {
			r.newClient(0, before).start()
			r.loop()
			r.advance(pick(ch, []time.Duration{0, times.WindowD(), 2 * era, 4 * era}), "")
		}
		r.burst = pick(ch, []int{0, 50, 80, 95})
		r.wrong = pick(ch, []int{0, 20, 60, 150})
		r.jump = pick(ch, []int{0, 10, 30, 100})
		r.suspend = pick(ch, []int{0, 10, 30, 60})
		r.w.page = pick(ch, []int{1000, 2, 3})
		r.faults = maxFaults
		r.nap = 10 * time.Second
		for k := lostAnswer; k <= outage; k++ {
			if ch.draw(3) < 2 {
				r.kinds = append(r.kinds, k)
			}
		}
		if sc.tune != nil {
			sc.tune(r)
		}
		if ab != nil {
			r.w.order, r.w.looksBefore = ab.order, ab.looksBefore
			if ab.anew {
				r.w.anew = map[string]object{}
			}
		}
		for i, o := range ops {
			r.newClient(i+1, o).start()
		}
		r.loop()
		r.settle()
		r.stop()
		res = result{r.oracle.violation, ch.made, r.trace, r.step}
	})
	return res
}

var era = time.Duration(times.Era) * time.Second

func (r *run) note(format string, args ...any) {
	if r.traced {
		r.trace = append(r.trace, fmt.Sprintf("%4d %s  ", r.step, r.clockString())+fmt.Sprintf(format, args...))
	}
}

// clockString is the store's time as era and seconds in it.
func (r *run) clockString() string {
	e := times.EraOf(r.w.now)
	return fmt.Sprintf("era %d+%05.0f", e, era.Seconds()-times.EraEnd(e).Sub(r.w.now).Seconds())
}

func (r *run) count(what string) { r.counts[what]++ }

const (
	maxSteps  = 4000
	maxFaults = 8
)

// loop schedules until all clients are done.
func (r *run) loop() {
	for r.oracle.violation == "" {
		r.wait()
		ready, sleeping, later := r.ready()
		if len(ready) == 0 && !sleeping && later.IsZero() {
			return
		}
		if r.step++; r.step > maxSteps {
			r.oracle.fail("no end after %d steps", maxSteps)
			return
		}
		if r.disturb(ready) {
			continue
		}
		switch {
		case len(ready) > 0:
			r.serve(r.choose(ready))
		case sleeping:
			r.sleep(r.nap)
			r.uneven = r.uneven || !later.IsZero() // a client is suspended
		default:
			r.advance(later.Sub(r.w.now), "until a client wakes up: ")
		}
	}
}

// ready returns the requests that can be served, whether clients wait for time
// to pass, and when the next suspended client continues.
func (r *run) ready() (ready []*call, sleeping bool, later time.Time) {
	asks := map[*client]bool{}
	for _, c := range r.w.waiting {
		asks[c.client] = true
		if at := c.client.suspended; at.After(r.w.now) {
			if later.IsZero() || at.Before(later) {
				later = at
			}
			continue
		}
		ready = append(ready, c)
	}
	for _, c := range r.clients {
		sleeping = sleeping || !c.finished && !asks[c]
	}
	slices.SortFunc(ready, func(a, b *call) int {
		switch {
		case a.client != b.client:
			return a.client.n - b.client.n
		case a.op != b.op:
			return strings.Compare(string(a.op), string(b.op))
		}
		return strings.Compare(r.w.numbered(a.key), r.w.numbered(b.key))
	})
	return ready, sleeping, later
}

// disturb may do something other than serve a request.
func (r *run) disturb(ready []*call) bool {
	total := r.jump + r.suspend + 2*r.wrong + r.jump/4 + r.loss
	if total == 0 {
		return false
	}
	x := 999 - r.ch.draw(1000) // 0: the harmless choice is 999
	within := func(n int) bool { x -= n; return x < 0 && x >= -n }
	switch {
	case within(r.jump):
		r.advance(r.amount(), "clock jumps: ")
		return true
	case within(r.suspend):
		if len(ready) == 0 {
			return false
		}
		c := pick(r.ch, ready).client
		d := r.amount()
		c.suspended = r.w.now.Add(d)
		r.note("client %d is suspended for %s", c.n, d)
		r.count("suspensions")
		return true
	case within(2 * r.wrong):
		if len(r.w.floating) == 0 {
			return false
		}
		r.land(r.ch.draw(len(r.w.floating)))
		return true
	case within(r.jump / 4):
		d := r.amount() // only the clients' clocks: they run faster than the store's
		r.pass(d)
		r.uneven = true
		r.note("the clients' clocks jump by %s", d)
		r.count("client clock jumps")
		return true
	case within(r.loss):
		r.turnRoot()
		return true
	}
	return false
}

// amount is by how much a clock jumps or for how long a client sleeps.
func (r *run) amount() time.Duration {
	t := times
	toEnd := t.EraEnd(t.EraOf(r.w.now)).Sub(r.w.now)
	return pick(r.ch, []time.Duration{
		toEnd, era, t.WindowD(), toEnd + t.WindowD() + t.MarginD(), t.RetainD(), t.WindowD() / 2, t.WindowD() - t.MarginD(),
		t.MarginD(), t.RetainD() + t.WindowD() + t.MarginD(), 2 * era, 2*era + t.RetainD(), toEnd - time.Second,
	}) + pick(r.ch, []time.Duration{0, time.Second, time.Minute})
}

func (r *run) advance(d time.Duration, why string) {
	if d <= 0 {
		return
	}
	r.w.now = r.w.now.Add(d)
	r.count("store clock jumps")
	r.note("%s%s later", why, d)
}

// sleep lets time pass for all clients.
func (r *run) sleep(d time.Duration) {
	r.pass(d)
	r.w.now = r.w.now.Add(d)
}

// settle ends a schedule. Each late request is applied or dropped, and then the
// oracle checks that everything that was promised exists.
func (r *run) settle() {
	if r.w.root != inPlace {
		r.turnRoot()
	}
	for len(r.w.floating) > 0 && r.oracle.violation == "" {
		if i := r.ch.draw(len(r.w.floating)); r.ch.draw(2) == 1 {
			r.land(i)
		} else {
			r.w.floating = slices.Delete(r.w.floating, i, i+1)
		}
	}
	if r.oracle.violation == "" {
		r.oracle.final()
	}
}

// stop ends all clients after a violation.
func (r *run) stop() {
	for _, c := range r.clients {
		if !c.finished {
			c.ops = nil
			r.crash(c)
		}
		c.cancel()
	}
	r.wait()
}

// wait lets the clients run until all wait.
func (r *run) wait() {
	r.w.mu.Unlock()
	synctest.Wait()
	r.w.mu.Lock()
}

// pass advances the clients' clocks.
func (r *run) pass(d time.Duration) {
	r.w.mu.Unlock()
	time.Sleep(d)
	r.w.mu.Lock()
}
