package ledger

import (
	"context"
	"fmt"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/plain"
	"github.com/mindtrace/registry/store"
)

// Begin takes the settings of the registry from body, or from err that there are
// none. Then it makes a registry with the settings fresh; nil: that is
// ErrNoRegistry.
func (l *Ledger) Begin(ctx context.Context, body []byte, err error, fresh *manifest.Settings) error {
	switch {
	case IsNotFound(err) && fresh != nil:
		l.Settings, err = l.create(ctx, fresh)
	case IsNotFound(err):
		err = fmt.Errorf("%w; to make one, run mindreg init %s (in Go: Options.Create)", fault.ErrNoRegistry, plain.ShellWord(l.URL))
	case err == nil:
		l.Settings, err = manifest.DecodeSettings(body)
	}
	if err != nil {
		return err
	}
	l.Probed = l.Settings.Probed
	if a, ok := store.As[store.Anchorer](l.Store); ok {
		a.Anchor(manifest.SettingsKey, l.checkSettings)
	}
	return nil
}

// ReadSettings reads the settings of the registry anew. It is ErrNoRegistry if
// they are gone or those of another registry: a bucket is known by its name
// alone, and may have been emptied or made anew since it was opened.
func (l *Ledger) ReadSettings(ctx context.Context) (*manifest.Settings, store.Info, error) {
	body, info, err := l.Store.Get(ctx, manifest.SettingsKey, nil)
	if IsNotFound(err) {
		return nil, info, fmt.Errorf("%w: the settings, %s, are gone since it was opened; nothing is written until they are back",
			fault.ErrNoRegistry, manifest.SettingsKey)
	}
	if err != nil {
		return nil, info, err
	}
	s, err := manifest.DecodeSettings(body)
	if err == nil && s.ID != l.Settings.ID {
		err = l.errOtherRegistry(s)
	}
	return s, info, err
}

func (l *Ledger) errOtherRegistry(s *manifest.Settings) error {
	return fmt.Errorf("%w: another registry (%s) is at this place than the one that was opened (%s); open it again", fault.ErrNoRegistry, s.ID, l.Settings.ID)
}

// mine returns an error if these are the settings of another registry than the
// one that was opened. What cannot be read is left to those who read it.
func (l *Ledger) checkSettings(settings []byte) error {
	if s, err := manifest.DecodeSettings(settings); err == nil && s.ID != l.Settings.ID {
		return l.errOtherRegistry(s)
	}
	return nil
}

// lost returns err, which says that something is gone which should be there,
// unless the registry as a whole is gone: then that is said.
func (l *Ledger) orRegistryGone(ctx context.Context, err error) error {
	if l.Offline {
		return err // the cache never has all
	}
	if _, _, serr := l.ReadSettings(ctx); serr != nil {
		return serr
	}
	return err
}
