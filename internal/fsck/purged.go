package fsck

import (
	"context"
	"fmt"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// restorePurged restores the damaged register of a purged version. The version
// stays purged, also if it is live in the mirror. The register may have named
// packs, and it is unknown which. So this returns an error until no save under
// way can reuse them.
func (p *repair) restorePurged(ctx context.Context, name string, v manifest.Version, body []byte, info store.Info) error {
	l := p.l
	src, err := p.from.l.Read(ctx, name, v)
	if err != nil {
		return fmt.Errorf("in the mirror: %w", err)
	}
	now, err := l.Clock.Fresh(ctx, l.Store, time.Minute)
	if err != nil {
		return err
	}
	t := l.Settings.Times
	if end := info.Modified.Add(t.WindowD() + t.MarginD()); now.Before(end) {
		return fmt.Errorf("it was deleted for good a short while ago, and a save under way may reuse its data; repair it after %s", end.UTC().Format(time.DateTime))
	}
	m := manifest.NewManifest(name, v, src.Created)
	m.Digest, m.Size, m.Count = src.Digest, src.Size, src.Count
	m = m.Purged(info.Modified)
	inheritHistory(m, body)
	out, err := m.Encode()
	if err != nil {
		return err
	}
	_, err = l.Write(ctx, manifest.VersionKey(name, v), out, info.Token, m.Nonce)
	if err == nil {
		l.Log.InfoContext(ctx, "register restored", "name", name, "version", v, "state", m.State)
	}
	return err
}
