package proofs

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// crowd is a number of processes that work at the same time, and the history
// of what they did.
type crowd struct {
	t     *testing.T
	start time.Time

	mu      sync.Mutex
	events  []event
	clients int
	kills   int // still to be done
	killed  int
}

func newCrowd(t *testing.T, kills int) *crowd {
	return &crowd{t: t, start: time.Now(), kills: kills}
}

// member is one process of a crowd, and those that take its place when it is
// killed.
type member struct {
	*crowd
	rng   *rand.Rand
	place place
	w     *worker
	n     int // its number as a client
}

// run has n members do script, each in a goroutine, and waits for them.
func (c *crowd) run(n int, seed uint64, p place, script func(m *member)) {
	var wg sync.WaitGroup
	for i := range n {
		m := &member{crowd: c, rng: rand.New(rand.NewPCG(seed, uint64(i))), place: p}
		wg.Go(func() {
			if !m.replace() {
				return
			}
			script(m)
			if m.w != nil {
				if err := m.w.stop(); err != nil {
					c.t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// replace starts a process in the place of one that has died.
func (m *member) replace() bool {
	w, err := startWorker(m.t, m.place)
	if err != nil {
		m.t.Error(err)
		return false
	}
	m.mu.Lock()
	m.w, m.n = w, m.clients
	m.clients++
	m.mu.Unlock()
	return true
}

// dies says whether the process is to be killed during its next operation.
func (m *member) dies() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kills == 0 || m.rng.IntN(8) != 0 {
		return false
	}
	m.kills--
	m.killed++
	return true
}

// do has the process do q, and notes it. The process may be killed meanwhile.
func (m *member) do(q request, within time.Duration) answer {
	var timer *time.Timer
	kill := m.dies()
	if kill {
		w := m.w
		timer = time.AfterFunc(time.Duration(m.rng.Int64N(int64(within))), w.kill)
	}
	call := time.Since(m.start)
	a, alive := m.w.do(q)
	e := event{m.n, q, a, int64(call), int64(time.Since(m.start))}
	m.mu.Lock()
	m.events = append(m.events, e)
	m.mu.Unlock()
	if a.Content < 0 {
		m.t.Errorf("%+v: bytes that nobody saved", q)
	}
	if !alive && !kill {
		m.t.Errorf("a process ended by itself: %s", m.w.stderr.String())
	}
	if kill {
		timer.Stop()
		m.w.kill()
		m.w.cmd.Wait()
		m.replace()
	}
	return a
}

// acknowledged is how many operations ended well, by what they are.
func (c *crowd) acknowledged() map[string]int {
	n := map[string]int{}
	for _, e := range c.events {
		n[e.in.Op+" "+string(e.out.Outcome)]++
	}
	return n
}
