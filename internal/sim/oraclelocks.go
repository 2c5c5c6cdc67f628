package sim

import (
	"context"
	"strings"

	"github.com/mindtrace/registry/internal/manifest"
)

// This file has the oracle's checks of tags and locks.

// putTag sees every change of a tag.
func (o *oracle) putTag(c *call, old, now object) {
	name, tag, err := manifest.ParseTagKey(c.key)
	if err != nil {
		o.fail("tag with a bad key: %v", err)
		return
	}
	t, err := manifest.DecodeTag(now.body, name, tag)
	if err != nil {
		o.fail("bad tag: %v", err)
		return
	}
	if reg := o.registers[manifest.VersionKey(name, t.Version)]; reg == nil || reg.m.Digest != t.Digest {
		o.fail("I7: tag %s points at %s with a digest that is not that version's", tag, t.Version)
	}
	o.follow(c.key, old, now)
	o.r.count("tags written")
}

// follow checks I2 and I4 for tags and locks: a register is replaced only by an
// operation that has read it, and each state has one successor.
func (o *oracle) follow(key string, old, now object) {
	next, err := manifest.DecodeHead(now.body)
	if err != nil {
		o.fail("%s: %v", key, err)
		return
	}
	before := ""
	if old.token != "" {
		h, err := manifest.DecodeHead(old.body)
		if err != nil || !next.Wrote(h.Nonce) {
			o.fail("I4: %s was replaced by an operation that did not read it", key)
		}
		before = string(h.Nonce)
	}
	if o.nonces[next.Nonce] != "" || o.next[key+before] {
		o.fail("I2: %s has two bodies after %q, or one of them twice", key, before)
	}
	o.nonces[next.Nonce], o.next[key+before] = key, true
}

// putLock sees every change of a lock: its epochs grow strictly (I9).
func (o *oracle) putLock(c *call, old, now object) {
	name, id, err := manifest.ParseLockKey(c.key)
	if err != nil {
		o.fail("lock with a bad key: %v", err)
		return
	}
	if id != "" {
		return
	}
	next, err := manifest.DecodeLock(now.body, name, false)
	if err != nil {
		o.fail("bad lock: %v", err)
		return
	}
	o.follow(c.key, old, now)
	o.r.count("locks written")
	if old.token == "" {
		return
	}
	was, err := manifest.DecodeLock(old.body, name, false)
	if err != nil {
		return
	}
	same := was.State == manifest.LockHeld && next.Renew == was.Renew+1 || next.State == manifest.LockFree
	if next.Epoch < was.Epoch || next.Epoch == was.Epoch && !same {
		o.fail("I9: epoch %d of %s (%s) follows %d (%s)", next.Epoch, c.key, next.State, was.Epoch, was.State)
	}
	if next.Epoch > was.Epoch && was.State == manifest.LockHeld && next.State == manifest.LockHeld {
		o.r.count("locks taken over")
	}
}

// holding is a lock that a client believes to have.
type holding struct {
	p      *op
	ctx    context.Context
	shared bool
}

// holds sees a lock taken. If the clocks run evenly, no two clients hold it at
// once.
func (o *oracle) holds(p *op, ctx context.Context, shared bool) {
	o.r.w.mu.Lock()
	defer o.r.w.mu.Unlock()
	o.r.note("client %d holds %s", p.client.n, p)
	for _, h := range o.holders {
		if h.ctx.Err() == nil && !h.p.client.dead.Load() && !(h.shared && shared) {
			o.fail("two hold the lock: %s of client %d, %s of client %d", h.p, h.p.client.n, p, p.client.n)
		}
	}
	o.holders = append(o.holders, holding{p, ctx, shared})
	o.r.count(string(p.kind) + "s held")
}

// endTag checks that an acknowledged tag was there.
func (o *oracle) endTag(p *op) {
	if _, ok := o.r.w.objects[manifest.TagKey(p.name, p.tag)]; p.err == nil && !ok {
		o.fail("I4: tag %s was acknowledged, and is not there", p.tag)
	}
}

// finalTags checks that no tag points at a deleted version, unless a process
// was killed or lost its connection half-way (docs/attacks.md, A16).
func (o *oracle) finalTags() {
	if o.r.faults < maxFaults {
		return
	}
	for key, obj := range o.r.w.objects {
		if !strings.HasPrefix(key, "tags/") {
			continue
		}
		name, tag, err := manifest.ParseTagKey(key)
		if err != nil {
			continue
		}
		t, err := manifest.DecodeTag(obj.body, name, tag)
		if err != nil || t.State != "set" {
			continue
		}
		if reg := o.registers[manifest.VersionKey(name, t.Version)]; reg == nil || reg.m.State != manifest.Live {
			o.fail("A16: in the end tag %s points at %s, which is deleted", tag, t.Version)
		}
		o.r.count("tags checked")
	}
}
