package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// occupied returns the settings of the registry that somebody else has made
// since we looked for it: its first key may be an object already. Without any,
// key belongs to something else.
func (r *Registry) occupied(ctx context.Context, key string) (*manifest.Settings, error) {
	body, _, err := r.st.Get(ctx, manifest.SettingsKey, nil)
	if notFound(err) {
		return nil, notEmpty(key)
	}
	if err != nil {
		return nil, err
	}
	return manifest.DecodeSettings(body)
}

func notEmpty(name string) error {
	if name == "" {
		return nil
	}
	return fmt.Errorf("%w (%s); give an empty or new directory or prefix", ErrNotEmpty, name)
}

// create makes a new registry, unless somebody else does so at the same time.
func (r *Registry) create(ctx context.Context, s *manifest.Settings) (*manifest.Settings, error) {
	if err := store.MakeRoot(ctx, r.st); err != nil {
		return nil, err
	}
	for info, err := range r.st.List(ctx, "", "") {
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(info.Key, manifest.ProbePrefix) {
			continue // left by a probe that was killed
		}
		return r.occupied(ctx, info.Key)
	}
	if name, err := store.Foreign(ctx, r.st); err != nil || name != "" {
		return nil, errors.Join(err, notEmpty(name))
	}
	now, err := r.probe(ctx)
	if err != nil {
		return nil, err
	}
	s.Created = now.UTC().Truncate(time.Millisecond)
	s.Probed = s.Created
	body, err := s.Encode()
	if err != nil {
		return nil, err
	}
	_, err = r.writeUnprobed(ctx, manifest.SettingsKey, body, store.Absent, s.Nonce)
	if errors.Is(err, ErrConflict) {
		if body, _, err = r.st.Get(ctx, manifest.SettingsKey, nil); err != nil {
			return nil, err
		}
		return manifest.DecodeSettings(body)
	}
	if err != nil {
		return nil, err
	}
	r.reserve(ctx)
	r.log.InfoContext(ctx, "registry created", "url", r.url, "id", s.ID)
	return s, nil
}
