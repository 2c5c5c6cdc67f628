package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/material"
)

// SaveReport tells what a save did, beyond the version.
type SaveReport struct {
	Info   Info
	Read   int64 // bytes of the object
	Reused int64 // of these, found stored already
	Stored int64 // bytes of packs put for it, compressed where that pays, with the table of very many files; small objects need none
	Packs  int   // packs put for it
	Found  int64 // of Stored, what was there already: from a save that was interrupted, or in another object

	// Private is how many of its files and directories only their owner may
	// read: who loads them gets what the umask leaves, as for all others.
	Private int

	// LeftOut is what was found in the tree and is mindreg's own: nil if it was
	// no tree, or all of it was saved.
	LeftOut []LeftOut `json:",omitempty"`
}

// Save stores v as a version of the object name and returns the version: the
// patch release after the highest one that ever was, or the one given with
// WithVersion. The version is complete and durable when Save returns; until
// then nobody sees anything of it.
//
// What v becomes is up to its materializer: see package material. A Path
// saves the file or directory on disk. Of a tree, what is mindreg's own is left
// out (see LeftOut). A file that is written to or replaced while it is saved is
// an error.
//
// Errors: ErrInvalidName, ErrInvalidVersion, ErrExists, ErrNoMaterializer,
// ErrType, ErrTooSlow, ErrOutcomeUnknown, and those of v's sources and of the
// store. With WithIfLatest and WithIfAbsent ErrConflict, with WithTag
// ErrInvalidTag and TagError; only with the latter is there a version.
func (r *Registry) Save(ctx context.Context, name string, v any, opts ...SaveOption) (Version, error) {
	var o saveOptions
	for _, opt := range opts {
		opt.applySave(&o)
	}
	if o.progress == nil {
		o.progress = r.progress
	}
	s := &save{r: r, o: &o, name: name}
	version, err := s.run(ctx, v)
	return version, wrap(ctx, "save", name, err)
}

// save is one save under way.
type save struct {
	r    *Registry
	o    *saveOptions
	name string

	explicit *Version // the version asked for
	known    []Version
	listed   bool
	partial  bool        // known are only the highest
	guessed  bool        // o.base is not the caller's: without it nothing is reused, and that is all
	base     *found      // whose chunks are reused
	table    chunk.Stats // of storing the table of files, if it did not fit the register
}

func (s *save) run(ctx context.Context, v any) (Version, error) {
	content, m, err := s.check(v)
	if err != nil {
		return Version{}, err
	}
	if err := s.r.trust(ctx); err != nil {
		return Version{}, err
	}
	if s.o.expect != nil { // before any data moves
		if err := s.expected(ctx); err != nil {
			return Version{}, err
		}
	}
	w := chunk.NewWriter(ctx, s.config(v))
	defer w.Abort()
	dst := &sink{w: w, r: s.r}
	if err := m.Save(ctx, dst, v); err != nil {
		return Version{}, err
	}
	res, err := w.Finish()
	if err == nil {
		err = dst.checkExpected(res.Files)
	}
	if err != nil {
		return Version{}, err
	}
	for _, l := range dst.left {
		s.r.log.InfoContext(ctx, "left out of the saved tree", "path", l.Path, "why", l.Why)
	}
	created, err := s.created(ctx)
	if err != nil {
		return Version{}, err
	}
	mf := manifest.NewManifest(s.name, Version{}, created)
	mf.Content = *content
	evidence, err := s.fill(ctx, mf, res)
	if err != nil {
		return Version{}, err
	}
	var f *found
	err = s.r.strictly(ctx, s.name, false, func(ctx context.Context) (err error) {
		f, err = s.commit(ctx, mf, evidence)
		return err
	})
	if err != nil {
		return Version{}, err
	}
	s.leaveMilestone(ctx, mf.Version)
	s.r.log.InfoContext(ctx, "saved", "name", s.name, "version", mf.Version, "digest", mf.Digest,
		"size", mf.Size, "reused", res.Stats.Reused, "stored", res.Stats.Stored, "packs", res.Stats.Packs)
	if s.o.report != nil {
		*s.o.report = SaveReport{
			Info: s.r.info(f), Read: mf.Size,
			Reused: res.Stats.Reused, Stored: res.Stats.Stored + s.table.Stored, Packs: res.Stats.Packs + s.table.Packs,
			Found:   res.Stats.Found + s.table.Found,
			Private: dst.private,
			LeftOut: dst.left,
		}
	}
	if s.o.progress != nil {
		s.o.progress(Progress{
			Op: "save", Ref: s.name, Done: mf.Size, Total: mf.Size,
			Reused: res.Stats.Reused, Stored: res.Stats.Stored, Finished: true,
		})
	}
	return mf.Version, s.setTags(ctx, f)
}

