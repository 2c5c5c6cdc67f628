package replicate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/commit"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
)

// Report says what a copy has done.
type Report struct {
	Copied  []*manifest.Manifest // the versions that were copied, as they are at the destination
	Present int                  // versions that the destination had already, with the same content
	Tags    int                  // tags that were set or moved
	Read    int64                // bytes of the versions that were copied
	Reused  int64                // bytes of these that the destination had
	Stored  int64                // bytes of the packs that were put
}

// Copy is one copy. Set the exported fields, call Run once, and read Report, also
// after an error.
type Copy struct {
	To, From *ledger.Ledger
	Ref      string // what to copy; "": all objects
	Name     string // the object's name at the destination; "": as at the source
	Version  string // the version's number at the destination; "": as at the source
	DryRun   bool   // change nothing, and report what would be copied
	Report   Report
	Progress func(ref string, size int64, n chunk.Stats, finished bool) // called as data is copied, with the size in bytes of the version; or nil

	number  manifest.Version   // Version, parsed
	refused ledger.Unreadables // errors of versions that were skipped: they differ at the destination, or cannot be read
}

// Run copies the versions that Ref means, and their tags. It skips versions that
// the destination has already, so it can be repeated at any time. The registers
// are created last, so that a copy that is killed leaves no version without data.
//
// An error of one side is a *fault.SideError. A version that exists at the
// destination with other content is ErrExists; other versions are copied all the
// same.
func (c *Copy) Run(ctx context.Context) error {
	if c.within() && c.Name == "" && c.Version == "" {
		return fmt.Errorf("%w: source and destination are the same registry; give the copy another name or version", fault.ErrInvalidRef)
	}
	if c.Name != "" {
		if err := manifest.ValidName(c.Name); err != nil {
			return err
		}
	}
	if c.Version != "" {
		v, err := manifest.ParseVersion(c.Version)
		if err != nil {
			return err
		}
		c.number = v
	}
	if !c.DryRun {
		if err := c.To.EnsureProbed(ctx); err != nil {
			return c.dest(err)
		}
	}
	if c.Ref != "" {
		ref, err := ledger.ParseRef(c.Ref)
		if err != nil {
			return err
		}
		if err := c.object(ctx, ref); err != nil {
			return err
		}
		return c.refused.Err()
	}
	if c.Name != "" || c.Version != "" {
		return fmt.Errorf("%w: a new name or version needs a reference to what is copied", fault.ErrInvalidRef)
	}
	for n, err := range c.From.EachLatest(ctx, "") {
		name := n.Name
		if name == "" && ledger.IsUnreadable(err) { // a part of the listing that is about no single object
			c.refused.Pass(c.source(err))
			continue
		}
		if err != nil && !ledger.IsUnreadable(err) { // otherwise go on: other versions of it may be readable
			return c.source(err)
		}
		err = c.object(ctx, ledger.Ref{Name: name})
		if deletedAt(fault.Source, err) {
			err = nil // it was deleted after it was listed
		}
		if err != nil && !c.refused.Pass(err) {
			return err
		}
	}
	return c.refused.Err()
}

// within reports whether the copy is made inside one registry.
func (c *Copy) within() bool {
	return c.To.URL == c.From.URL && c.To.Settings.ID == c.From.Settings.ID
}

// source and dest say at which side err happened.
func (c *Copy) source(err error) error { return side(fault.Source, c.From, err) }
func (c *Copy) dest(err error) error   { return side(fault.Destination, c.To, err) }

// side makes err a *fault.SideError, unless it is one already or a cancellation.
func side(s fault.Side, l *ledger.Ledger, err error) error {
	if err == nil || errors.As(err, new(*fault.SideError)) || errors.Is(err, context.Canceled) {
		return err
	}
	return &fault.SideError{Side: s, URL: l.URL, Err: err}
}

// deletedAt reports whether err says that a version was deleted on that side.
func deletedAt(s fault.Side, err error) bool {
	e := (*fault.SideError)(nil)
	return errors.As(err, &e) && e.Side == s && errors.Is(err, fault.ErrDeleted)
}

