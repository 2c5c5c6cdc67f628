package ledger

import (
	"context"
	"fmt"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/plain"
	"github.com/mindtrace/registry/store"
)

// Begin sets the settings of the registry. body and err are the result of the
// read of the settings' register. If that does not exist, Begin makes a new
// registry with the settings fresh; if fresh is nil, the error is ErrNoRegistry.
// It takes the Knobs from ctx.
//
// Errors: ErrNotEmpty, ErrUnsafeStore, and others of reading and writing.
func (l *Ledger) Begin(ctx context.Context, body []byte, err error, fresh *manifest.Settings) error {
	l.Knobs = knob.From(ctx)
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

// ReadSettings reads the settings of the registry anew. The error is
// ErrNoRegistry if they are gone, or belong to another registry: a bucket is
// identified only by its name, and may have been emptied or made anew since the
// registry was opened.
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

// errOtherRegistry is the error of finding the settings s of another registry.
func (l *Ledger) errOtherRegistry(s *manifest.Settings) error {
	return fmt.Errorf("%w: the registry at this place was replaced by another one: its id is %s, not %s; open it again", fault.ErrNoRegistry, s.ID, l.Settings.ID)
}

// checkSettings returns an error if these are the settings of another registry
// than the one that was opened. It returns nil for settings that it cannot
// decode: reading them reports that.
func (l *Ledger) checkSettings(settings []byte) error {
	if s, err := manifest.DecodeSettings(settings); err == nil && s.ID != l.Settings.ID {
		return l.errOtherRegistry(s)
	}
	return nil
}

// orRegistryGone is called when a key that should exist is missing. It returns an
// ErrNoRegistry if the registry as a whole is gone, and err otherwise.
func (l *Ledger) orRegistryGone(ctx context.Context, err error) error {
	if l.Offline {
		return err // the cache does not have everything
	}
	if _, _, serr := l.ReadSettings(ctx); serr != nil {
		return serr
	}
	return err
}
