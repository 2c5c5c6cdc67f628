package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/storecheck"
)

// probe asks the store whether it keeps its most important promises, and
// returns the store's time.
func (l *Ledger) probe(ctx context.Context) (time.Time, error) {
	if knob.ProbeEvery < 0 {
		return l.Clock.Fresh(ctx, l.Store, 0)
	}
	env := &storecheck.Env{
		Conns:  []store.Store{l.Store, l.Store, l.Store, l.Store},
		Prefix: manifest.ProbePrefix + string(manifest.NewNonce()) + "/",
	}
	start := time.Now()
	err := storecheck.Probe(ctx, env)
	if errors.Is(err, storecheck.ErrBroken) {
		return time.Time{}, fmt.Errorf("%w: %w; mindreg doctor tells more", fault.ErrUnsafeStore, err)
	}
	if err != nil {
		return time.Time{}, err
	}
	l.Log.DebugContext(ctx, "store probed", "url", l.URL, "took", time.Since(start))
	return l.Clock.Fresh(ctx, l.Store, time.Minute)
}

// fresh reports whether the verdict of the last probe still stands.
func (l *Ledger) fresh(now time.Time) bool {
	return knob.ProbeEvery < 0 || now.Sub(l.Probed) < knob.ProbeEvery
}

// Trust probes the store before the first write after a day: a server is
// upgraded, a bucket moved behind another endpoint, a directory mounted in
// another way. The settings have to be those that were opened. The verdict is recorded in the settings, for all.
func (l *Ledger) Trust(ctx context.Context) error {
	select {
	case l.probing <- struct{}{}:
		defer func() { <-l.probing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	now := l.Clock.Now()
	if now.IsZero() {
		now = time.Now() // the worst that comes of it is a probe too many
	}
	if l.fresh(now) {
		return nil
	}
	s, info, err := l.ReadSettings(ctx)
	if err != nil {
		return err
	}
	if l.Probed = s.Probed; l.fresh(now) {
		return nil // by somebody else
	}
	at, err := l.probe(ctx)
	if err != nil {
		return err
	}
	s.Probed = at.UTC().Truncate(time.Second)
	s.Supersede()
	body, err := s.Encode()
	if err != nil {
		return err
	}
	if _, err := l.writeUnprobed(ctx, manifest.SettingsKey, body, info.Token, s.Nonce); err != nil && !errors.Is(err, fault.ErrConflict) {
		return err
	}
	l.Probed = s.Probed
	l.Reserve(ctx)
	return nil
}

// Reserve has the store set room aside for deletions on a full disk.
func (l *Ledger) Reserve(ctx context.Context) {
	if s, ok := store.As[store.Reserver](l.Store); ok {
		if err := s.Reserve(ctx); err != nil {
			l.Log.DebugContext(ctx, "no room set aside", "url", l.URL, "error", err)
		}
	}
}
