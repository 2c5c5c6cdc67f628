package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// WithTag points these tags at the version once it is saved, wherever they
// pointed before. If that fails the version stands all the same: Save returns
// it, and a TagError.
func WithTag(tags ...string) SaveOption {
	return saveOption(func(o *saveOptions) { o.tags = append(o.tags, tags...) })
}

// TagError says that a version was saved, but that not all its tags were set.
type TagError struct {
	Version Version  // that was saved
	Tags    []string // that were not set, or of which it is not known
	Err     error    // why the first of them was not
}

// Error implements error.
func (e *TagError) Error() string {
	return fmt.Sprintf("saved as version %s, but not tagged %s: %v", e.Version, strings.Join(e.Tags, ", "), e.Err)
}

// Unwrap returns the cause.
func (e *TagError) Unwrap() error { return e.Err }

// checkTags refuses tags that cannot be set.
func (s *save) checkTags() error {
	for _, tag := range s.o.tags {
		if err := s.r.validTag(tag); err != nil {
			return err
		}
	}
	return nil
}

// setTags sets the tags of a version that has been saved.
func (s *save) setTags(ctx context.Context, f *found) error {
	var failed []string
	var why error
	for i, tag := range s.o.tags {
		if slices.Contains(s.o.tags[:i], tag) {
			continue
		}
		if err := s.r.setTag(ctx, f, tag, tagCondition{}); err != nil {
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
