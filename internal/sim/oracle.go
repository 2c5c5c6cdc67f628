package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/mindtrace/registry/internal/manifest"
)

// oracle sees every change of the store and every result of a client, and
// checks the invariants I1 to I12 of docs/attacks.md#invariants. It does not
// rely on the registry's own checks: of the product it uses only the decoder of
// registers.
type oracle struct {
	r         *run
	violation string

	registers map[string]*register
	saves     map[string]*op // by id
	nonces    map[manifest.Nonce]string
	next      map[string]bool // register and predecessor → has a successor
	doomed    map[string]bool // keys whose DELETE was sent
	latest    map[string][]moment
	acked     map[string]manifest.Version // highest acknowledged automatic or explicit release, by name
	minimum   map[*op]manifest.Version    // the number of a save must be higher
	floor     map[*op]manifest.Version    // a load of an unversioned object must return this version or a later one
	ops       []*op                       // operations that have begun
	turned    map[string]int              // step of the last deletion or undeletion, by name
	holders   []holding
	born      map[string]int // step at which a pack was put
}

// register is one version.
type register struct {
	key, id   string
	m         *manifest.Manifest
	modified  time.Time
	before    []manifest.Pack // packs that it named before the last change
	turned    int             // step of the last change
	protected bool            // its present state, or the one that a delete has replaced, must keep its packs
	found     bool            // it was at the place of the registry at some moment
	promised  map[manifest.Nonce]bool
	lifetimes [][2]int // steps at which it became live and ceased to be
}

// moment is the latest version from a step on.
type moment struct {
	step       int
	version    string
	undeletion bool // the change was an undeletion
}

func newOracle(r *run) *oracle {
	return &oracle{
		r: r, registers: map[string]*register{}, saves: map[string]*op{}, nonces: map[manifest.Nonce]string{},
		next: map[string]bool{}, doomed: map[string]bool{}, latest: map[string][]moment{},
		acked: map[string]manifest.Version{}, minimum: map[*op]manifest.Version{}, floor: map[*op]manifest.Version{},
		turned: map[string]int{}, born: map[string]int{},
	}
}

func (o *oracle) fail(format string, args ...any) {
	if ab := o.r.ablation; ab != nil && slices.ContainsFunc(ab.ignore, func(i string) bool { return strings.HasPrefix(format, i) }) {
		return
	}
	if o.violation == "" {
		o.violation = fmt.Sprintf(format, args...)
		o.r.note("VIOLATION %s", o.violation)
	}
}

// sent sees every request when it is sent.
func (o *oracle) sent(c *call) {
	if c.op == opDelete {
		o.doomed[c.key] = true
	}
}

// put sees every put that was applied.
func (o *oracle) put(c *call, old, now object) {
	switch {
	case manifest.IsMilestone(c.key):
		o.putMilestone(c.key, old, now)
	case strings.HasPrefix(c.key, manifest.ObjectsPrefix):
		o.putRegister(c, old, now)
	case strings.HasPrefix(c.key, "tags/"):
		o.putTag(c, old, now)
	case strings.HasPrefix(c.key, manifest.LocksPrefix):
		o.putLock(c, old, now)
	case strings.HasPrefix(c.key, manifest.PacksPrefix):
		p, err := manifest.ParsePackKey(c.key)
		if err != nil {
			o.fail("pack with a bad key: %v", err)
			return
		}
		if old.token != "" {
			o.fail("I6: pack %s was written twice", c.key)
		}
		o.r.count("packs put")
		o.born[c.key] = o.r.step
		if p.Era < times.EraOf(o.r.w.now) {
			// It is no evidence for any save: its era is over.
			o.r.count("packs put too late")
			return
		}
	}
	if o.doomed[c.key] && (strings.HasPrefix(c.key, manifest.CollectionsPrefix) || strings.Contains(c.key, "/s/")) {
		// Two kinds of keys may be written after their DELETE was sent. The
		// marker of a slow collection, which a later collection removes: if
		// the removal hits a newer state, only a report is lost. And the key
		// of a shared lock whose holder has given up, or that others saw
		// expire: it is not renewed, or no client relies on it.
		o.r.count("markers written after their removal")
		return
	}
	if o.doomed[c.key] {
		o.fail("I6: %s was written after its DELETE was sent", c.key)
	}
}

