package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/storecheck"
)

// probe checks that the store keeps the most important parts of its contract,
// and returns the store's time. ErrUnsafeStore: it does not.
func (l *Ledger) probe(ctx context.Context) (time.Time, error) {
	if l.Knobs.ProbeEvery < 0 {
		return l.Clock.Fresh(ctx, l.Store, 0)
	}
	env := &storecheck.Env{
		Conns:  []store.Store{l.Store, l.Store, l.Store, l.Store},
		Prefix: manifest.ProbePrefix + string(manifest.NewNonce()) + "/",
	}
	start := time.Now()
	err := storecheck.Probe(ctx, env)
	if errors.Is(err, storecheck.ErrBroken) {
		return time.Time{}, fmt.Errorf("%w: %w; run mindreg doctor for details", fault.ErrUnsafeStore, err)
	}
	if err != nil {
		return time.Time{}, err
	}
	l.Log.DebugContext(ctx, "store probed", "url", l.URL, "took", time.Since(start))
	return l.Clock.Fresh(ctx, l.Store, time.Minute)
}

// fresh reports whether the verdict of the last probe is still valid.
func (l *Ledger) fresh(now time.Time) bool {
	return l.Knobs.ProbeEvery < 0 || now.Sub(l.Probed) < l.Knobs.ProbeEvery
}

// EnsureProbed is called before a write. If the last probe is a day old, it probes
// the store anew: a server may have been upgraded, a bucket moved to another
// endpoint, a directory mounted in another way. It records the time of the probe
// in the settings, so that other processes need not probe.
//
// Errors: ErrUnsafeStore, and ErrNoRegistry if the registry has been removed or
// replaced since it was opened.
func (l *Ledger) EnsureProbed(ctx context.Context) error {
	select {
	case l.probing <- struct{}{}:
		defer func() { <-l.probing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	now := l.Clock.Now()
	if now.IsZero() {
		now = time.Now() // at worst, this costs an unneeded probe
	}
	if l.fresh(now) {
		return nil
	}
	s, info, err := l.ReadSettings(ctx)
	if err != nil {
		return err
	}
	if l.Probed = s.Probed; l.fresh(now) {
		return nil // another process has probed
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

// Reserve makes the store set room aside, so that deletions work on a full disk.
// An error is only logged.
func (l *Ledger) Reserve(ctx context.Context) {
	if s, ok := store.As[store.Reserver](l.Store); ok {
		if err := s.Reserve(ctx); err != nil {
			l.Log.DebugContext(ctx, "no room set aside", "url", l.URL, "error", err)
		}
	}
}
