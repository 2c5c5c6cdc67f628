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
	// Progress is called as the collection goes on: Progress.Ref says what it is
	// at, Done counts the bytes of registers or packs that it has looked at. nil:
	// that of the registry's Options.
	Progress func(Progress)
}

// GCReport is what a garbage collection has found and freed.
type GCReport struct {
	DryRun  bool      `json:"dryRun,omitzero"` // nothing was changed; "freed" is what would be
	Started time.Time `json:"started"`         // by the store's clock; ages are judged by it
	Seconds float64   `json:"seconds"`         // how long it took

	Versions GCVersions `json:"versions"`
	Listings int        `json:"listings"` // of all versions, until one showed nothing new
	Eras     GCEras     `json:"eras"`

	Total      GCAmount `json:"total"`      // packs found
	Live       GCAmount `json:"live"`       // of these, kept because live versions name them,
	Tombstones GCAmount `json:"tombstones"` // because only recently deleted versions do,
	Purged     GCAmount `json:"purged"`     // because only recently purged versions do, on which saves under way may build,
	Young      GCAmount `json:"young"`      // because nothing names them but a save may be about to,
	Retained   GCAmount `json:"retained"`   // because the store refused to delete them;
	Freed      GCAmount `json:"freed"`      // deleted

	Missing   int           `json:"missing,omitzero"`    // packs that live versions name and the store does not list; see Verify
	Strangers []string      `json:"strangers,omitempty"` // keys that no registry has, such as files of other programs, at most 100; they are left alone
	Leftovers store.Cleaned `json:"leftovers"`           // of killed writers, removed
}

// GCVersions counts versions.
type GCVersions struct {
	Live    int `json:"live"`
	Deleted int `json:"deleted"` // recently: they may come back
	Purged  int `json:"purged"`  // deleted for good, by Purge or longer ago: only their numbers are kept
	Waiting int `json:"waiting"` // of Purged, those purged so recently that their packs are kept
	Purging int `json:"purging"` // of Purged, those whose manifests this run removed
}

// GCEras counts the eras that have packs.
type GCEras struct {
	Total  int `json:"total"`
	Closed int `json:"closed"` // over for so long that what nothing names is freed
}

// GCAmount is a number of packs, and their bytes.
type GCAmount struct {
	Packs int   `json:"packs"`
	Bytes int64 `json:"bytes"`
}

// GC frees the packs that no version names any more, and reduces the registers
// of versions that can no longer be brought back to what they were called.
// It may run at any time, beside everything else and beside other collections.
//
// What was deleted is freed R+W+ε after it was deleted (some eight days), and
// not before its era, a week, has been over for W+ε (some day). What was purged
// is freed W+ε after it was purged, and not before that either.
//
// It reads every register of the registry. One that cannot be read, a key that
// may be that of a register, though of no version, or a feature that this
// program does not know, ends it before anything is deleted: what is not
// understood may name any pack. Other keys that do not belong there are passed
// over, and told.
// The report is returned in any case.
func (r *Registry) GC(ctx context.Context, opts *GCOptions) (*GCReport, error) {
	o := value(opts)
	report, err := gc.Run(store.Freeing(ctx), r.ledger, o.DryRun, func(what string, done int64, finished bool) {
		if tell := r.progressOr(o.Progress); tell != nil {
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