// created is the store's time. A directory has not told it to a process that
// has only read so far: then it is asked.
func (s *save) created(ctx context.Context) (time.Time, error) {
	if now := s.r.clock.Now(); !now.IsZero() {
		return now, nil
	}
	return s.r.clock.Fresh(ctx, s.r.st, 0)
}

// check refuses what cannot be saved, before anything is read or written.
func (s *save) check(v any) (*manifest.Content, material.Materializer, error) {
	if name, version, found := strings.Cut(s.name, "@"); found {
		return nil, nil, fmt.Errorf("%w %q: save takes a name alone; give %q, and %s as the version", ErrInvalidName, s.name, name, version)
	}
	if err := manifest.ValidName(s.name); err != nil {
		return nil, nil, err
	}
	if s.o.version != "" {
		if s.o.version == Latest {
			return nil, nil, fmt.Errorf("%w: %q is what the newest version is called, not one to save under; leave it out for the next number", ErrInvalidVersion, Latest)
		}
		version, err := manifest.ParseVersion(s.o.version)
		if err != nil {
			return nil, nil, err
		}
		if s.r.settings.Unversioned {
			return nil, nil, fmt.Errorf("%w: the registry keeps no versions, so none can be chosen", ErrInvalidVersion)
		}
		s.explicit = &version
	}
	if s.o.base != "" {
		if _, err := parseRef(s.o.base); err != nil {
			return nil, nil, fmt.Errorf("base: %w", err)
		}
	}
	if err := checkCompression(s.o.compression); err != nil {
		return nil, nil, err
	}
	if err := checkClass(s.o.class); err != nil {
		return nil, nil, err
	}
	if err := s.checkExpectation(); err != nil {
		return nil, nil, err
	}
	if err := s.checkTags(); err != nil {
		return nil, nil, err
	}
	m := s.o.materializer
	if m == nil {
		var err error
		if m, err = s.r.materials.For(v); err != nil {
			return nil, nil, err
		}
	}
	if err := material.CheckName(m.Name()); err != nil {
		return nil, nil, err
	}
	if s.o.dereference {
		var err error
		if m, err = dereferencing(m, v); err != nil {
			return nil, nil, err
		}
	}
	if m.Name() == (material.Dir{}).Name() {
		if err := s.r.refuseItself(v); err != nil {
			return nil, nil, err
		}
	}
	c := &manifest.Content{Class: s.o.class, Materializer: m.Name()}
	if c.Class == "" {
		c.Class = material.ClassOf(v)
	}
	if s.o.metadata != nil {
		var err error
		if c.Metadata, err = encodeMetadata(s.o.metadata); err != nil {
			return nil, nil, err
		}
	}
	return c, m, nil
}

func (s *save) config(v any) chunk.Config {
	return chunk.Config{
		Store: s.r.st, Clock: s.r.clock, Times: s.r.settings.Times,
		Base: s.findBase, MaxInline: knob.MaxInline, Logger: s.r.log, Compress: s.compresses(), Budget: s.r.memory, Parallel: s.r.parallelPuts(),
		Progress: saveProgress(s.o.progress, s.name, sizeOf(v)),
	}
}

// list lists the object's highest versions, once.
func (s *save) list(ctx context.Context) error {
	if s.listed {
		return nil
	}
	known, whole, err := s.r.top(ctx, s.name)
	if err != nil {
		return err
	}
	s.known, s.partial, s.listed = known, !whole, true
	return nil
}

