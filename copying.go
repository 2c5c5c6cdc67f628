package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/manifest"
)

// copyReport is what a copy has done.
type copyReport struct {
	Copied               []*manifest.Manifest // as they are at the destination
	Present              int                  // versions that were there already, with the same content
	Tags                 int                  // set or moved
	Read, Reused, Stored int64                // bytes: of the versions copied, and of the packs put for them
}

type copying struct {
	to, from *Registry
	ref      string
	name     string  // what the object is called at the destination; "": as at the source
	version  string  // its number there, as given; "": that of the source
	number   Version // that version means
	report   copyReport
	progress func(ref string, size int64, n chunk.Stats, finished bool) // or nil
	refused  unreadables                                                // versions that exist and are not the same, or cannot be read
}

func (c *copying) run(ctx context.Context) error {
	if c.within() && c.name == "" && c.version == "" {
		return fmt.Errorf("%w: source and destination are the same registry; give the copy another name or version", ErrInvalidRef)
	}
	if c.name != "" {
		if err := manifest.ValidName(c.name); err != nil {
			return err
		}
	}
	if c.version != "" {
		v, err := manifest.ParseVersion(c.version)
		if err != nil {
			return err
		}
		c.number = v
	}
	if err := c.to.trust(ctx); err != nil {
		return c.dest(err)
	}
	if c.ref != "" {
		ref, err := parseRef(c.ref)
		if err != nil {
			return err
		}
		if err := c.object(ctx, ref); err != nil {
			return err
		}
		return c.refused.err()
	}
	if c.name != "" || c.version != "" {
		return fmt.Errorf("%w: a new name or version needs a reference to what is copied", ErrInvalidRef)
	}
	for n, err := range c.from.eachLatest(ctx, "") {
		name := n.name
		if name == "" && unreadable(err) { // a part that is of no one object
			c.refused.pass(c.source(err))
			continue
		}
		if err != nil && !unreadable(err) { // other versions of it may be readable
			return c.source(err)
		}
		err = c.object(ctx, xref{Name: name})
		if deletedAt(Source, err) {
			err = nil // a moment ago
		}
		if err != nil && !c.refused.pass(err) {
			return err
		}
	}
	return c.refused.err()
}

// within reports whether the copy is made inside one registry.
func (c *copying) within() bool {
	return c.to.url == c.from.url && c.to.settings.ID == c.from.settings.ID
}

func (c *copying) source(err error) error { return side(Source, c.from, err) }
func (c *copying) dest(err error) error   { return side(Destination, c.to, err) }

func side(s Side, r *Registry, err error) error {
	if err == nil || errors.As(err, new(*SideError)) || errors.Is(err, context.Canceled) {
		return err
	}
	return &SideError{Side: s, URL: r.url, Err: err}
}

// deletedAt reports whether err says that a version was deleted on that side.
func deletedAt(s Side, err error) bool {
	e := (*SideError)(nil)
	return errors.As(err, &e) && e.Side == s && errors.Is(err, ErrDeleted)
}

// object copies the versions of one object that ref means.
func (c *copying) object(ctx context.Context, ref xref) error {
	target := ref.Name
	if c.name != "" {
		target = c.name
	}
	numbers, err := c.numbers(ctx, ref)
	if err != nil {
		return c.source(err)
	}
	if c.version != "" && len(numbers) != 1 {
		return fmt.Errorf("%w: %s means %d versions, which cannot all become %s", ErrInvalidVersion, c.ref, len(numbers), c.version)
	}
	known, err := c.to.numbers(ctx, target)
	if err != nil {
		return c.dest(err)
	}
	var before *xref // what was copied last: it shares chunks with the next
	live, grown := 0, false
	arrived := map[Version]Version{} // number at the source → at the destination
	for _, v := range numbers {
		if c.within() {
			before = &xref{Name: ref.Name, Selector: v.String(), kind: selectVersion, version: v} // it has all the chunks
		}
		f, err := c.from.readLive(ctx, ref.Name, v)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		live++
		if err == nil {
			err = c.from.complete(ctx, f)
		}
		if err != nil {
			err = c.source(fmt.Errorf("%s@%s: %w", ref.Name, v, err))
			if len(numbers) > 1 && c.refused.pass(err) {
				continue
			}
			return err
		}
		at, err := c.one(ctx, f, target, known, before)
		if err = c.dest(err); len(numbers) > 1 && deletedAt(Source, err) {
			live-- // while it was read
			continue
		}
		if errors.Is(err, ErrExists) {
			c.refused = append(c.refused, err)
			continue
		}
		if len(numbers) > 1 && c.refused.pass(err) {
			continue
		}
		if err != nil {
			return err
		}
		before = &xref{Name: target, Selector: at.String(), kind: selectVersion, version: at}
		arrived[v] = at
		if i, there := slices.BinarySearchFunc(known, at, Version.Compare); !there {
			known, grown = slices.Insert(known, i, at), true
		}
	}
	if grown {
		c.to.leaveMilestone(ctx, target, known, known[len(known)-1])
	}
	if live == 0 && len(numbers) > 0 {
		return c.source(c.from.noMatch(ref, numbers))
	}
	return c.tags(ctx, ref.Name, target, arrived)
}

