package registry

import (
	"context"

	"github.com/mindtrace/registry/internal/tree"
)

// CleanOptions adjust Clean. nil means the zero value.
type CleanOptions struct {
	DryRun bool // remove nothing, only tell
}

// Leftover is what a load that did not end has left beside its destination.
type Leftover struct {
	Path string `json:"path"`
	Size int64  `json:"size"`          // bytes on the disk, as far as they can be seen
	Kept string `json:"kept,omitzero"` // why it was not removed, or empty
}

// CleanReport tells what Clean has found, in the order of the paths.
type CleanReport struct {
	Leftovers []Leftover `json:"leftovers"`
}

// Clean removes from a directory what loads have left there that were
// interrupted and not run again: directories whose names begin with ".mindreg-".
// It does not look into other directories. What belongs to another user, or to a
// load that is going on, stays, and the report says so; a load that would have
// gone on from what is removed begins anew.
//
// Errors: those of reading dir. What cannot be removed is in the report.
func Clean(ctx context.Context, dir string, opts *CleanOptions) (*CleanReport, error) {
	var o CleanOptions
	if opts != nil {
		o = *opts
	}
	report := &CleanReport{Leftovers: []Leftover{}}
	err := tree.Clean(ctx, dir, o.DryRun, func(l tree.Leftover) { report.Leftovers = append(report.Leftovers, Leftover(l)) })
	if err != nil {
		return nil, wrap(ctx, OpClean, "", err)
	}
	return report, nil
}
