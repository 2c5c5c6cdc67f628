package registry

import (
	"context"
	"time"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/commit"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/material"
)

// SaveReport says what a save did.
type SaveReport struct {
	Info   Info  `json:"info"`   // the version that was saved
	Read   int64 `json:"read"`   // bytes of the object
	Reused int64 `json:"reused"` // bytes of Read that an earlier version had stored already
	Stored int64 `json:"stored"` // bytes of the packs of this version that are new, compressed where that pays; small objects have no packs
	Packs  int   `json:"packs"`  // number of these packs
	Found  int64 `json:"found"`  // bytes of Stored that the store had already, from an interrupted save or another object

	// Private counts the files and directories that only their owner may read. An
	// object does not keep that: a load gives them the permissions that the umask
	// leaves.
	Private int `json:"private"`

	// LeftOut lists what the save left out of a tree because it belongs to mindreg.
	LeftOut []LeftOut `json:"leftOut,omitempty"`
}

// contradictions are the options of a save that cannot be combined.
var contradictions = [][2]string{
	{"WithBase", "WithoutReuse"}, {"WithIfLatest", "WithIfAbsent"},
	{"Update", "WithIfLatest"}, {"Update", "WithIfAbsent"},
}

// Save stores v as a new version of an object and returns its number: the patch
// release after the highest version that ever existed, or that of WithVersion. When
// Save returns, the version is complete and durable. Before, no process sees any
// part of it.
//
// A materializer turns v into files; see package material. A Path saves the file or
// directory on disk: files of mindreg in a directory are left out (see LeftOut), and
// a file that changes while it is saved is an error.
//
// Errors: ErrInvalidName, ErrInvalidVersion, ErrExists, ErrNoMaterializer, ErrType,
// ErrTooSlow, ErrOutcomeUnknown, and those of reading v and of the store.
// ErrConflict with WithIfLatest or WithIfAbsent. ErrInvalidTag and *TagError with
// WithTag. After an error there is no new version, except with a *TagError, and
// perhaps with ErrOutcomeUnknown.
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

// save is one save under way: the transaction, and what the caller asked for.
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
	dst, res, err := s.upload(ctx, m, v)
	if err != nil {
		return Version{}, err
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
	s.report(ctx, f, dst, res.Stats)
	return mf.Version, s.setTags(ctx, f)
}

// upload lets the materializer write v, and puts the packs.
func (s *save) upload(ctx context.Context, m material.Materializer, v any) (*sink, *chunk.Result, error) {
	cfg := s.Config()
	cfg.Progress = saveProgress(s.o.progress, s.Name, sizeOf(v))
	w := chunk.NewWriter(ctx, cfg)
	defer w.Abort()
	dst := &sink{w: w, r: s.r}
	if err := m.Save(ctx, dst, v); err != nil {
		return nil, nil, err
	}
	res, err := w.Finish()
	if err != nil {
		return nil, nil, err
	}
	if err := dst.checkExpected(res.Files); err != nil {
		return nil, nil, err
	}
	for _, l := range dst.left {
		s.r.ledger.Log.InfoContext(ctx, "left out of the saved tree", "path", l.Path, "why", l.Why)
	}
	return dst, res, nil
}

// report says what the save did: to the log, in the report, as progress.
func (s *save) report(ctx context.Context, f *ledger.Record, dst *sink, n chunk.Stats) {
	s.r.ledger.Log.InfoContext(ctx, "saved", "name", s.Name, "version", f.Version, "digest", f.Digest,
		"size", f.Size, "reused", n.Reused, "stored", n.Stored, "packs", n.Packs)
	if s.o.report != nil {
		*s.o.report = SaveReport{
			Info: s.r.info(f), Read: f.Size, Reused: n.Reused,
			Stored: n.Stored + s.Table.Stored, Packs: n.Packs + s.Table.Packs, Found: n.Found + s.Table.Found,
			Private: dst.private, LeftOut: dst.left,
		}
	}
	if s.o.progress != nil {
		s.o.progress(Progress{
			Op: OpSave, Ref: s.Name, Done: f.Size, Total: f.Size,
			Reused: n.Reused, Stored: n.Stored, Finished: true,
		})
	}
}

// created returns the time of the store. The store of a directory may not have told
// it yet, if the process has only read so far: then created asks for it.
func (s *save) created(ctx context.Context) (time.Time, error) {
	if now := s.r.ledger.Clock.Now(); !now.IsZero() {
		return now, nil
	}
	return s.r.ledger.Clock.Fresh(ctx, s.r.ledger.Store, 0)
}
