package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/commit"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/material"
)

// SaveReport tells what a save did, beyond the version.
type SaveReport struct {
	Info   Info  `json:"info"`
	Read   int64 `json:"read"`   // bytes of the object
	Reused int64 `json:"reused"` // of these, found stored already
	Stored int64 `json:"stored"` // bytes of packs put for it, compressed where that pays, with the table of very many files; small objects need none
	Packs  int   `json:"packs"`  // packs put for it
	Found  int64 `json:"found"`  // of Stored, what was there already: from a save that was interrupted, or in another object

	// Private is how many of its files and directories only their owner may
	// read: who loads them gets what the umask leaves, as for all others.
	Private int `json:"private"`

	// LeftOut is what was found in the tree and is mindreg's own: nil if it was
	// no tree, or all of it was saved.
	LeftOut []LeftOut `json:"leftOut,omitempty"`
}

// contradictions are the options of a save that cannot both hold.
var contradictions = [][2]string{
	{"WithBase", "WithoutReuse"}, {"WithIfLatest", "WithIfAbsent"},
	{"Update", "WithIfLatest"}, {"Update", "WithIfAbsent"},
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
	if err := o.check(contradictions...); err != nil {
		return Version{}, wrap(ctx, OpSave, name, err)
	}
	if o.progress == nil {
		o.progress = r.progress
	}
	s := &save{commit.New(r.ledger, name), r, &o}
	version, err := s.run(ctx, v)
	return version, wrap(ctx, OpSave, name, err)
}

// save is one save under way.
type save struct {
	*commit.Txn
	r *Registry
	o *saveOptions
}

func (s *save) run(ctx context.Context, v any) (Version, error) {
	content, m, err := s.check(v)
	if err != nil {
		return Version{}, err
	}
	if err := s.r.ledger.EnsureProbed(ctx); err != nil {
		return Version{}, err
	}
	if s.Expect != nil { // before any data moves
		if err := s.Expected(ctx); err != nil {
			return Version{}, err
		}
	}
	cfg := s.Config()
	cfg.Progress = saveProgress(s.o.progress, s.Name, sizeOf(v))
	w := chunk.NewWriter(ctx, cfg)
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
		s.r.ledger.Log.InfoContext(ctx, "left out of the saved tree", "path", l.Path, "why", l.Why)
	}
	created, err := s.created(ctx)
	if err != nil {
		return Version{}, err
	}
	mf := manifest.NewManifest(s.Name, Version{}, created)
	mf.Content = *content
	evidence, err := s.Fill(ctx, mf, res)
	if err != nil {
		return Version{}, err
	}
	var f *ledger.Record
	err = s.r.strictly(ctx, s.Name, false, func(ctx context.Context) (err error) {
		f, err = s.Commit(ctx, mf, evidence)
		return err
	})
	if err != nil {
		return Version{}, err
	}
	s.LeaveMilestone(ctx, mf.Version)
	s.r.ledger.Log.InfoContext(ctx, "saved", "name", s.Name, "version", mf.Version, "digest", mf.Digest,
		"size", mf.Size, "reused", res.Stats.Reused, "stored", res.Stats.Stored, "packs", res.Stats.Packs)
	if s.o.report != nil {
		*s.o.report = SaveReport{
			Info: s.r.info(f), Read: mf.Size,
			Reused: res.Stats.Reused, Stored: res.Stats.Stored + s.Table.Stored, Packs: res.Stats.Packs + s.Table.Packs,
			Found:   res.Stats.Found + s.Table.Found,
			Private: dst.private,
			LeftOut: dst.left,
		}
	}
	if s.o.progress != nil {
		s.o.progress(Progress{
			Op: OpSave, Ref: s.Name, Done: mf.Size, Total: mf.Size,
			Reused: res.Stats.Reused, Stored: res.Stats.Stored, Finished: true,
		})
	}
	return mf.Version, s.setTags(ctx, f)
}

// created is the store's time. A directory has not told it to a process that
// has only read so far: then it is asked.
func (s *save) created(ctx context.Context) (time.Time, error) {
	if now := s.r.ledger.Clock.Now(); !now.IsZero() {
		return now, nil
	}
	return s.r.ledger.Clock.Fresh(ctx, s.r.ledger.Store, 0)
}

// checkExpectation reads the condition of the save.
func (s *save) checkExpectation() (err error) {
	if s.o.expect == nil {
		return nil
	}
	if s.Version != nil {
		return fmt.Errorf("%w: the number of a conditional save cannot be chosen; it is what makes it safe", ErrInvalidVersion)
	}
	s.Expect = s.o.expect
	if !s.Expect.Absent {
		s.Expect.Want, err = manifest.ParseVersion(s.o.ifLatest)
	}
	return err
}

// check refuses what cannot be saved, before anything is read or written.
func (s *save) check(v any) (*manifest.Content, material.Materializer, error) {
	if name, version, found := strings.Cut(s.Name, "@"); found {
		return nil, nil, fmt.Errorf("%w %q: save takes a name alone; give %q, and %s as the version", ErrInvalidName, s.Name, name, version)
	}
	if err := manifest.ValidName(s.Name); err != nil {
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
		if s.r.ledger.Settings.Unversioned {
			return nil, nil, fmt.Errorf("%w: the registry keeps no versions, so none can be chosen", ErrInvalidVersion)
		}
		s.Version = &version
	}
	if s.o.base != "" {
		base, err := ledger.ParseRef(s.o.base)
		if err != nil {
			return nil, nil, fmt.Errorf("base: %w", err)
		}
		s.Base = &base
	}
	s.NoReuse = s.o.noReuse
	if err := checkCompression(s.o.compression); err != nil {
		return nil, nil, err
	}
	if s.o.compression != "" {
		s.Compress = s.o.compression != CompressionNone
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
