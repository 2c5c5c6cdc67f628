package sim

import (
	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/manifest"
)

// This file has the oracle's check that no update is lost.

// sees records the version that an update has seen and will replace.
func (o *oracle) sees(p *op, from *registry.Info) {
	o.r.w.mu.Lock()
	defer o.r.w.mu.Unlock()
	if p.seen = ""; from != nil {
		p.seen = from.Version.String()
	}
	o.r.note("client %d: %s sees %q", p.client.n, p, p.seen)
}

// checkUpdate is called before the version of an update counts. It checks that
// the latest version is the one that the update has seen. Deletions do not
// count.
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
