package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// commit creates the version register: the moment at which the version
// exists. evidence is since when its packs have certainly been there, or
// zero if it has none.
func (s *save) commit(ctx context.Context, m *manifest.Manifest, evidence time.Time) (*found, error) {
	f, err := s.commitTo(ctx, m, evidence, func() (store.Info, error) { return s.claim(ctx, m) })
	if err != nil {
		return nil, err
	}
	if s.r.settings.Unversioned {
		if err := s.r.buryOlder(ctx, s.name, m.Version); err != nil {
			// The save stands; the next one buries what is left.
			s.r.log.WarnContext(ctx, "older versions left", "name", s.name, "error", err)
		}
	}
	return f, nil
}

// commitTo is commit with the write of the register as a function.
func (s *save) commitTo(ctx context.Context, m *manifest.Manifest, evidence time.Time, write func() (store.Info, error)) (*found, error) {
	window := s.r.settings.Times.WindowD()
	if !evidence.IsZero() {
		if s.r.clock.Now().Sub(evidence) > window/2 {
			var err error
			if evidence, err = s.refresh(ctx, m); err != nil {
				return nil, err
			}
		}
		m.NotAfter = evidence.Add(window).UTC()
	}
	info, err := write()
	if err != nil {
		return nil, err
	}
	f := &found{m, info}
	if !evidence.IsZero() {
		answered := info.Now
		if answered.IsZero() {
			answered = s.r.clock.Now()
		}
		// Only an answer in time is proof that no collector has missed the
		// register: the process may have been asleep (attack A22).
		if took := answered.Sub(evidence); took > window-s.r.settings.Times.MarginD() {
			m.NotAfter = time.Time{} // nothing vouches for its packs, and it may not come back
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyLimit)
			defer cancel()
			if _, err := s.r.bury(ctx, f); err != nil {
				return nil, fmt.Errorf("%w (%s), and undoing it failed: %w", ErrTooSlow, took, err)
			}
			if err := s.r.dropTags(ctx, s.name, []Version{m.Version}); err != nil {
				return nil, fmt.Errorf("%w (%s), it was undone: %w", ErrTooSlow, took, err)
			}
			return nil, fmt.Errorf("%w (%s); it was undone, save again", ErrTooSlow, took)
		}
	}
	return f, nil
}

// claim creates the register under the version asked for, or under the next
// free number.
func (s *save) claim(ctx context.Context, m *manifest.Manifest) (store.Info, error) {
	if s.explicit != nil {
		m.Version = *s.explicit
		info, err := s.create(ctx, m)
		if errors.Is(err, ErrConflict) {
			return info, s.exists(ctx)
		}
		return info, err
	}
	if s.o.expect != nil && !m.NotAfter.IsZero() { // it has put packs, and that took time
		if err := s.expected(ctx); err != nil {
			return store.Info{}, err
		}
	}
	if err := s.list(ctx); err != nil {
		return store.Info{}, err
	}
	next, err := nextVersion(s.known)
	if err != nil {
		return store.Info{}, err
	}
	for try := 1; ; try++ {
		m.Version = next
		info, err := s.create(ctx, m)
		if !errors.Is(err, ErrConflict) {
			return info, err
		}
		if s.o.expect != nil {
			return info, fmt.Errorf("%w: version %s has been saved", errNotExpected, next)
		}
		// Somebody else has this number: they were faster, so the one after
		// it is probably free. Every failure is another's success.
		if next, err = next.Next(); err != nil {
			return store.Info{}, err
		}
		if err := sleep(ctx, jitter(min(try, 5))); err != nil {
			return store.Info{}, err
		}
		if try%4 == 0 {
			s.listed = false
			if err := s.list(ctx); err != nil {
				return store.Info{}, err
			}
			listed, err := nextVersion(s.known)
			if err != nil {
				return store.Info{}, err
			}
			if listed.Compare(next) > 0 {
				next = listed
			}
		}
	}
}

func (s *save) create(ctx context.Context, m *manifest.Manifest) (store.Info, error) {
	body, err := m.Encode()
	if err != nil {
		return store.Info{}, err
	}
	s.r.log.DebugContext(ctx, "committing", "name", m.Name, "version", m.Version, "nonce", m.Nonce)
	return s.r.write(ctx, manifest.VersionKey(m.Name, m.Version), body, store.Absent, m.Nonce)
}

// nextVersion returns the patch release after the highest release that ever
// was, deleted or not; 1.0.0 if there was none.
func nextVersion(known []Version) (Version, error) {
	for i := len(known) - 1; i >= 0; i-- {
		if known[i].IsRelease() {
			return known[i].Next()
		}
	}
	return Version{Major: 1}, nil
}

// refresh renews the evidence for the packs of a save that has lasted for
// half its window.
func (s *save) refresh(ctx context.Context, m *manifest.Manifest) (time.Time, error) {
	vouched := map[string]bool{}
	te, err := s.r.clock.Fresh(ctx, s.r.st, 0)
	if err != nil {
		return te, err
	}
	if s.base != nil { // is it still live, and so its packs still there?
		f, err := s.r.read(ctx, s.base.Name, s.base.Version)
		if err == nil && f.Sound(f.info.Modified) {
			for _, p := range s.base.Packs() {
				vouched[p.Key()] = true
			}
		}
	}
	safe := func(p manifest.Pack) bool { return vouched[p.Key()] }
	if _, err := chunk.Refresh(ctx, s.config(nil), m.Content.Files, m.Placement.Packs, safe); err != nil {
		return te, err
	}
	if err := m.Seal(); err != nil { // places may just have changed
		return te, err
	}
	if m.Table != nil { // and eras, which it names
		s.base = nil
		if _, err := s.storeTable(ctx, m); err != nil {
			return te, err
		}
	}
	return te, nil
}
