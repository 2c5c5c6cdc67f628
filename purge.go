package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// PurgeOptions adjust Purge. nil means the zero value.
type PurgeOptions struct {
	Force   bool // purge live versions that have tags too, and remove the tags
	Deleted bool // purge only what is deleted already, and leave live versions alone
	DryRun  bool // change nothing: the report says what would be purged
}

// PurgeReport is what Purge did.
type PurgeReport struct {
	DryRun bool            `json:"dryRun,omitzero"` // nothing was changed; "purged" is what would be
	Purged []PurgedVersion `json:"purged"`
	Before int             `json:"before"`        // versions that were deleted for good before
	Left   int             `json:"left,omitzero"` // remains of saves that failed with ErrTooSlow, which an unversioned registry keeps
}

// PurgedVersion is a version that Purge has deleted for good.
type PurgedVersion struct {
	Name    string    `json:"name"`
	Version Version   `json:"version"`
	Size    int64     `json:"size"`  // of its files, in bytes; what is freed depends on what others share
	Live    bool      `json:"live"`  // it was, until then
	Frees   time.Time `json:"frees"` // a collection that begins later frees what nothing else needs
}

// Purge deletes versions for good: nothing brings them back, and their space is
// free much sooner than after Delete. ref means one version ("my:model@1.2.3",
// live or deleted, or "my:model@latest"), or all in a range, live and deleted
// ("my:model@<2", "my:model@*"). A name alone is refused. In an unversioned
// registry older versions go with a live one, as with Delete.
//
// What a version was called, its digest and its size stay; its metadata and the
// names of its files are gone from its register at once. Its data is freed by
// the first collection that begins after PurgedVersion.Frees, as far as no other
// version has the same: a window and a margin (25 hours) after the purge, since
// saves under way may build on it, and not before the era of its packs (a week)
// has been over for as long. So that is about a day for old data, and up to
// eight days for what was saved just now. Copies in other registries, and in
// caches, are not touched.
//
// It may be repeated: versions that were purged before, or deleted long ago,
// are counted in PurgeReport.Before. One in a range whose register is damaged,
// or of a newer format, is left alone, and the others are purged; the error,
// which is ErrIntegrity or ErrNewer, names it. If a live version has a tag,
// nothing is purged and the error is ErrTagged, unless Force is set. ErrConflict
// means that a version was brought back meanwhile. When Purge fails half-way,
// the report says what was purged until then.
func (r *Registry) Purge(ctx context.Context, ref string, opts *PurgeOptions) (*PurgeReport, error) {
	p := &purging{r: r, report: PurgeReport{Purged: []PurgedVersion{}}}
	if opts != nil {
		p.o = *opts
	}
	p.report.DryRun = p.o.DryRun
	ctx = store.Freeing(ctx)
	err := p.run(ctx, ref)
	if !p.o.DryRun {
		if derr := r.ledger.DropTags(ctx, p.name, p.tried); derr != nil {
			err = errors.Join(err, derr)
		}
	}
	return &p.report, wrap(ctx, OpPurge, ref, err)
}

type purging struct {
	r      *Registry
	o      PurgeOptions
	report PurgeReport
	name   string
	tried  []Version
}

func (p *purging) run(ctx context.Context, s string) error {
	ref, err := ledger.ParseRef(s)
	if err != nil {
		return err
	}
	p.name = ref.Name
	switch {
	case ref.Selector == "":
		return fmt.Errorf("%w: say which version; %s@latest for the latest, '%s@*' for all of them, deleted ones too", ErrInvalidRef, ref.Name, ref.Name)
	case ref.Kind == ledger.ByRange:
		return p.some(ctx, ref)
	case ref.Kind == ledger.ByVersion:
		f, err := p.r.ledger.Read(ctx, ref.Name, ref.Version)
		if err == nil && f.State == manifest.Live && p.o.Deleted {
			err = fmt.Errorf("version %s is not deleted", f.Version)
		}
		if err != nil {
			return err
		}
		return p.one(ctx, f)
	case p.o.Deleted:
		return fmt.Errorf("%w: of deleted versions, say the number, as in %s@1.0.0, or a range", ErrInvalidRef, ref.Name)
	}
	f, err := p.r.ledger.Resolve(ctx, ref)
	if err != nil {
		return err
	}
	return p.one(ctx, f)
}