// numbers returns the versions to be copied, in ascending order.
func (c *copying) numbers(ctx context.Context, ref xref) ([]Version, error) {
	if c.to.settings.Unversioned || ref.Selector != "" && ref.kind != selectRange {
		f, err := c.from.resolve(ctx, ref)
		if err != nil {
			return nil, err
		}
		return []Version{f.Version}, nil
	}
	var all []Version
	for v, err := range c.from.eachNumber(ctx, ref.Name) {
		if c.refused.pass(c.source(err)) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	if len(all) == 0 && len(c.refused) > 0 {
		return nil, nil // it has been told
	}
	some := candidates(all, ref)
	slices.SortFunc(some, Version.Compare)
	if c.version != "" { // there must be one, not counting the deleted
		live := some[:0]
		for _, v := range some {
			_, err := c.from.readLive(ctx, ref.Name, v)
			if errors.Is(err, ErrNotFound) {
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
		return nil, c.from.noMatch(ref, all)
	}
	return some, nil
}

// one copies one version to the destination, and returns its number
// there. known are the numbers that target has there, before is the version
// copied last.
func (c *copying) one(ctx context.Context, f *found, target string, known []Version, before *xref) (Version, error) {
	t := newTxn(c.to, target)
	t.known, t.listed, t.base, t.optional = known, true, before, true
	if !c.to.settings.Unversioned {
		v := f.Version
		if c.version != "" {
			v = c.number
		}
		t.version = &v
	}
	if there, err := c.present(ctx, t, f); err != nil || there != nil {
		if there != nil {
			c.report.Present++
			return there.Version, nil
		}
		return Version{}, err
	}
	m, err := c.transfer(ctx, t, f)
	if err != nil {
		return Version{}, err
	}
	c.report.Copied = append(c.report.Copied, m)
	c.to.log.InfoContext(ctx, "copied", "from", c.from.url, "name", m.Name, "version", m.Version, "digest", m.Digest, "size", m.Size)
	return m.Version, nil
}

// present returns the version at the destination that has f's content
// already, nil if there is none, and ErrExists if its number is taken.
func (c *copying) present(ctx context.Context, t *txn, f *found) (*found, error) {
	var g *found
	var err error
	switch {
	case t.version == nil:
		g, err = t.readBase(ctx)
		if err != nil || g == nil || g.Digest != f.Digest || !g.Sound(g.info.Modified) {
			return nil, err
		}
		return g, nil
	default:
		if _, there := slices.BinarySearchFunc(t.known, *t.version, Version.Compare); !there {
			return nil, nil
		}
	}
	g, err = c.to.read(ctx, t.name, *t.version)
	switch {
	case err != nil:
		return nil, err
	case g.State != manifest.Live:
		return nil, fmt.Errorf("%s@%s %w: it was deleted there, and numbers are never used again", t.name, t.version, ErrExists)
	case g.Digest != f.Digest:
		return nil, fmt.Errorf("%s@%s %w with other content, %s; the source has %s", t.name, t.version, ErrExists, g.Digest, f.Digest)
	case !g.Sound(g.info.Modified):
		return nil, fmt.Errorf("%s@%s %w, but saving it there %w: its data may be gone; delete it and copy under another number", t.name, t.version, ErrExists, ErrTooSlow)
	}
	return g, nil
}

// transfer copies the packs, and then the register.
func (c *copying) transfer(ctx context.Context, t *txn, f *found) (*manifest.Manifest, error) {
	ref := f.Name + "@" + f.Version.String()
	m := manifest.NewManifest(t.name, Version{}, f.Created)
	m.Content = f.Content
	res := &chunk.Result{Files: f.Content.Files, Inline: f.Placement.Inline}
	if len(f.Placement.Packs) > 0 {
		cfg := t.config()
		if c.progress != nil {
			cfg.Progress = func(n chunk.Stats) { c.progress(ref, f.Size, n, false) }
		}
		var err error
		if res, err = chunk.Copy(ctx, cfg, c.from.st, f.Manifest); err != nil {
			if e := (*chunk.SourceError)(nil); errors.As(err, &e) {
				return nil, c.source(fmt.Errorf("%s: %w", ref, c.from.deletedMeanwhile(ctx, f, e.Err)))
			}
			return nil, err
		}
	}
	evidence, err := t.fill(ctx, m, res)
	if err != nil {
		return nil, err
	}
	if m.Digest != f.Digest {
		return nil, c.source(fmt.Errorf("%s: %w: its content has the digest %s, not %s", ref, ErrIntegrity, m.Digest, f.Digest))
	}
	if _, err := t.commit(ctx, m, evidence); err != nil {
		return nil, err
	}
	c.report.Read += f.Size
	c.report.Reused += res.Stats.Reused
	c.report.Stored += res.Stats.Stored
	if c.progress != nil {
		n := res.Stats
		n.Read = f.Size
		c.progress(ref, f.Size, n, true)
	}
	return m, nil
}
