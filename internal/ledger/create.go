package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// occupied is called when the place is not empty: it holds key. It returns the
// settings of the registry that another process has made there since Begin
// looked for them. If there are still no settings, the error is ErrNotEmpty.
func (l *Ledger) occupied(ctx context.Context, key string) (*manifest.Settings, error) {
	body, _, err := l.Store.Get(ctx, manifest.SettingsKey, nil)
	if IsNotFound(err) {
		return nil, notEmpty(key)
	}
	if err != nil {
		return nil, err
	}
	return manifest.DecodeSettings(body)
}

// notEmpty is the ErrNotEmpty of a place that holds name; nil for "".
func notEmpty(name string) error {
	if name == "" {
		return nil
	}
	return fmt.Errorf("%w (%s); give an empty or new directory or prefix", fault.ErrNotEmpty, name)
}

// create makes a new registry in an empty place, and returns its settings. If
// another process makes one at the same time, it returns those of the other.
func (l *Ledger) create(ctx context.Context, s *manifest.Settings) (*manifest.Settings, error) {
	if m, ok := store.As[store.RootMaker](l.Store); ok {
		if err := m.MakeRoot(ctx); err != nil {
			return nil, err
		}
	}
	for info, err := range l.Store.List(ctx, "", "") {
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(info.Key, manifest.ProbePrefix) {
			continue // left by a probe that was killed
		}
		return l.occupied(ctx, info.Key)
	}
	if s, ok := store.As[store.Shared](l.Store); ok {
		if name, err := s.Foreign(ctx); err != nil || name != "" {
			return nil, errors.Join(err, notEmpty(name))
		}
	}
	now, err := l.probe(ctx)
	if err != nil {
		return nil, err
	}
	s.Created = now.UTC().Truncate(time.Millisecond)
	s.Probed = s.Created
	body, err := s.Encode()
	if err != nil {
		return nil, err
	}
	_, err = l.writeUnprobed(ctx, manifest.SettingsKey, body, store.Absent, s.Nonce)
	if errors.Is(err, fault.ErrConflict) {
		if body, _, err = l.Store.Get(ctx, manifest.SettingsKey, nil); err != nil {
			return nil, err
		}
		return manifest.DecodeSettings(body)
	}
	if err != nil {
		return nil, err
	}
	l.Reserve(ctx)
	l.Log.InfoContext(ctx, "registry created", "url", l.URL, "id", s.ID)
	return s, nil
}
