package registry

import (
	"context"
	"fmt"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/plain"
	"github.com/mindtrace/registry/store"
)

// begin takes the settings of the registry from body, or from err that there are
// none. Then it makes a registry with the settings fresh; nil: that is
// ErrNoRegistry.
func (r *Registry) begin(ctx context.Context, body []byte, err error, fresh *manifest.Settings) error {
	switch {
	case notFound(err) && fresh != nil:
		r.settings, err = r.create(ctx, fresh)
	case notFound(err):
		err = fmt.Errorf("%w; to make one, run mindreg init %s (in Go: Options.Create)", ErrNoRegistry, plain.ShellWord(r.url))
	case err == nil:
		r.settings, err = manifest.DecodeSettings(body)
	}
	if err != nil {
		return err
	}
	r.probed = r.settings.Probed
	store.Anchor(r.st, manifest.SettingsKey, r.mine)
	return nil
}

// readSettings reads the settings of the registry anew. It is ErrNoRegistry if
// they are gone or those of another registry: a bucket is known by its name
// alone, and may have been emptied or made anew since it was opened.
func (r *Registry) readSettings(ctx context.Context) (*manifest.Settings, store.Info, error) {
	body, info, err := r.st.Get(ctx, manifest.SettingsKey, nil)
	if notFound(err) {
		return nil, info, fmt.Errorf("%w: the settings, %s, are gone since it was opened; nothing is written until they are back",
			ErrNoRegistry, manifest.SettingsKey)
	}
	if err != nil {
		return nil, info, err
	}
	s, err := manifest.DecodeSettings(body)
	if err == nil && s.ID != r.settings.ID {
		err = r.other(s)
	}
	return s, info, err
}

func (r *Registry) other(s *manifest.Settings) error {
	return fmt.Errorf("%w: another registry (%s) is at this place than the one that was opened (%s); open it again", ErrNoRegistry, s.ID, r.settings.ID)
}

// mine returns an error if these are the settings of another registry than the
// one that was opened. What cannot be read is left to those who read it.
func (r *Registry) mine(settings []byte) error {
	if s, err := manifest.DecodeSettings(settings); err == nil && s.ID != r.settings.ID {
		return r.other(s)
	}
	return nil
}

// lost returns err, which says that something is gone which should be there,
// unless the registry as a whole is gone: then that is said.
func (r *Registry) lost(ctx context.Context, err error) error {
	if r.offline {
		return err // the cache never has all
	}
	if _, _, serr := r.readSettings(ctx); serr != nil {
		return serr
	}
	return err
}
