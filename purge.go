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
	Force   bool // purge live versions with tags too, and remove the tags
	Deleted bool // purge only versions that are deleted already, and leave live ones alone
	DryRun  bool // change nothing: the report says what would be purged
}

// PurgeReport says what Purge did.
type PurgeReport struct {
	DryRun bool            `json:"dryRun,omitzero"` // nothing was changed; Purged lists what would be purged
	Purged []PurgedVersion `json:"purged"`
	Before int             `json:"before"`        // number of versions that were deleted for good before
	Left   int             `json:"left,omitzero"` // number of saves that failed with ErrTooSlow; an unversioned registry keeps what they left
}

// PurgedVersion is a version that Purge deleted for good.
type PurgedVersion struct {
	Name    string    `json:"name"`
	Version Version   `json:"version"`
	Size    int64     `json:"size"`  // of its files, in bytes; GC frees only what no other version needs
	Live    bool      `json:"live"`  // it was live before
	Frees   time.Time `json:"frees"` // a GC that begins after this time frees its data
}

// Purge deletes versions for good: nothing brings them back, and their data is freed
// much earlier than after Delete. ref means one version ("my:model@1.2.3", live or
// deleted, or "my:model@latest"), or all in a range, live and deleted ("my:model@<2",
// "my:model@*"). Purge refuses a name alone. In an unversioned registry it also
// purges the versions below a live one.
//
// The name, number, digest and size of a version stay. Its metadata and the names of
// its files are removed from its register at once. The first GC that begins after
// PurgedVersion.Frees frees its data, except for what other versions need. That is
// 25 hours after the purge, since a running save may reuse the data, and at least 25
// hours after the end of the week in which the data was stored: a day for old data,
// and up to eight days for new data. Purge does not touch copies in other registries
// and in caches.
//
// Purge may be repeated. PurgeReport.Before counts the versions that were purged
// before or deleted more than a week ago.
//
// Errors: ErrTagged if a live version has a tag and Force is not set; then nothing is
// purged. ErrConflict if a version is brought back meanwhile. ErrIntegrity or
// ErrNewer if a register in the range is damaged or of a newer format; Purge leaves
// that version alone and purges the others. ErrNotFound, ErrInvalidRef,
// ErrOutcomeUnknown, and those of the store. With an error too, the report says what
// was purged.
func (r *Registry) Purge(ctx context.Context, ref string, opts *PurgeOptions) (*PurgeReport, error) {
	o := value(opts)
	p := &purging{r: r, o: o, report: PurgeReport{DryRun: o.DryRun, Purged: []PurgedVersion{}}}
	ctx = store.Freeing(ctx)
	err := p.run(ctx, ref)
	if !o.DryRun {
		if derr := r.ledger.DropTags(ctx, p.name, p.tried); derr != nil {
			err = errors.Join(err, derr)
		}
	}
	return &p.report, wrap(ctx, OpPurge, ref, err)
}

// purging is one Purge under way.
type purging struct {
	r      *Registry
	o      PurgeOptions
	report PurgeReport
	name   string
	tried  []Version // versions that are purged, or may be; their tags go
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
	case ref.Kind != ledger.ByVersion && p.o.Deleted:
		return fmt.Errorf("%w: a deleted version needs its number, as in %s@1.0.0, or a range", ErrInvalidRef, ref.Name)
	}
	var f *ledger.Record
	if ref.Kind == ledger.ByVersion {
		f, err = p.r.ledger.Read(ctx, ref.Name, ref.Version)
	} else {
		f, err = p.r.ledger.Resolve(ctx, ref)
	}
	if err != nil {
		return err
	}
	if f.State == manifest.Live && p.o.Deleted {
		return fmt.Errorf("version %s is not deleted", f.Version)
	}
	return p.one(ctx, f)
}

// one purges one version. If it is live in an unversioned registry, those below it
// are purged first: otherwise one of them would become the object again.
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
	if p.r.ledger.Settings.Unversioned && !p.o.Deleted { // with the lower ones, and those first
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

// checkTagged refuses versions that have a tag, unless Force is set.
func (p *purging) checkTagged(ctx context.Context, versions ...Version) error {
	if p.o.Force {
		return nil
	}
	return p.r.ledger.CheckTagged(ctx, p.name, versions)
}

// purge purges one version. If another process deletes the version at the same
// moment, it purges the deleted version.
func (p *purging) purge(ctx context.Context, f *ledger.Record) error {
	for was := f.State; ; {
		if skip, err := p.skip(ctx, f, was); skip || err != nil {
			return err
		}
		now, err := p.r.ledger.Clock.Fresh(ctx, p.r.ledger.Store, time.Minute)
		if err != nil {
			return err
		}
		err = p.replace(ctx, f, now)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		if f, err = p.r.ledger.Read(ctx, f.Name, f.Version); err != nil {
			return err
		}
	}
}

// skip reports whether a version stays as it is, and counts it. was is its state when
// it was read first.
func (p *purging) skip(ctx context.Context, f *ledger.Record, was manifest.State) (bool, error) {
	switch {
	case f.State == manifest.Purged:
		p.report.Before++
		p.tried = append(p.tried, f.Version)
		return true, store.Flush(ctx, p.r.ledger.Store, manifest.VersionKey(f.Name, f.Version))
	case f.State == manifest.Live && p.o.Deleted:
		return true, nil
	case f.State == manifest.Live && was != manifest.Live:
		return true, fmt.Errorf("version %s: %w: it was brought back", f.Version, ErrConflict)
	case f.Late() && p.r.ledger.Settings.Unversioned:
		p.report.Left++ // if it were purged, it would hide the versions below it
		return true, nil
	}
	return false, nil
}

// replace replaces the register of a version by one that is deleted for good, unless
// this is a dry run. If the register has changed meanwhile, the error is ErrConflict.
func (p *purging) replace(ctx context.Context, f *ledger.Record, now time.Time) error {
	died := f.Stored.Modified
	if f.State == manifest.Live {
		died = now
	}
	done := PurgedVersion{Name: f.Name, Version: f.Version, Size: f.Size, Live: f.State == manifest.Live, Frees: p.frees(f, now)}
	if !p.o.DryRun {
		p.tried = append(p.tried, f.Version)
		g, err := p.r.ledger.Replace(ctx, f, f.Purging(died))
		if err != nil {
			return err
		}
		done.Frees = p.frees(f, g.Stored.Modified)
		p.r.ledger.Log.InfoContext(ctx, "purged", "name", f.Name, "version", f.Version)
	}
	p.report.Purged = append(p.report.Purged, done)
	return nil
}

// frees returns the time after which a collection may free the packs of a version
// that is purged at the given time.
func (p *purging) frees(f *ledger.Record, purged time.Time) time.Time {
	t := p.r.ledger.Settings.Times
	end := purged
	for _, k := range f.Packs() {
		if e := t.EraEnd(k.Era); e.After(end) {
			end = e
		}
	}
	if e := t.EraEnd(t.EraOf(purged)); f.Table != nil && e.After(end) {
		end = e // the packs in the table are not read for this; they are not younger
	}
	return end.Add(t.WindowD() + t.MarginD()).UTC()
}