func (o *oracle) putRegister(c *call, old, now object) {
	name, v, err := manifest.ParseVersionRegisterKey(c.key)
	if err != nil {
		o.fail("register with a bad key: %v", err)
		return
	}
	m, err := manifest.Decode(now.body, name, v)
	if err != nil {
		o.fail("bad register: %v", err)
		return
	}
	var id string
	reg := o.registers[c.key]
	if m.State == manifest.Purged && reg != nil {
		id = reg.id // of the content only the digest is left
		o.checkPurge(reg, m)
	} else if err := json.Unmarshal(m.Content.Metadata, &id); err != nil || o.saves[id] == nil {
		o.fail("%s holds something that nobody saved: %s", c.key, m.Content.Metadata)
		return
	}
	var before manifest.Nonce
	if reg == nil {
		reg = &register{key: c.key, id: id, promised: map[manifest.Nonce]bool{}}
		for _, other := range o.registers {
			if other != reg && other.id == id {
				o.fail("I3: save %s committed two versions, %s and %s", id, other.key, c.key)
			}
		}
		s := o.saves[id]
		if s.done && s.err != nil && !unknown(s.err) {
			o.fail("I5: save %s was reported as failed (%v) and becomes visible", id, s.err)
		}
		if m.State != manifest.Live {
			o.fail("%s was created as %s", c.key, m.State)
		}
		o.checkUpdate(s, m)
		o.registers[c.key] = reg
	} else if old.token != "" {
		before = reg.m.Nonce
		if !m.Wrote(before) {
			o.fail("I4: %s was replaced by an operation that did not read it", c.key)
		}
	}
	switch {
	case o.nonces[m.Nonce] != "":
		o.fail("I2: nonce %s written to %s and to %s", m.Nonce, o.nonces[m.Nonce], c.key)
	case reg.m != nil && reg.m.State == manifest.Purged && m.State != manifest.Purged:
		o.fail("I11: %s was deleted for good, and is %s again", c.key, m.State)
	case o.next[c.key+string(before)]:
		o.fail("I2: %s has two bodies after %q", c.key, before)
	case reg.id != id, reg.m != nil && reg.m.Digest != m.Digest:
		o.fail("I7: number of save %s used again by save %s: %s", reg.id, id, c.key)
	}
	o.nonces[m.Nonce] = c.key
	o.next[c.key+string(before)] = true

	was := reg.m
	if was != nil {
		reg.before = was.Packs()
		if was.State != manifest.Live && now.modified.Sub(reg.modified) >= readable(was) {
			reg.protected = false // it was too old already
		}
	}
	reg.m, reg.modified, reg.turned = m, now.modified, o.r.step
	reg.found = reg.found || o.r.w.root == inPlace
	if m.State == manifest.Live {
		reg.protected = !now.modified.After(m.NotAfter) || reg.promised[m.Nonce]
		reg.lifetimes = append(reg.lifetimes, [2]int{o.r.step, 1 << 30})
		if !reg.protected {
			o.r.count("late commits")
		}
	} else if was != nil && was.State == manifest.Live {
		reg.lifetimes[len(reg.lifetimes)-1][1] = o.r.step
	}
	if was != nil {
		o.turned[name] = o.r.step
	}
	o.countRegister(was, m)
	o.check(reg, "")
	o.setLatest(name, was != nil && m.State == manifest.Live)
	o.checkMilestones(name)
}

// countRegister counts the states of registers, so that a run shows what it has
// covered.
func (o *oracle) countRegister(was, m *manifest.Manifest) {
	switch {
	case was == nil:
		o.r.count("versions created")
		if reused := slices.ContainsFunc(m.Packs(), func(p manifest.Pack) bool { return times.EraEnd(p.Era).Before(m.Created) }); reused {
			o.r.count("versions of old packs")
		}
	case m.State == manifest.Live:
		o.r.count("undeletes applied")
	case m.State == manifest.Purged && m.NamesPacks():
		o.r.count("purges applied")
	case m.State == manifest.Purged:
		o.r.count("versions purged")
	default:
		o.r.count("deletes applied")
	}
}

// deleted sees every key that is deleted.
func (o *oracle) deleted(c *call, old object) {
	switch {
	case manifest.IsMilestone(c.key):
		o.fail("milestone %s was removed", c.key)
	case strings.HasPrefix(c.key, manifest.ObjectsPrefix):
		// No rule of the protocol does this; an ablation does. Its consequences
		// count.
		reg := o.registers[c.key]
		o.r.count("registers removed")
		delete(o.next, c.key)
		if reg != nil && c.client.removes != old.token {
			o.fail("I4: %s was removed by an operation that did not read its present state", c.key)
		}
	case strings.HasPrefix(c.key, manifest.PacksPrefix):
		o.r.count("packs swept")
		for _, reg := range o.registers {
			o.check(reg, c.key)
		}
		o.countPurged(c.key)
	}
}

// check checks that the packs that a register names exist: a live version has
// all its bytes (I1), and a load that has begun can finish (I10).
func (o *oracle) check(reg *register, pack string) {
	m := reg.m
	if !reg.protected {
		return
	}
	why := fmt.Sprintf("I1: the live version %s@%s", m.Name, m.Version)
	if m.State != manifest.Live {
		age := o.r.w.now.Sub(reg.modified)
		if age >= readable(m) {
			return
		}
		why = fmt.Sprintf("I10: the version %s@%s, %s %s ago,", m.Name, m.Version, m.State, age)
	}
	for _, p := range m.Packs() {
		key := p.Key()
		if pack != "" && key != pack {
			continue
		}
		if _, ok := o.r.w.objects[key]; !ok {
			o.fail(why+" (save %s, notAfter %s) has lost its pack %s", reg.id, m.NotAfter.Format(time.TimeOnly), o.r.w.short(key))
		}
	}
}

// setLatest records the present latest version of an object.
func (o *oracle) setLatest(name string, undeletion bool) {
	v := ""
	if best := o.best(name); best != nil {
		v = best.Version.String()
	}
	o.latest[name] = append(o.latest[name], moment{o.r.step, v, undeletion})
}

func (o *oracle) best(name string) (best *manifest.Manifest) {
	if o.r.sc.unversioned {
		return o.replaced(name)
	}
	for _, reg := range o.registers {
		m := reg.m
		if m.Name != name || m.State != manifest.Live {
			continue
		}
		if best == nil || m.Version.IsRelease() && !best.Version.IsRelease() ||
			m.Version.IsRelease() == best.Version.IsRelease() && m.Version.Compare(best.Version) > 0 {
			best = m
		}
	}
	return best
}

// final checks that every version that was acknowledged and not deleted exists,
// byte by byte.
func (o *oracle) final() {
	o.finalTags()
	o.finalReplaced()
	for _, reg := range o.registers {
		if _, ok := o.r.w.objects[reg.key]; !ok {
			o.fail("I4: %s has vanished, and its number is free again", reg.key)
		}
		if reg.protected && reg.m.State == manifest.Live {
			o.readBack(reg)
		}
	}
}
