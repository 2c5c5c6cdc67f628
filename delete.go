package registry

import (
	"context"
	"errors"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/store"
)

// DeleteOptions adjust Delete. nil means the zero value.
type DeleteOptions struct {
	Force  bool // delete versions that have tags too, and remove the tags
	DryRun bool // change nothing: the report says what would be deleted
}

// DeleteReport is what Delete did.
type DeleteReport struct {
	DryRun  bool      `json:"dryRun,omitzero"` // nothing was changed; "deleted" is what would be
	Deleted []Version `json:"deleted"`
}

// Delete deletes the versions that ref means: one version
// ("my:model@1.2.3", "my:model@latest"), or all in a range ("my:model@<2",
// "my:model@*"). A name alone is refused. The report names the versions deleted,
// also when it fails half-way.
//
// A version in a range whose register is damaged, or of a newer format, is left
// alone, and the others are deleted; the error, which is ErrIntegrity or
// ErrNewer, names it. In an unversioned registry older versions that a save
// has left behind are deleted too.
//
// A deleted version can be brought back with Undelete for a week. Its number
// is never used again. Its data is freed by garbage collection, some time
// later.
//
// If one of the versions has a tag, nothing is deleted and the error is
// ErrTagged, unless DeleteOptions.Force is set: then the tags are removed. So is a tag
// that is set at the same moment. Undelete does not bring tags back.
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
	DryRun bool // change nothing, and only say whether the version can come back
}

// UndeleteReport is what Undelete did.
type UndeleteReport struct {
	DryRun  bool    `json:"dryRun,omitzero"` // nothing was changed
	Name    string  `json:"name"`
	Version Version `json:"version"`
	Digest  string  `json:"digest"` // "sha256:..."
}

// Undelete brings a deleted version back. It takes an exact version, and works
// for a week after the deletion. In an unversioned registry only the highest
// version can come back. One whose save failed with ErrTooSlow cannot; one that
// is live still, though saved or brought back too late, is ErrTooSlow itself.
func (r *Registry) Undelete(ctx context.Context, ref string, opts *UndeleteOptions) (*UndeleteReport, error) {
	o := value(opts)
	f, err := r.ledger.Undelete(ctx, ref, o.DryRun)
	if err != nil {
		return nil, wrap(ctx, OpUndelete, ref, err)
	}
	return &UndeleteReport{o.DryRun, f.Name, f.Version, f.Digest.String()}, nil
}