// object copies the versions of one object that ref means.
func (c *Copy) object(ctx context.Context, ref ledger.Ref) error {
	target := ref.Name
	if c.Name != "" {
		target = c.Name
	}
	numbers, err := c.numbers(ctx, ref)
	if err != nil {
		return c.source(err)
	}
	if c.Version != "" && len(numbers) != 1 {
		return fmt.Errorf("%w: %s means %d versions, which cannot all become %s", manifest.ErrInvalidVersion, c.Ref, len(numbers), c.Version)
	}
	known, err := c.To.Numbers(ctx, target)
	if err != nil {
		return c.dest(err)
	}
	var before *ledger.Ref // the base of the next version: the version that was copied last
	live, grown := 0, false
	arrived := map[manifest.Version]manifest.Version{} // by number at the source: number at the destination
	for _, v := range numbers {
		if c.within() {
			before = &ledger.Ref{Name: ref.Name, Selector: v.String(), Kind: ledger.ByVersion, Version: v} // the version itself has all the chunks
		}
		f, err := c.From.ReadLive(ctx, ref.Name, v)
		if errors.Is(err, fault.ErrNotFound) {
			continue
		}
		live++
		if err == nil {
			err = c.From.Complete(ctx, f)
		}
		if err != nil {
			err = c.source(fmt.Errorf("%s@%s: %w", ref.Name, v, err))
			if len(numbers) > 1 && c.refused.Pass(err) {
				continue
			}
			return err
		}
		at, err := c.one(ctx, f, target, known, before)
		if err = c.dest(err); len(numbers) > 1 && deletedAt(fault.Source, err) {
			live-- // it was deleted while it was read
			continue
		}
		if errors.Is(err, fault.ErrExists) {
			c.refused = append(c.refused, err)
			continue
		}
		if len(numbers) > 1 && c.refused.Pass(err) {
			continue
		}
		if err != nil {
			return err
		}
		before = &ledger.Ref{Name: target, Selector: at.String(), Kind: ledger.ByVersion, Version: at}
		arrived[v] = at
		if i, there := slices.BinarySearchFunc(known, at, manifest.Version.Compare); !there {
			known, grown = slices.Insert(known, i, at), true
		}
	}
	if grown && !c.DryRun {
		c.To.LeaveMilestone(ctx, target, known, known[len(known)-1])
	}
	if live == 0 && len(numbers) > 0 {
		return c.source(c.From.NoMatch(ref, numbers))
	}
	return c.tags(ctx, ref.Name, target, arrived)
}

