package registry

import (
	"context"
	"slices"

	"github.com/mindtrace/registry/internal/ledger"
)

// WithTag points tags at the version after it is saved, wherever they pointed
// before. If that fails, the version is saved nevertheless: Save returns the version
// and a *TagError. WithTag may be given several times.
func WithTag(tags ...string) SaveOption {
	return saveOption(func(o *saveOptions) { o.tags = append(o.tags, tags...) })
}

// checkTags refuses invalid tags.
func (s *save) checkTags() error {
	for _, tag := range s.o.tags {
		if err := s.r.ledger.ValidTag(tag); err != nil {
			return err
		}
	}
	return nil
}

// setTags sets the tags of the saved version.
func (s *save) setTags(ctx context.Context, f *ledger.Record) error {
	var failed []string
	var why error
	for i, tag := range s.o.tags {
		if slices.Contains(s.o.tags[:i], tag) {
			continue
		}
		if err := s.r.ledger.SetTag(ctx, f, tag, ledger.TagCondition{}); err != nil {
			if why == nil {
				why = err
			}
			failed = append(failed, tag)
		}
	}
	if why == nil {
		return nil
	}
	return &TagError{Version: f.Version, Tags: failed, Err: why}
}
