package registry

import (
	"context"
	"fmt"

	"github.com/mindtrace/registry/internal/manifest"
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