// findBase finds the version whose chunks may be reused: the one named, or
// the highest live one. It is called before the first pack is put, and so is
// the place to refuse a version that exists before the data moves.
func (s *save) findBase(ctx context.Context) (*manifest.Manifest, error) {
	if err := s.list(ctx); err != nil {
		return nil, err
	}
	if s.explicit != nil {
		exists := slices.Contains(s.known, *s.explicit)
		if s.partial && s.explicit.Compare(s.known[0]) < 0 {
			_, err := s.r.read(ctx, s.name, *s.explicit)
			exists = !errors.Is(err, ErrNotFound)
		}
		if exists {
			return nil, s.exists(ctx)
		}
	}
	if s.o.noReuse {
		return nil, nil
	}
	f, err := s.readBase(ctx)
	if err == nil && f != nil {
		if !f.Sound(f.info.Modified) {
			return nil, nil // committed too late: its packs may be gone (attack A23)
		}
		err = s.r.complete(ctx, f)
	}
	if ours := s.o.base == "" || s.guessed; ours && (unreadable(err) || errors.Is(err, ErrNotFound)) {
		s.r.log.WarnContext(ctx, "the version before cannot be read; nothing of it is reused", "name", s.name, "error", err)
		return nil, nil
	}
	if err != nil || f == nil {
		return nil, err
	}
	s.base = f
	return f.Manifest, nil
}

func (s *save) readBase(ctx context.Context) (*found, error) {
	if s.o.base != "" {
		ref, err := parseRef(s.o.base)
		if err != nil {
			return nil, fmt.Errorf("base: %w", err)
		}
		f, err := s.r.resolve(ctx, ref)
		if err != nil {
			return nil, fmt.Errorf("base %s: %w", ref, err)
		}
		return f, nil
	}
	for _, v := range slices.Backward(s.known[max(0, len(s.known)-maxBaseLooks):]) {
		f, err := s.r.read(ctx, s.name, v)
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return nil, err
		case f.State == manifest.Live:
			return f, nil
		case s.r.settles(f):
			return nil, nil
		}
	}
	return nil, nil
}

// maxBaseLooks is how many versions a save looks at to find one that is live
// and that it can reuse chunks of.
const maxBaseLooks = 16

// exists says why the version asked for cannot be used.
func (s *save) exists(ctx context.Context) error {
	f, err := s.r.read(ctx, s.name, *s.explicit)
	if err == nil && f.State != manifest.Live {
		return fmt.Errorf("version %s %w: it was deleted, and numbers are never used again", s.explicit, ErrExists)
	}
	return fmt.Errorf("version %s %w", s.explicit, ErrExists)
}

// fill puts what the writer stored into the manifest, and returns since when
// its packs have certainly been there.
func (s *save) fill(ctx context.Context, m *manifest.Manifest, res *chunk.Result) (time.Time, error) {
	m.Content.Files = res.Files
	m.Placement.Inline, m.Placement.Packs = res.Inline, res.Packs
	if err := m.Seal(); err != nil {
		return time.Time{}, err
	}
	body, err := m.Encode()
	if err != nil || len(body) <= manifest.MaxTable {
		return res.Evidence, err
	}
	evidence, err := s.storeTable(ctx, m)
	if err != nil || res.Evidence.IsZero() || evidence.Before(res.Evidence) {
		return evidence, err
	}
	return res.Evidence, nil
}

// storeTable puts the tables of a large manifest into packs.
func (s *save) storeTable(ctx context.Context, m *manifest.Manifest) (time.Time, error) {
	table, err := m.EncodeTable()
	if err != nil {
		return time.Time{}, err
	}
	cfg := s.config(nil)
	cfg.MaxInline, cfg.Progress = 0, nil
	cfg.Base = func(ctx context.Context) (*manifest.Manifest, error) {
		if s.base == nil {
			return nil, nil
		}
		return s.base.Manifest, nil
	}
	w := chunk.NewWriter(ctx, cfg)
	defer w.Abort()
	fw, err := w.Create("table", false)
	if err != nil {
		return time.Time{}, err
	}
	if _, err := fw.Write(table); err != nil {
		return time.Time{}, err
	}
	if err := fw.Close(); err != nil {
		return time.Time{}, err
	}
	res, err := w.Finish()
	if err != nil {
		return time.Time{}, err
	}
	f := res.Files[0]
	m.SetTable(f.Size, f.SHA256, f.Chunks, res.Packs)
	s.table = res.Stats
	return res.Evidence, nil
}