// numbers returns the versions to copy, in ascending order.
func (c *Copy) numbers(ctx context.Context, ref ledger.Ref) ([]manifest.Version, error) {
	if c.To.Settings.Unversioned || ref.Selector != "" && ref.Kind != ledger.ByRange {
		f, err := c.From.Resolve(ctx, ref)
		if err != nil {
			return nil, err
		}
		return []manifest.Version{f.Version}, nil
	}
	var all []manifest.Version
	for v, err := range c.From.EachNumber(ctx, ref.Name) {
		if c.refused.Pass(c.source(err)) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	if len(all) == 0 && len(c.refused) > 0 {
		return nil, nil // c.refused says why
	}
	some := ledger.Candidates(all, ref)
	slices.SortFunc(some, manifest.Version.Compare)
	if c.Version != "" { // only one version can get this number, so leave out the deleted ones
		live := some[:0]
		for _, v := range some {
			_, err := c.From.ReadLive(ctx, ref.Name, v)
			if errors.Is(err, fault.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			live = append(live, v)
		}
		some = live
	}
	if len(some) == 0 {
		return nil, c.From.NoMatch(ref, all)
	}
	return some, nil
}

// one copies one version to the object target at the destination, unless it is
// there. It returns its number there. known are the numbers that target has
// there; before is the base, or nil.
func (c *Copy) one(ctx context.Context, f *ledger.Record, target string, known []manifest.Version, before *ledger.Ref) (manifest.Version, error) {
	t := commit.New(c.To, target)
	t.Known, t.Listed, t.Base, t.Optional = known, true, before, true
	if !c.To.Settings.Unversioned {
		v := f.Version
		if c.Version != "" {
			v = c.number
		}
		t.Version = &v
	}
	if there, err := c.present(ctx, t, f); err != nil || there != nil {
		if there != nil {
			c.Report.Present++
			return there.Version, nil
		}
		return manifest.Version{}, err
	}
	if c.DryRun {
		return c.would(t, f)
	}
	m, err := c.transfer(ctx, t, f)
	if err != nil {
		return manifest.Version{}, err
	}
	c.Report.Copied = append(c.Report.Copied, m)
	c.To.Log.InfoContext(ctx, "copied", "from", c.From.URL, "name", m.Name, "version", m.Version, "digest", m.Digest, "size", m.Size)
	return m.Version, nil
}

// would records a version that a dry run would copy, and returns the number that
// it would get.
func (c *Copy) would(t *commit.Txn, f *ledger.Record) (v manifest.Version, err error) {
	if t.Version != nil {
		v = *t.Version
	} else if v, err = commit.NextVersion(t.Known); err != nil {
		return v, err
	}
	c.Report.Copied = append(c.Report.Copied, &manifest.Manifest{Name: t.Name, Version: v, Digest: f.Digest})
	return v, nil
}

// present returns the version at the destination that is the copy of f already; nil
// if it does not exist. ErrExists: its number is taken by other content.
func (c *Copy) present(ctx context.Context, t *commit.Txn, f *ledger.Record) (*ledger.Record, error) {
	var g *ledger.Record
	var err error
	switch {
	case t.Version == nil: // the latest version of the target, whose chunks need not be those that are reused
		latest := *t
		latest.Base = nil
		g, err = latest.ReadBase(ctx)
		if err != nil || g == nil || g.Digest != f.Digest || !g.Sound(g.Stored.Modified) {
			return nil, err
		}
		return g, nil
	default:
		if _, there := slices.BinarySearchFunc(t.Known, *t.Version, manifest.Version.Compare); !there {
			return nil, nil
		}
	}
	g, err = c.To.Read(ctx, t.Name, *t.Version)
	switch {
	case err != nil:
		return nil, err
	case g.State != manifest.Live:
		return nil, fmt.Errorf("%s@%s %w: it was deleted there, and numbers are never used again", t.Name, t.Version, fault.ErrExists)
	case g.Digest != f.Digest:
		return nil, fmt.Errorf("%s@%s %w with other content, %s; the source has %s", t.Name, t.Version, fault.ErrExists, g.Digest, f.Digest)
	case !g.Sound(g.Stored.Modified):
		return nil, fmt.Errorf("%s@%s %w, but saving it there %w: its data may be gone; delete it and copy under another number", t.Name, t.Version, fault.ErrExists, fault.ErrTooSlow)
	}
	return g, nil
}

// transfer copies the packs, and then creates the register.
func (c *Copy) transfer(ctx context.Context, t *commit.Txn, f *ledger.Record) (*manifest.Manifest, error) {
	ref := f.Name + "@" + f.Version.String()
	m := manifest.NewManifest(t.Name, manifest.Version{}, f.Created)
	m.Content = f.Content
	res := &chunk.Result{Files: f.Content.Files, Inline: f.Placement.Inline}
	if len(f.Placement.Packs) > 0 {
		cfg := t.Config()
		if c.Progress != nil {
			cfg.Progress = func(n chunk.Stats) { c.Progress(ref, f.Size, n, false) }
		}
		var err error
		if res, err = chunk.Copy(ctx, cfg, c.From.Store, f.Manifest); err != nil {
			if e := (*chunk.SourceError)(nil); errors.As(err, &e) {
				return nil, c.source(fmt.Errorf("%s: %w", ref, c.From.DeletedMeanwhile(ctx, f, e.Err)))
			}
			return nil, err
		}
	}
	evidence, err := t.Fill(ctx, m, res)
	if err != nil {
		return nil, err
	}
	if m.Digest != f.Digest {
		return nil, c.source(fmt.Errorf("%s: %w: its content has the digest %s, not %s", ref, fault.ErrIntegrity, m.Digest, f.Digest))
	}
	if _, err := t.Commit(ctx, m, evidence); err != nil {
		return nil, err
	}
	c.Report.Read += f.Size
	c.Report.Reused += res.Stats.Reused
	c.Report.Stored += res.Stats.Stored
	if c.Progress != nil {
		n := res.Stats
		n.Read = f.Size
		c.Progress(ref, f.Size, n, true)
	}
	return m, nil
}
