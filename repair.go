package registry

import (
	"context"

	"github.com/mindtrace/registry/internal/fsck"
)

// RepairReport is what Repair has found and done.
type RepairReport struct {
	Found    VerifyReport `json:"found"`    // before
	Packs    []string     `json:"packs"`    // keys of packs restored
	Versions []string     `json:"versions"` // name@version of registers restored
	Mended   []string     `json:"mended"`   // keys of tags restored, of locks set free, of milestones and markers of collections removed
	Problems []Problem    `json:"problems"` // that are left
}

// OK reports whether nothing is wrong any more.
func (r *RepairReport) OK() bool { return len(r.Problems) == 0 }

// RepairOptions adjust Repair. nil means the zero value.
type RepairOptions struct {
	Progress func(Progress) // called as data moves; nil: that of the registry's Options
}

// Repair verifies the versions that ref means, as Verify does, and restores
// what is damaged or missing from another registry: a copy of this one, or one
// that holds versions of the same digests, under whatever names.
//
// A damaged tag is restored as it is in the mirror, if it points at a version that
// is the same here. A damaged lock is set free; milestones that lie, and damaged markers of
// collections, are removed: nothing depends on them.
//
// Nothing is taken on trust: what is written has the digests that the
// versions here name. Only where a version's own register is damaged does the
// mirror's version of the same name and number say what it was. What could not
// be repaired is in the report's Problems.
func (r *Registry) Repair(ctx context.Context, ref string, from *Registry, opts *RepairOptions) (*RepairReport, error) {
	done, err := fsck.Repair(ctx, r.ledger, from.ledger, ref, verifyProgress(r.progressOr(value(opts).Progress), ref))
	report := &RepairReport{
		Packs: append([]string{}, done.Packs...), Versions: append([]string{}, done.Versions...), Mended: append([]string{}, done.Mended...),
		Problems: problems(done.Problems),
	}
	if done.Found != nil {
		report.Found = *verifyReport(done.Found)
	}
	return report, wrap(ctx, OpRepair, ref, err)
}
