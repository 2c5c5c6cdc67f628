package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/manifest"
)

// oracle sees every change of the store and everything that clients are told,
// and knows what must never be. It trusts none of the registry's own checks:
// of the product it uses only the decoder of registers.
//
// The invariants are those of the protocol's section 6.
type oracle struct {
	r         *run
	mu        sync.Mutex
	violation string

	registers map[string]*register
	saves     map[string]*op // by id
	nonces    map[manifest.Nonce]string
	next      map[string]bool // register and predecessor → has a successor
	doomed    map[string]bool // keys whose DELETE was sent
	latest    map[string][]moment
	acked     map[string]manifest.Version // highest acknowledged automatic or explicit release, by name
	minimum   map[*op]manifest.Version    // what a save's number has to exceed
	holders   []holding
}

// register is one version.
type register struct {
	key, id   string
	m         *manifest.Manifest
	modified  time.Time
	protected bool // its present state, or the one that it buried, must keep its packs
	promised  map[manifest.Nonce]bool
	changes   int
	lifetimes [][2]int // steps at which it became live and ceased to be
}

// moment is the latest version from a step on.
type moment struct {
	step    int
	version string
	deleted bool // this change was a deletion or undeletion
}

func newOracle(r *run) *oracle {
	return &oracle{
		r: r, registers: map[string]*register{}, saves: map[string]*op{}, nonces: map[manifest.Nonce]string{},
		next: map[string]bool{}, doomed: map[string]bool{}, latest: map[string][]moment{},
		acked: map[string]manifest.Version{}, minimum: map[*op]manifest.Version{},
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
		if p.Era < times.EraOf(o.r.w.now) {
			// No evidence that anybody may use: its era is over.
			o.r.count("packs put too late")
			return
		}
	}
	if o.doomed[c.key] && (strings.HasPrefix(c.key, manifest.CollectionsPrefix) || strings.Contains(c.key, "/s/")) {
		// The marker of a slow collection, which a later one removes: if that
		// hits a newer state, all that is lost is a report. A shared lock
		// whose holder has given up, or whom others saw expire: nobody
		// renews it, or nobody may rely on it.
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
		id = reg.id // all content is gone but its digest
		if reg.m.State != manifest.Deleted || o.r.w.now.Sub(reg.modified) < times.RetainD() {
			o.fail("I10: %s was purged when it was %s since %s", c.key, reg.m.State, o.r.w.now.Sub(reg.modified))
		}
	} else if err := json.Unmarshal(m.Content.Metadata, &id); err != nil || o.saves[id] == nil {
		o.fail("%s holds something that nobody saved: %s", c.key, m.Content.Metadata)
		return
	}
	var before manifest.Nonce
	if reg == nil {
		reg = &register{key: c.key, id: id, promised: map[manifest.Nonce]bool{}}
		o.registers[c.key] = reg
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
	} else if old.token != "" {
		before = reg.m.Nonce
		if !m.Wrote(before) {
			o.fail("I4: %s was replaced by an operation that did not read it", c.key)
		}
	}
	switch {
	case o.nonces[m.Nonce] != "":
		o.fail("I2: nonce %s written to %s and to %s", m.Nonce, o.nonces[m.Nonce], c.key)
	case o.next[c.key+string(before)]:
		o.fail("I2: %s has two bodies after %q", c.key, before)
	case reg.id != id, reg.m != nil && reg.m.Digest != m.Digest:
		o.fail("I7: number of save %s used again by save %s: %s", reg.id, id, c.key)
	}
	o.nonces[m.Nonce] = c.key
	o.next[c.key+string(before)] = true

	was := reg.m
	reg.m, reg.modified = m, now.modified
	if m.State == manifest.Live {
		reg.protected = !now.modified.After(m.NotAfter) || reg.promised[m.Nonce]
		reg.lifetimes = append(reg.lifetimes, [2]int{o.r.step, 1 << 30})
		if !reg.protected {
			o.r.count("late commits")
		}
	} else if was != nil && was.State == manifest.Live {
		reg.lifetimes[len(reg.lifetimes)-1][1] = o.r.step
	}
	switch {
	case was == nil:
		o.r.count("versions created")
		if reused := slices.ContainsFunc(m.Packs(), func(p manifest.Pack) bool { return times.EraEnd(p.Era).Before(m.Created) }); reused {
			o.r.count("versions of old packs")
		}
	case m.State == manifest.Live:
		o.r.count("undeletes applied")
	case m.State == manifest.Purged:
		o.r.count("versions purged")
	default:
		o.r.count("deletes applied")
	}
	o.check(reg, "")
	o.setLatest(name, was != nil)
}

// deleted sees every key that vanishes.
func (o *oracle) deleted(c *call, old object) {
	switch {
	case strings.HasPrefix(c.key, manifest.ObjectsPrefix):
		// Nothing in the protocol does this. What it leads to is what counts.
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
	}
}

