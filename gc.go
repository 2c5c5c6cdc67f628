package registry

import (
	"context"
	"time"

	"github.com/mindtrace/registry/internal/gc"
	"github.com/mindtrace/registry/store"
)

// GCOptions adjust GC. nil means the zero value.
type GCOptions struct {
	DryRun bool // change nothing: the report says what would be freed now
	// Progress is called as the collection goes on. Progress.Ref names the step,
	// Progress.Done counts the bytes of the registers or packs that were looked at.
	// nil: Options.Progress of the registry.
	Progress func(Progress)
}

// GCReport says what GC found and freed.
type GCReport struct {
	DryRun  bool      `json:"dryRun,omitzero"` // nothing was changed; Freed is what would be freed
	Started time.Time `json:"started"`         // by the store's clock; GC judges all ages by it
	Seconds float64   `json:"seconds"`         // how long it took

	Versions GCVersions `json:"versions"`
	Listings int        `json:"listings"` // how often GC listed all versions, until a listing showed nothing new
	Eras     GCEras     `json:"eras"`

	Total      GCAmount `json:"total"`      // all packs that were found; each is in one of the following
	Live       GCAmount `json:"live"`       // kept: live versions name them
	Tombstones GCAmount `json:"tombstones"` // kept: recently deleted versions name them
	Purged     GCAmount `json:"purged"`     // kept: recently purged versions name them, and a running save may reuse them
	Young      GCAmount `json:"young"`      // kept: no version names them yet, but a running save may
	Retained   GCAmount `json:"retained"`   // not needed, but the store refused to delete them
	Freed      GCAmount `json:"freed"`      // deleted

	Missing   int           `json:"missing,omitzero"`    // packs that live versions name and the store does not list; see Verify
	Strangers []string      `json:"strangers,omitempty"` // keys that do not belong to a registry, such as files of other programs; at most 100; GC leaves them alone
	Leftovers store.Cleaned `json:"leftovers"`           // temporary files of killed writers, removed
}

// GCVersions counts versions by their state.
type GCVersions struct {
	Live    int `json:"live"`
	Deleted int `json:"deleted"` // within a week: Undelete can bring them back
	Purged  int `json:"purged"`  // deleted for good, by Purge or more than a week ago
	Waiting int `json:"waiting"` // of Purged: purged so recently that their packs are kept
	Purging int `json:"purging"` // of Purged: GC removed the contents of their registers in this run
}

// GCEras counts the eras that have packs. An era is the week in which a pack was
// put.
type GCEras struct {
	Total  int `json:"total"`
	Closed int `json:"closed"` // over for so long that packs that no version names are freed
}

// GCAmount is a number of packs and their size.
type GCAmount struct {
	Packs int   `json:"packs"`
	Bytes int64 `json:"bytes"`
}

// GC frees the packs that no version needs any more. It also strips the registers
// of versions that cannot be brought back: their names, numbers, digests and
// sizes stay. It may run at any time, beside everything else and beside other
// collections.
//
// The packs of a deleted version are freed eight days after the delete: a week in
// which Undelete can bring it back, and about a day in which a running save may
// still reuse its packs. The packs of a purged version are freed about a day
// after the purge. A pack is never freed earlier than about a day after the end
// of its era, the week in which it was put. PurgedVersion.Frees has the exact
// time for a purged version.
//
// GC reads every register. It fails before it deletes anything if a register
// cannot be read, uses a feature that this program does not know, or may be one
// but belongs to no version: a register that GC does not understand may need any
// pack. The report lists other keys that do not belong to a registry. With an
// error too, the report says what was done.
func (r *Registry) GC(ctx context.Context, opts *GCOptions) (*GCReport, error) {
	o := value(opts)
	report, err := gc.Run(store.Freeing(ctx), r.ledger, o.DryRun, func(what string, done int64, finished bool) {
		if tell := progressOr(o.Progress, r.progress); tell != nil {
			tell(Progress{Op: OpGC, Ref: what, Done: done, Finished: finished})
		}
	})
	return &GCReport{
		DryRun: report.DryRun, Started: report.Started, Seconds: report.Seconds,
		Versions: GCVersions(report.Versions), Listings: report.Listings, Eras: GCEras(report.Eras),
		Total: GCAmount(report.Total), Live: GCAmount(report.Live), Tombstones: GCAmount(report.Tombstones),
		Purged: GCAmount(report.Purged), Young: GCAmount(report.Young), Retained: GCAmount(report.Retained), Freed: GCAmount(report.Freed),
		Missing: report.Missing, Strangers: report.Strangers, Leftovers: report.Leftovers,
	}, wrap(ctx, OpGC, "", err)
}
