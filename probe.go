package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mindtrace/registry/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/storecheck"
)

// ErrUnsafeStore: the store does not keep its contract. Writing to it could
// lose data, so nothing is written.
var ErrUnsafeStore = errors.New("unsafe store")

// probeEvery is for how long the verdict of a probe stands.
const probeEvery = 24 * time.Hour

// probe asks the store whether it keeps its most important promises, and
// returns the store's time.
func (r *Registry) probe(ctx context.Context) (time.Time, error) {
	env := &storecheck.Env{
		Conns:  []store.Store{r.st, r.st, r.st, r.st},
		Prefix: manifest.ProbePrefix + string(manifest.NewNonce()) + "/",
	}
	start := time.Now()
	err := storecheck.Probe(ctx, env)
	if errors.Is(err, storecheck.ErrBroken) {
		return time.Time{}, fmt.Errorf("%w: %w; mindreg doctor tells more", ErrUnsafeStore, err)
	}
	if err != nil {
		return time.Time{}, err
	}
	r.log.DebugContext(ctx, "store probed", "url", r.url, "took", time.Since(start))
	return r.clock.Fresh(ctx, r.st, time.Minute)
}

// trust probes the store before the first write after a day: a server is
// upgraded, a bucket moved behind another endpoint, a directory mounted in
// another way. The verdict is recorded in the settings, for all.
func (r *Registry) trust(ctx context.Context) error {
	select {
	case r.probing <- struct{}{}:
		defer func() { <-r.probing }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	now, err := r.clock.Fresh(ctx, r.st, time.Hour)
	if err != nil || now.Sub(r.probed) < probeEvery {
		return err
	}
	body, info, err := r.st.Get(ctx, manifest.SettingsKey, nil)
	if err != nil {
		return err
	}
	s, err := manifest.DecodeSettings(body)
	if err != nil {
		return err
	}
	if r.probed = s.Probed; now.Sub(r.probed) < probeEvery {
		return nil // by somebody else
	}
	at, err := r.probe(ctx)
	if err != nil {
		return err
	}
	s.Probed = at.UTC().Truncate(time.Second)
	s.Succeed()
	if body, err = s.Encode(); err != nil {
		return err
	}
	if _, err := r.writeUnprobed(ctx, manifest.SettingsKey, body, info.Token, s.Nonce); err != nil && !errors.Is(err, ErrConflict) {
		return err
	}
	r.probed = s.Probed
	return nil
}