// check checks that what a register names is there: I1 and I10.
func (o *oracle) check(reg *register, pack string) {
	m := reg.m
	if !reg.protected {
		return
	}
	why := fmt.Sprintf("I1: the live version %s@%s", m.Name, m.Version)
	if m.State != manifest.Live {
		if age := o.r.w.now.Sub(reg.modified); age >= times.RetainD()+times.WindowD() {
			return
		} else {
			why = fmt.Sprintf("I10: the version %s@%s, deleted %s ago,", m.Name, m.Version, age)
		}
	}
	for _, p := range m.Packs() {
		key := p.Key()
		if pack != "" && key != pack {
			continue
		}
		if _, ok := o.r.w.objects[key]; !ok {
			o.fail("%s (save %s, notAfter %s) has lost its pack %s", why, reg.id, m.NotAfter.Format(time.TimeOnly), o.r.w.short(key))
		}
	}
}

// setLatest notes what the latest version of an object is now.
func (o *oracle) setLatest(name string, deleted bool) {
	var best *manifest.Manifest
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
	v := ""
	if best != nil {
		v = best.Version.String()
	}
	o.latest[name] = append(o.latest[name], moment{o.r.step, v, deleted})
}

// unknown tells a failure that says itself that it may yet take effect.
func unknown(err error) bool {
	return errors.Is(err, registry.ErrOutcomeUnknown) ||
		errors.Is(err, registry.ErrTooSlow) && strings.Contains(err.Error(), "undoing it failed")
}

// begin sees the start of an operation.
func (o *oracle) begin(p *op) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p.began, p.beganAt = o.r.step, o.r.w.now
	if p.kind == save {
		o.saves[p.id] = p
		if p.version == "" {
			o.minimum[p] = o.acked[p.name]
		}
	}
	o.r.note("client %d begins %s", p.client.n, p)
}

// end sees what the user of a client is told.
func (o *oracle) end(p *op) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p.ended, p.done = o.r.step, true
	if p.err != nil {
		o.r.note("client %d: %s: %v", p.client.n, p, p.err)
	} else {
		o.r.note("client %d: %s: done %s", p.client.n, p, p.result)
	}
	o.count(p)
	switch p.kind {
	case save:
		o.endSave(p)
	case load:
		o.endLoad(p)
	case undelete:
		o.endUndelete(p)
	case tag:
		o.endTag(p)
	}
}

func (o *oracle) count(p *op) {
	switch {
	case p.err == nil:
		o.r.count(string(p.kind) + "s acknowledged")
	case errors.Is(p.err, registry.ErrOutcomeUnknown):
		o.r.count(string(p.kind) + "s of unknown outcome")
	case errors.Is(p.err, registry.ErrTooSlow):
		o.r.count(string(p.kind) + "s too slow")
	case errors.Is(p.err, registry.ErrExists), errors.Is(p.err, registry.ErrConflict):
		o.r.count(string(p.kind) + "s in conflict")
	default:
		o.r.count(string(p.kind) + "s failed")
	}
}

// of returns the register that a save has made, or nil.
func (o *oracle) of(id string) *register {
	for _, reg := range o.registers {
		if reg.id == id {
			return reg
		}
	}
	return nil
}

func (o *oracle) endSave(p *op) {
	reg := o.of(p.id)
	if p.err != nil {
		if !unknown(p.err) && reg != nil && reg.m.State == manifest.Live && reg.changedBy() {
			o.fail("I5: save %s was reported as failed (%v) and is visible", p.id, p.err)
		}
		return
	}
	if reg == nil || reg.m.Name != p.name || reg.m.Version.String() != p.result {
		o.fail("I4: save %s was acknowledged as %s@%s, which it is not", p.id, p.name, p.result)
		return
	}
	v := reg.m.Version
	if least, ok := o.minimum[p]; ok && least != (manifest.Version{}) && v.Compare(least) <= 0 {
		o.fail("I8: save %s got %s after %s had been acknowledged", p.id, v, least)
	}
	if v.IsRelease() && v.Compare(o.acked[p.name]) > 0 {
		o.acked[p.name] = v
	}
	// Only the state that the save itself made was promised; if it has been
	// deleted since, so be it.
	if len(reg.m.Prev) == 0 {
		o.promise(reg)
	}
}

// changedBy tells a version as it was created from one that somebody
// undeleted.
func (reg *register) changedBy() bool { return len(reg.m.Prev) == 0 }

// promise notes that somebody was told that this version is there now.
func (o *oracle) promise(reg *register) {
	reg.promised[reg.m.Nonce] = true
	reg.protected = true
	o.check(reg, "")
}

func (o *oracle) endUndelete(p *op) {
	if p.err != nil {
		return
	}
	v, err := manifest.ParseVersion(p.version)
	reg := o.registers[manifest.VersionKey(p.name, v)]
	if err != nil || reg == nil {
		o.fail("undelete of %s@%s was acknowledged, but there is none", p.name, p.version)
		return
	}
	if reg.m.State == manifest.Live && reg.m.NotAfter.IsZero() {
		o.r.count("late versions undeleted") // they come back as they are
		return
	}
	if reg.m.State == manifest.Live && p.began <= reg.lifetimes[len(reg.lifetimes)-1][0] {
		o.promise(reg)
	}
}

