package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// PruneOptions say which versions Prune keeps. At least one rule is needed. Prune
// keeps a version that at least one rule keeps.
type PruneOptions struct {
	KeepLast   int           // rule: keep this many of the highest versions of each object
	KeepWithin time.Duration // rule: keep versions that were saved within this time before now
	KeepTagged bool          // rule: keep versions that a tag points at

	Names  []string // of the objects to prune; nil: all objects whose name starts with Prefix
	Prefix string   // of names; it contradicts Names
	DryRun bool     // change nothing: the report says what would be deleted
}

// PruneReport says what Prune did.
type PruneReport struct {
	DryRun  bool     `json:"dryRun,omitzero"` // nothing was changed; Deleted lists what would be deleted
	Kept    int      `json:"kept"`            // number of versions that are kept
	Deleted []Pruned `json:"deleted"`         // by name and version
}

// Pruned is a version that Prune deleted.
type Pruned struct {
	Name    string  `json:"name"`
	Version Version `json:"version"`
	Size    int64   `json:"size"` // of its files, in bytes; GC frees only what no other version needs
}

// Prune deletes the versions that no rule keeps, as Delete does: Undelete can bring
// them back for a week, and GC frees their data after eight days. It never deletes
// the latest version of an object: the highest release, or the highest pre-release
// if there is no release.
//
// If a register of an object cannot be read, Prune leaves the object as it is, since
// the rules may need that register, and prunes the others.
//
// Errors: an *UnreadableError for each object that was left, joined. ErrTagged if no
// rule keeps a version that has a tag: Prune ends, and leaves its object as it is.
// Others are those of Delete. With an error too, the report says what was deleted.
func (r *Registry) Prune(ctx context.Context, opts *PruneOptions) (*PruneReport, error) {
	o := value(opts)
	p := &pruning{r: r, o: o, report: PruneReport{DryRun: o.DryRun, Deleted: []Pruned{}}}
	return &p.report, wrap(ctx, OpPrune, "", p.run(store.Freeing(ctx)))
}

// check refuses options that say nothing, or contradict each other.
func (o *PruneOptions) check() error {
	switch {
	case o.KeepLast < 0 || o.KeepWithin < 0:
		return errors.New("the number of versions to keep, and the length of time, cannot be negative")
	case o.KeepLast == 0 && o.KeepWithin == 0 && !o.KeepTagged:
		return errors.New("say what to keep: the last versions, those of a length of time, or those with a tag")
	case len(o.Names) > 0 && o.Prefix != "":
		return errors.New("give names or a prefix, not both")
	}
	for _, name := range o.Names {
		if err := manifest.ValidName(name); err != nil {
			return err
		}
	}
	return nil
}

// pruning is one Prune under way.
type pruning struct {
	r      *Registry
	o      PruneOptions
	now    time.Time
	report PruneReport

	refused ledger.Unreadables // objects with something that cannot be read or deleted
}

func (p *pruning) run(ctx context.Context) error {
	if err := p.o.check(); err != nil {
		return err
	}
	var err error
	if p.now, err = p.r.ledger.Clock.Fresh(ctx, p.r.ledger.Store, time.Minute); err != nil {
		return err
	}
	if len(p.o.Names) > 0 {
		err = p.named(ctx)
	} else {
		err = p.prefixed(ctx)
	}
	if err != nil {
		return err
	}
	return p.refused.Err()
}

// named prunes the objects that the caller names.
func (p *pruning) named(ctx context.Context) error {
	for i, name := range p.o.Names {
		if slices.Contains(p.o.Names[:i], name) {
			continue // already pruned
		}
		if err := p.object(ctx, name); err != nil && !p.refused.Pass(err) {
			return err
		}
	}
	return nil
}

// prefixed prunes all objects with the prefix.
func (p *pruning) prefixed(ctx context.Context) (err error) {
	p.r.ledger.Objects(ctx, p.o.Prefix, func(o ledger.Listed, oerr error) bool {
		if err = cmp.Or(oerr, o.Err); err == nil {
			err = p.object(ctx, o.Name)
		}
		if errors.Is(err, ErrNotFound) || p.refused.Pass(err) {
			err = nil // it has no live version, or it is left as it is
		}
		return err == nil
	})
	return err
}

// object prunes one object.
func (p *pruning) object(ctx context.Context, name string) error {
	var live []Info // ascending
	for info, err := range p.r.Versions(ctx, name) {
		if err != nil {
			return err
		}
		live = append(live, info)
	}
	drop, err := p.choose(ctx, name, live)
	if err != nil {
		return err
	}
	p.report.Kept += len(live) - len(drop)
	for _, info := range drop {
		err := p.drop(ctx, info)
		if errors.Is(err, ErrNotFound) {
			continue // another process has deleted it
		}
		if err != nil {
			return err
		}
		p.report.Deleted = append(p.report.Deleted, Pruned{info.Name, info.Version, info.Size})
	}
	return nil
}

// drop deletes one version, unless this is a dry run.
func (p *pruning) drop(ctx context.Context, info Info) error {
	if p.o.DryRun {
		return nil
	}
	_, err := p.r.Delete(ctx, info.Ref(), nil)
	if !errors.Is(err, ErrNotFound) && ledger.IsOfOneKey(ctx, err) && errors.Is(err, fs.ErrPermission) {
		return ledger.NewUnreadable(manifest.VersionKey(info.Name, info.Version), info.Ref(), err)
	}
	return err
}

// choose returns the versions of an object that no rule keeps.
func (p *pruning) choose(ctx context.Context, name string, live []Info) ([]Info, error) {
	tagged, err := p.r.taggedVersions(ctx, name)
	if err != nil {
		return nil, err
	}
	numbers := make([]Version, len(live))
	for i := range live {
		numbers[i] = live[i].Version
	}
	latest := ledger.Candidates(numbers, ledger.Ref{})[0]
	var drop []Info
	for i, info := range live {
		tags := tagged[info.Version]
		switch {
		case info.Version == latest:
		case len(live)-i <= p.o.KeepLast:
		case p.o.KeepWithin > 0 && p.now.Sub(info.Created) <= p.o.KeepWithin:
		case p.o.KeepTagged && len(tags) > 0:
		case len(tags) > 0:
			return nil, fmt.Errorf("%s %w %s: keep tagged versions, or remove the tag", info.Ref(), ErrTagged, strings.Join(tags, ", "))
		default:
			drop = append(drop, info)
		}
	}
	return drop, nil
}

// taggedVersions returns the tags of an object, by the versions that they point at.
func (r *Registry) taggedVersions(ctx context.Context, name string) (map[Version][]string, error) {
	tagged := map[Version][]string{}
	if r.ledger.Settings.Unversioned {
		return tagged, nil // it has no tags
	}
	for t, err := range r.Tags(ctx, name) {
		if err != nil {
			return nil, err
		}
		tagged[t.Version] = append(tagged[t.Version], t.Tag)
	}
	return tagged, nil
}
