package registry

import (
	"context"
	"fmt"

	"github.com/mindtrace/registry/internal/fsck"
)

// Problem is something that Verify found wrong.
type Problem struct {
	Key string `json:"key"`           // of the register concerned, or what begins those that cannot be read
	Ref string `json:"ref,omitempty"` // name@version, if it can be told
	Err error  `json:"-"`
}

// VerifyReport is what Verify has found.
type VerifyReport struct {
	Versions int       `json:"versions"` // live versions read and checked
	Files    int       `json:"files"`    // entries in them
	Bytes    int64     `json:"bytes"`    // of their files
	Problems []Problem `json:"problems"`
	Damage   []Damage  `json:"damage"` // the packs behind the problems, and all that they hurt
}

// OK reports whether nothing was wrong.
func (v *VerifyReport) OK() bool { return len(v.Problems) == 0 }

// VerifyOptions adjust Verify. nil means the zero value.
type VerifyOptions struct {
	Progress func(Progress) // called as data moves; nil: that of the registry's Options
}

// Verify reads every byte of the live versions that ref means — one version,
// a range, with a name alone all its versions, with "" the whole registry — and
// checks it against its digests. With a name alone it checks its milestones and tags too,
// with "" also locks, markers of collections, the settings, and that there is
// nothing else. What is wrong, or cannot be read, is in the report; an error means
// that the check could not be made.
func (r *Registry) Verify(ctx context.Context, ref string, opts *VerifyOptions) (*VerifyReport, error) {
	found, err := fsck.Verify(ctx, r.ledger, ref, verifyProgress(r.progressOr(value(opts).Progress), ref))
	return verifyReport(found), wrap(ctx, OpVerify, ref, err)
}

// verifyProgress turns the counts of a verification into calls of report.
func verifyProgress(report func(Progress), ref string) func(done int64, finished bool) {
	return func(done int64, finished bool) {
		if report == nil {
			return
		}
		p := Progress{Op: OpVerify, Ref: ref, Done: done, Finished: finished}
		if finished {
			p.Total = done
		}
		report(p)
	}
}

func verifyReport(v *fsck.Report) *VerifyReport {
	r := &VerifyReport{Versions: v.Versions, Files: v.Files, Bytes: v.Bytes, Problems: problems(v.Problems), Damage: []Damage{}}
	for _, d := range v.Damage {
		hurts := make([]Hurt, len(d.Hurts))
		for i, h := range d.Hurts {
			hurts[i] = Hurt(h)
		}
		r.Damage = append(r.Damage, Damage{d.Key, d.Missing, hurts})
	}
	return r
}

func problems(found []fsck.Problem) []Problem {
	list := []Problem{}
	for _, p := range found {
		list = append(list, Problem{p.Key, p.Ref, p.Err})
	}
	return list
}

// Damage is a pack that is missing, or holds other bytes than it should.
type Damage struct {
	Key     string `json:"key"`              // of the pack, in the store
	Missing bool   `json:"missing,omitzero"` // else damaged
	Hurts   []Hurt `json:"hurts"`            // in all versions that Verify looked at
}

// Hurt is a part of a file that is lost unless its pack is repaired.
type Hurt struct {
	Ref    string `json:"ref"`            // name@version
	File   string `json:"file,omitempty"` // path in the version; empty: the table that says where its files are
	Offset int64  `json:"offset"`         // in the file, in bytes
	Size   int64  `json:"size"`           // in bytes
	SHA256 string `json:"sha256"`         // of the lost bytes, in hexadecimal
}

// String says what is lost, for people.
func (h Hurt) String() string {
	if h.File == "" {
		return fmt.Sprintf("%s: the list of its files", h.Ref)
	}
	return fmt.Sprintf("%s: bytes %d to %d of %s", h.Ref, h.Offset, h.Offset+h.Size, h.File)
}
