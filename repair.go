package registry

import (
	"context"

	"github.com/mindtrace/registry/internal/fsck"
)

// RepairReport says what Repair found and restored.
type RepairReport struct {
	Found    VerifyReport `json:"found"`            // what Verify reports before the repair
	Packs    []string     `json:"packs"`            // keys of the packs that were restored
	Versions []string     `json:"versions"`         // name@version of the registers that were restored
	Mended   []string     `json:"mended,omitempty"` // keys of tags that were restored, locks that were released, and milestones and collection markers that were removed
	Problems []Problem    `json:"problems"`         // what could not be repaired
}

// OK reports whether no problem is left.
func (r *RepairReport) OK() bool { return len(r.Problems) == 0 }

// RepairOptions adjust Repair. nil means the zero value.
type RepairOptions struct {
	Progress func(Progress) // called as data moves; nil: Options.Progress of the registry
}

// Repair verifies the versions that ref means, as Verify does, and restores damaged
// and missing data from another registry. That may be a copy of this registry, or
// one that has versions with the same digests under any names.
//
// Repair writes only data with the digests that the versions here name. If the
// register of a version is damaged, Repair takes it from the version of the same
// name and number in the other registry. It restores a damaged tag if it points
// there at a version that is the same here. It releases damaged locks, and removes
// wrong milestones and damaged collection markers, since no data depends on them.
//
// The report lists the problems that are left. An error means that the check or the
// repair could not be finished.
func (r *Registry) Repair(ctx context.Context, ref string, from *Registry, opts *RepairOptions) (*RepairReport, error) {
	done, err := fsck.Repair(ctx, r.ledger, from.ledger, ref, verifyProgress(progressOr(value(opts).Progress, r.progress), ref))
	report := &RepairReport{
		Packs: append([]string{}, done.Packs...), Versions: append([]string{}, done.Versions...), Mended: append([]string{}, done.Mended...),
		Problems: problems(done.Problems),
	}
	if done.Found != nil {
		report.Found = *verifyReport(done.Found)
	}
	return report, wrap(ctx, OpRepair, ref, err)
}
