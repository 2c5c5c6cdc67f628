package sim

import (
	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/manifest"
)

// This file is what the oracle knows of updates, none of which is lost.

// sees notes what an update has seen, and is going to replace.
func (o *oracle) sees(p *op, from *registry.Info) {
	o.r.w.mu.Lock()
	defer o.r.w.mu.Unlock()
	if p.seen = ""; from != nil {
		p.seen = from.Version.String()
	}
	o.r.note("client %d: %s sees %q", p.client.n, p, p.seen)
}

// checkUpdate checks, before a version counts, that what is replaced by it is
// what its saver has seen. Deletions are not part of that race.
func (o *oracle) checkUpdate(p *op, m *manifest.Manifest) {
	if !p.update || o.turned[p.name] >= p.began && o.turned[p.name] > 0 {
		return
	}
	latest := ""
	if best := o.best(p.name); best != nil {
		latest = best.Version.String()
	}
	if latest != p.seen {
		o.fail("update %s, which has seen %q, becomes %s after %q", p.id, p.seen, m.Version, latest)
	}
	o.r.count("updates checked")
}
