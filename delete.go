package registry

import (
	"context"
	"errors"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/store"
)

// DeleteOptions adjust Delete. nil means the zero value.
type DeleteOptions struct {
	Force  bool // delete versions with tags too, and remove the tags
	DryRun bool // change nothing: the report says what would be deleted
}

// DeleteReport says what Delete did.
type DeleteReport struct {
	DryRun  bool      `json:"dryRun,omitzero"` // nothing was changed; Deleted lists what would be deleted
	Deleted []Version `json:"deleted"`
}

// Delete deletes the versions that ref means: one version ("my:model@1.2.3",
// "my:model@latest"), or all in a range ("my:model@<2", "my:model@*"). It refuses
// a name alone. In an unversioned registry it also deletes the older versions
// that a save has left behind.
//
// Undelete can bring a deleted version back for a week. GC frees the data after
// eight days. The number is never used again.
//
// Delete removes the tags of the versions, also those that are set at the same
// moment. Undelete does not set them again.
//
// Errors: ErrTagged if a version has a tag and Force is not set; then nothing is
// deleted. ErrIntegrity or ErrNewer if a register in the range is damaged or of
// a newer format; Delete leaves that version alone and deletes the others.
// ErrNotFound, ErrDeleted, ErrInvalidRef, ErrOutcomeUnknown, and those of the
// store. With an error too, the report says what was deleted.
func (r *Registry) Delete(ctx context.Context, ref string, opts *DeleteOptions) (*DeleteReport, error) {
	o := value(opts)
	ctx = store.Freeing(ctx)
	var name string
	var tried []Version
	done, err := r.ledger.Delete(ctx, ref, o.Force, func(f *ledger.Record) error {
		if o.DryRun {
			return nil
		}
		name, tried = f.Name, append(tried, f.Version)
		_, err := r.ledger.Bury(ctx, f)
		return err
	})
	if derr := r.ledger.DropTags(ctx, name, tried); derr != nil {
		err = errors.Join(err, derr)
	}
	if done == nil {
		done = []Version{}
	}
	return &DeleteReport{o.DryRun, done}, wrap(ctx, OpDelete, ref, err)
}

// UndeleteOptions adjust Undelete. nil means the zero value.
type UndeleteOptions struct {
	DryRun bool // change nothing: only check that the version can be brought back
}

// UndeleteReport says what Undelete did.
type UndeleteReport struct {
	DryRun  bool    `json:"dryRun,omitzero"` // nothing was changed; the version can be brought back
	Name    string  `json:"name"`
	Version Version `json:"version"`
	Digest  string  `json:"digest"` // "sha256:..."
}

// Undelete brings a deleted version back, for a week after it was deleted. ref
// means one version by its number. In an unversioned registry only the highest
// version can be brought back.
//
// Errors: ErrDeleted if the version was deleted more than a week ago, ErrPurged
// if it was deleted for good, ErrNotFound, ErrInvalidRef, ErrOutcomeUnknown, and
// those of the store.
// ErrTooSlow if the version is live, but was saved or brought back too late to be
// safe. A version whose save failed with ErrTooSlow cannot be brought back.
func (r *Registry) Undelete(ctx context.Context, ref string, opts *UndeleteOptions) (*UndeleteReport, error) {
	o := value(opts)
	f, err := r.ledger.Undelete(ctx, ref, o.DryRun)
	if err != nil {
		return nil, wrap(ctx, OpUndelete, ref, err)
	}
	return &UndeleteReport{o.DryRun, f.Name, f.Version, f.Digest.String()}, nil
}