func (o *oracle) endLoad(p *op) {
	if p.err != nil {
		if errors.Is(p.err, registry.ErrIntegrity) && !o.mayFail(p) {
			o.fail("I10: %s: %v", p, p.err)
		}
		if errors.Is(p.err, registry.ErrNotFound) && p.version == "" {
			o.checkLatest(p, "")
		}
		return
	}
	v, err := manifest.ParseVersion(p.result)
	if err != nil {
		o.fail("%s returned %q", p, p.result)
		return
	}
	reg := o.registers[manifest.VersionKey(p.name, v)]
	if reg == nil {
		o.fail("%s returned %s, which is not there", p, v)
		return
	}
	if want := o.saves[reg.id].files; !slices.Equal(p.got.files, want) {
		o.fail("I7: %s returned %q, saved was %q", p, p.got.files, want)
	}
	if !slices.ContainsFunc(reg.lifetimes, func(l [2]int) bool { return l[0] <= p.ended && l[1] >= p.began }) {
		o.fail("I8: %s returned %s, which was not live meanwhile", p, v)
	}
	if p.version == "" {
		o.checkLatest(p, p.result)
	}
}

// mayFail reports whether a load may find packs missing: of a version that
// was committed too late and not acknowledged, or deleted long ago.
func (o *oracle) mayFail(p *op) bool {
	for _, reg := range o.registers {
		old := reg.m.State != manifest.Live && o.r.w.now.Sub(reg.modified) >= times.RetainD()+times.WindowD()
		if reg.m.Name == p.name && (!reg.protected || old) {
			return true
		}
	}
	return false
}

// checkLatest checks that a load returned what was the latest version at some
// moment while it ran.
func (o *oracle) checkLatest(p *op, got string) {
	was := "" // before the first moment
	quiet := true
	for i, m := range o.latest[p.name] {
		end := 1 << 30
		if i+1 < len(o.latest[p.name]) {
			end = o.latest[p.name][i+1].step
		}
		if m.step <= p.began {
			was = m.version
		}
		if m.step <= p.ended && end >= p.began && m.version == got {
			o.r.count("latest checked")
			return
		}
		if m.deleted && m.step >= p.began && m.step <= p.ended {
			quiet = false
		}
	}
	if was == got && p.began == p.ended || got == "" && (len(o.latest[p.name]) == 0 || o.latest[p.name][0].step >= p.began) {
		return
	}
	if !quiet && !o.r.sc.strictLatest {
		// Deletions tear it: the listing misses a version that comes behind
		// its cursor, and the highest that it has seen is deleted before it is
		// read. What holds even then: no better version was there all along.
		o.r.count("latest torn by deletes")
		for _, reg := range o.registers {
			all := slices.ContainsFunc(reg.lifetimes, func(l [2]int) bool { return l[0] < p.began && l[1] > p.ended })
			if all && reg.m.Name == p.name && (got == "" || better(reg.m.Version, got)) {
				o.fail("I8: %s returned %q, though %s was live all the time", p, got, reg.m.Version)
			}
		}
		return
	}
	o.fail("I8: %s returned %q, which was not the latest at any moment between steps %d and %d; %v", p, got, p.began, p.ended, o.latest[p.name])
}

// better reports whether v goes before what was got, as the latest version.
func better(v manifest.Version, got string) bool {
	g, err := manifest.ParseVersion(got)
	if err != nil || v.IsRelease() != g.IsRelease() {
		return err == nil && v.IsRelease()
	}
	return v.Compare(g) > 0
}

// final checks that everything acknowledged and not deleted is there, byte by
// byte.
func (o *oracle) final() {
	o.finalTags()
	for _, reg := range o.registers {
		if _, ok := o.r.w.objects[reg.key]; !ok {
			o.fail("I4: %s has vanished, and its number is free again", reg.key)
		}
		if reg.protected && reg.m.State == manifest.Live {
			o.readBack(reg)
		}
	}
}

func (o *oracle) readBack(reg *register) {
	m := reg.m
	for i, f := range m.Content.Files {
		var b []byte
		for _, c := range f.Chunks {
			pack := o.r.w.objects[m.Placement.Packs[c.Pack].Key()].body
			if c.Offset+c.Size > int64(len(pack)) {
				o.fail("I1: %s: pack too short", reg.key)
				return
			}
			b = append(b, pack[c.Offset:c.Offset+c.Size]...)
		}
		if want := o.saves[reg.id].files; i >= len(want) || string(b) != want[i] {
			o.fail("I1: %s: file %s is %q", reg.key, f.Path, b)
		}
	}
	o.r.count("versions read back")
}
