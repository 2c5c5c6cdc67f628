package registry

import (
	"context"

	"github.com/mindtrace/registry/internal/tree"
)

// CleanOptions adjust Clean. nil means the zero value.
type CleanOptions struct {
	DryRun bool // change nothing: the report says what would be removed
}

// Leftover is a directory that an interrupted load has left beside its
// destination.
type Leftover struct {
	Path string `json:"path"`
	Size int64  `json:"size"`          // in bytes on the disk, without files that cannot be read
	Kept string `json:"kept,omitzero"` // why it was not removed; "" if it was
}

// CleanReport says what Clean found and removed.
type CleanReport struct {
	DryRun    bool       `json:"dryRun,omitzero"` // nothing was changed; "leftovers" without "kept" would be removed
	Leftovers []Leftover `json:"leftovers"`       // in the order of their paths
}

// Clean removes the leftovers of interrupted loads from a directory: the
// directories in it whose names begin with ".mindreg-". It does not look into
// other directories. It keeps what belongs to another user or to a load that
// still runs, and the report says why. A load that could have resumed from a
// removed leftover starts from the beginning.
//
// Errors: those of reading dir. The report lists what could not be removed.
func Clean(ctx context.Context, dir string, opts *CleanOptions) (*CleanReport, error) {
	o := value(opts)
	report := &CleanReport{DryRun: o.DryRun, Leftovers: []Leftover{}}
	err := tree.Clean(ctx, dir, o.DryRun, func(l tree.Leftover) { report.Leftovers = append(report.Leftovers, Leftover(l)) })
	if err != nil {
		return nil, wrap(ctx, OpClean, "", err)
	}
	return report, nil
}
