package proofs

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/mindtrace/registry/internal/faultproxy"
)

// Histories of many processes that save, load, delete and tag the same names
// are linearizable: there is an order of the operations, in which each takes
// its place between call and return, that one process alone could have seen.
// Some processes are killed in the middle; on servers the network loses,
// repeats, delays and cuts. What that leaves unknown may take effect at any
// time later, once, or never.
func TestHistories(t *testing.T) {
	members, each := 8, 40
	if testing.Short() {
		members, each = 4, 15
	}
	onEach(t, []server{directory, minio, gcs}, func(t *testing.T, s server) {
		rounds(t, func(round int, seed uint64) {
			l := s.fresh(t)
			p := l.place
			var proxy *faultproxy.Proxy
			if l.server != nil {
				proxy = faultproxy.Start(t, l.server.Addr(), faultproxy.Random(seed, 0.03))
				p = l.by(proxy.Addr())
			}
			c := newCrowd(t, members)
			k := &known{numbers: map[string]int{}}
			c.run(members, seed, p, func(m *member) {
				for range each {
					k.step(m)
				}
			})
			ops := history(c.events)
			res, info := porcupine.CheckOperationsVerbose(registerModel, ops, 0)
			if res != porcupine.Ok {
				file := filepath.Join(os.TempDir(), fmt.Sprintf("history-%s-%d.html", s.name, seed))
				t.Errorf("%d operations are not linearizable; see %s (%v)", len(ops), file, porcupine.VisualizePath(registerModel, info, file))
			}
			n := c.acknowledged()
			for _, op := range []string{"save", "load", "latest", "delete", "tag", "tagged"} {
				if n[op+" done"] == 0 {
					t.Errorf("no %s ended well: this proves nothing", op)
				}
			}
			if c.killed == 0 || proxy != nil && proxy.Faults() == 0 {
				t.Error("nothing failed: this proves little")
			}
			if round == 0 {
				t.Logf("%d operations by %d processes, %d of them killed: %v", len(ops), c.clients, c.killed, n)
			}
		})
	})
}

// known is what the members of a crowd know together: enough to ask for
// versions that are there.
type known struct {
	mu      sync.Mutex
	content int
	numbers map[string]int // how many versions a name has, at least
}

// step does one thing to one of two names. Every third version is only
// tagged, never deleted.
func (k *known) step(m *member) {
	q := request{Name: fmt.Sprintf("n%d", m.rng.IntN(2))}
	k.mu.Lock()
	n := k.numbers[q.Name]
	k.content++
	content := k.content
	k.mu.Unlock()
	pick := func(tagged bool) (int, bool) {
		v := m.rng.IntN(n + 1)
		return v, (v%3 == 0) == tagged
	}
	var ok bool
	switch d := m.rng.IntN(100); {
	case d < 25 || n == 0:
		q.Op, q.Content, q.Size = "save", content, 100
		if m.rng.IntN(3) == 0 {
			q.Size = 200 << 10 // in a pack
		}
	case d < 45:
		q.Op = "latest"
	case d < 60:
		q.Op, q.Version = "load", m.rng.IntN(n+1)
	case d < 75:
		q.Op = "delete"
		if m.rng.IntN(2) == 0 && (n-1)%3 != 0 {
			q.Version = n - 1 // the latest: what moves most
		} else if q.Version, ok = pick(false); !ok {
			return
		}
	case d < 85:
		q.Op, q.Tag = "tag", "prod"
		if q.Version, ok = pick(true); !ok || q.Version >= n {
			q.Version = 0
		}
	case d < 88:
		q.Op, q.Tag = "untag", "prod"
	default:
		q.Op, q.Tag = "tagged", "prod"
	}
	a := m.do(q, 20*time.Millisecond)
	if q.Op == "save" && a.Outcome == done {
		k.mu.Lock()
		k.numbers[q.Name] = max(k.numbers[q.Name], a.Version+1)
		k.mu.Unlock()
	}
}