// one purges one version, and if it is live in an unversioned registry those
// below it first: otherwise the object would be one of them again.
func (p *purging) one(ctx context.Context, f *ledger.Record) error {
	if f.State == manifest.Live {
		if err := p.checkTagged(ctx, f.Version); err != nil {
			return err
		}
		if p.r.ledger.Settings.Unversioned {
			below, err := p.r.ledger.LiveBelow(ctx, f.Name, f.Version)
			if err != nil {
				return err
			}
			for _, f := range below {
				if err := p.purge(ctx, f); err != nil {
					return err
				}
			}
		}
	}
	return p.purge(ctx, f)
}

// some purges the versions in a range.
func (p *purging) some(ctx context.Context, ref ledger.Ref) error {
	all, err := p.r.ledger.Numbers(ctx, ref.Name)
	if err != nil {
		return err
	}
	versions := ledger.Candidates(all, ref)
	if len(versions) == 0 {
		return p.r.ledger.NoMatch(ref, all)
	}
	if !p.o.Deleted {
		if err := p.checkTagged(ctx, versions...); err != nil {
			return err
		}
	}
	slices.SortFunc(versions, Version.Compare)
	if p.r.ledger.Settings.Unversioned && !p.o.Deleted { // the lower ones go with the higher, and before them
		i, _ := slices.BinarySearchFunc(all, versions[len(versions)-1], Version.Compare)
		versions = all[:i+1]
	}
	var bad []error
	for _, v := range versions {
		f, err := p.r.ledger.Read(ctx, ref.Name, v)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if ledger.IsUnreadable(err) {
			bad = append(bad, fmt.Errorf("version %s: %w", v, err))
			continue
		}
		if err == nil {
			err = p.purge(ctx, f)
		}
		if err != nil {
			return errors.Join(append(bad, err)...)
		}
	}
	return errors.Join(bad...)
}

func (p *purging) checkTagged(ctx context.Context, versions ...Version) error {
	if p.o.Force {
		return nil
	}
	return p.r.ledger.CheckTagged(ctx, p.name, versions)
}

// purge turns a register into one that is deleted for good. If somebody else
// deletes the version meanwhile, that is purged in its place.
func (p *purging) purge(ctx context.Context, f *ledger.Record) error {
	for was := f.State; ; {
		switch {
		case f.State == manifest.Purged:
			p.report.Before++
			p.tried = append(p.tried, f.Version)
			return store.Flush(ctx, p.r.ledger.Store, manifest.VersionKey(f.Name, f.Version))
		case f.State == manifest.Live && p.o.Deleted:
			return nil
		case f.State == manifest.Live && was != manifest.Live:
			return fmt.Errorf("version %s: %w: it was brought back", f.Version, ErrConflict)
		case f.Late() && p.r.ledger.Settings.Unversioned:
			p.report.Left++ // it says that what is below it counts
			return nil
		}
		now, err := p.r.ledger.Clock.Fresh(ctx, p.r.ledger.Store, time.Minute)
		if err != nil {
			return err
		}
		died := f.Stored.Modified
		if f.State == manifest.Live {
			died = now
		}
		m := f.Purging(died)
		done := PurgedVersion{Name: f.Name, Version: f.Version, Size: f.Size, Live: f.State == manifest.Live, Frees: p.frees(f, now)}
		if !p.o.DryRun {
			p.tried = append(p.tried, f.Version)
			g, err := p.r.ledger.Replace(ctx, f, m)
			if errors.Is(err, ErrConflict) {
				if f, err = p.r.ledger.Read(ctx, f.Name, f.Version); err == nil {
					continue
				}
			}
			if err != nil {
				return err
			}
			done.Frees = p.frees(f, g.Stored.Modified)
			p.r.ledger.Log.InfoContext(ctx, "purged", "name", f.Name, "version", f.Version)
		}
		p.report.Purged = append(p.report.Purged, done)
		return nil
	}
}

// frees returns after when a collection may free the packs of a version that
// is purged at a time.
func (p *purging) frees(f *ledger.Record, purged time.Time) time.Time {
	t := p.r.ledger.Settings.Times
	end := purged
	for _, k := range f.Packs() {
		if e := t.EraEnd(k.Era); e.After(end) {
			end = e
		}
	}
	if e := t.EraEnd(t.EraOf(purged)); f.Table != nil && e.After(end) {
		end = e // it is not read for this; its packs are no younger
	}
	return end.Add(t.WindowD() + t.MarginD()).UTC()
}
