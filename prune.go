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

// PruneOptions say which versions Prune keeps: those that at least one rule
// keeps, and of every object the latest. At least one rule has to be given.
type PruneOptions struct {
	KeepLast   int           // rule: the highest so many versions of each object
	KeepWithin time.Duration // rule: versions saved in this time before now
	KeepTagged bool          // rule: versions that a tag points at

	Names  []string // of the objects concerned; none: all that start with Prefix
	Prefix string   // of names; with Names empty
	DryRun bool     // change nothing: the report says what would be deleted
}

// PruneReport is what Prune did.
type PruneReport struct {
	DryRun  bool     `json:"dryRun,omitzero"` // nothing was deleted, "deleted" is what would be
	Kept    int      `json:"kept"`            // versions
	Deleted []Pruned `json:"deleted"`         // by name and version
}

// Pruned is a version that Prune deleted.
type Pruned struct {
	Name    string  `json:"name"`
	Version Version `json:"version"`
	Size    int64   `json:"size"` // of its files, in bytes; what is freed later depends on what others share
}

// Prune deletes, as Delete does, the versions that no rule keeps: they can be
// brought back for a week, and GC frees them later. The latest version of an
// object — the highest release, or the highest pre-release where there is no
// release — is never deleted.
//
// An object of which a register cannot be read is left as it is, since what is
// to be kept cannot be told. The others are pruned all the same, and the error
// joins one for each of those left.
// When it fails half-way, the report says what was deleted until then.
func (r *Registry) Prune(ctx context.Context, opts *PruneOptions) (*PruneReport, error) {
	o := value(opts)
	p := &pruning{r: r, o: o, report: PruneReport{DryRun: o.DryRun, Deleted: []Pruned{}}}
	return &p.report, wrap(ctx, OpPrune, "", p.run(store.Freeing(ctx)))
}

type pruning struct {
	r      *Registry
	o      PruneOptions
	now    time.Time
	report PruneReport

	refused ledger.Unreadables // objects of which something cannot be read, or deleted
}

func (p *pruning) run(ctx context.Context) error {
	switch o := &p.o; {
	case o.KeepLast < 0 || o.KeepWithin < 0:
		return errors.New("a negative number of versions, or length of time, to keep")
	case o.KeepLast == 0 && o.KeepWithin == 0 && !o.KeepTagged:
		return errors.New("say what to keep: the last versions, those of a length of time, or those with a tag")
	case len(o.Names) > 0 && o.Prefix != "":
		return errors.New("give names or a prefix, not both")
	}
	for _, name := range p.o.Names {
		if err := manifest.ValidName(name); err != nil {
			return err
		}
	}
	var err error
	if p.now, err = p.r.ledger.Clock.Fresh(ctx, p.r.ledger.Store, time.Minute); err != nil {
		return err
	}
	for i, name := range p.o.Names {
		if slices.Contains(p.o.Names[:i], name) {
			continue // it was done
		}
		if err := p.object(ctx, name); err != nil && !p.refused.Pass(err) {
			return err
		}
	}
	if len(p.o.Names) > 0 {
		return p.refused.Err()
	}
	p.r.ledger.Objects(ctx, p.o.Prefix, func(o ledger.Listed, oerr error) bool {
		if err = cmp.Or(oerr, o.Err); err == nil {
			err = p.object(ctx, o.Name)
		}
		if errors.Is(err, ErrNotFound) || p.refused.Pass(err) {
			err = nil // all its versions are deleted, or it is left as it is
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	return p.refused.Err()
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
		if !p.o.DryRun {
			_, err := p.r.Delete(ctx, info.Ref(), nil)
			if errors.Is(err, ErrNotFound) {
				continue // somebody else was faster
			}
			if ledger.IsOfOneKey(ctx, err) && errors.Is(err, fs.ErrPermission) {
				return ledger.NewUnreadable(manifest.VersionKey(name, info.Version), info.Ref(), err)
			}
			if err != nil {
				return err
			}
		}
		p.report.Deleted = append(p.report.Deleted, Pruned{info.Name, info.Version, info.Size})
	}
	return nil
}

// choose returns those versions of an object that no rule keeps.
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
		keep := info.Version == latest ||
			len(live)-i <= p.o.KeepLast ||
			p.o.KeepWithin > 0 && p.now.Sub(info.Created) <= p.o.KeepWithin ||
			p.o.KeepTagged && len(tagged[info.Version]) > 0
		if keep {
			continue
		}
		if tags := tagged[info.Version]; len(tags) > 0 {
			return nil, fmt.Errorf("%s %w %s: keep tagged versions, or remove the tag", info.Ref(), ErrTagged, strings.Join(tags, ", "))
		}
		drop = append(drop, info)
	}
	return drop, nil
}

// taggedVersions returns the tags of an object by the version that they point
// at.
func (r *Registry) taggedVersions(ctx context.Context, name string) (map[Version][]string, error) {
	tagged := map[Version][]string{}
	if r.ledger.Settings.Unversioned {
		return tagged, nil // there are none
	}
	for t, err := range r.Tags(ctx, name) {
		if err != nil {
			return nil, err
		}
		tagged[t.Version] = append(tagged[t.Version], t.Tag)
	}
	return tagged, nil
}
