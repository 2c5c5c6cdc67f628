package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/storecheck"
)

// ErrUnsafeStore: the store does not keep its contract. Writing to it could
// lose data, so nothing is written.
var ErrUnsafeStore = errors.New("unsafe store")

// probe asks the store whether it keeps its most important promises, and
// returns the store's time.
func (r *Registry) probe(ctx context.Context) (time.Time, error) {
	if knob.ProbeEvery < 0 {
		return r.clock.Fresh(ctx, r.st, 0)
	}
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

// fresh reports whether the verdict of the last probe still stands.
func (r *Registry) fresh(now time.Time) bool {
	return knob.ProbeEvery < 0 || now.Sub(r.probed) < knob.ProbeEvery
}

// trust probes the store before the first write after a day: a server is
// upgraded, a bucket moved behind another endpoint, a directory mounted in
// another way. The settings have to be those that were opened. The verdict is recorded in the settings, for all.
func (r *Registry) trust(ctx context.Context) error {
	select {
	case r.probing <- struct{}{}:
		defer func() { <-r.probing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	now := r.clock.Now()
	if now.IsZero() {
		now = time.Now() // the worst that comes of it is a probe too many
	}
	if r.fresh(now) {
		return nil
	}
	s, info, err := r.readSettings(ctx)
	if err != nil {
		return err
	}
	if r.probed = s.Probed; r.fresh(now) {
		return nil // by somebody else
	}
	at, err := r.probe(ctx)
	if err != nil {
		return err
	}
	s.Probed = at.UTC().Truncate(time.Second)
	s.Succeed()
	body, err := s.Encode()
	if err != nil {
		return err
	}
	if _, err := r.writeUnprobed(ctx, manifest.SettingsKey, body, info.Token, s.Nonce); err != nil && !errors.Is(err, ErrConflict) {
		return err
	}
	r.probed = s.Probed
	r.reserve(ctx)
	return nil
}

// reserve has the store set room aside for deletions on a full disk.
func (r *Registry) reserve(ctx context.Context) {
	if s, ok := store.As[store.Reserver](r.st); ok {
		if err := s.Reserve(ctx); err != nil {
			r.log.DebugContext(ctx, "no room set aside", "url", r.url, "error", err)
		}
	}
}
