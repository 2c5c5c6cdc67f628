package registry

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/mindtrace/registry/internal/fsck"
)

// Problem is a fault that Verify found.
type Problem struct {
	Ref string `json:"ref,omitempty"` // name@version; "" if it is not known
	Key string `json:"key"`           // key of the register, or prefix of the keys that cannot be read
	Err error  `json:"error"`         // what is wrong; its text in JSON
}

// MarshalJSON implements json.Marshaler.
func (p Problem) MarshalJSON() ([]byte, error) {
	text := ""
	if p.Err != nil {
		text = p.Err.Error()
	}
	return json.Marshal(struct {
		Ref   string `json:"ref,omitempty"`
		Key   string `json:"key"`
		Error string `json:"error"`
	}{p.Ref, p.Key, text})
}

// VerifyReport says what Verify found.
type VerifyReport struct {
	Versions int       `json:"versions"` // live versions that were read and checked
	Files    int       `json:"files"`    // entries in their trees
	Bytes    int64     `json:"bytes"`    // size of their files
	Problems []Problem `json:"problems"`
	Damage   []Damage  `json:"damage,omitempty"` // the packs behind the problems, and all parts of files that are lost with them
}

// OK reports whether there is no problem.
func (v *VerifyReport) OK() bool { return len(v.Problems) == 0 }

// VerifyOptions adjust Verify. nil means the zero value.
type VerifyOptions struct {
	Progress func(Progress) // called as data moves; nil: Options.Progress of the registry
}

// Verify reads every byte of live versions and checks it against its digests. ref
// means one version, those in a range, with a name alone all versions of the object,
// and with "" the whole registry. With a name alone, Verify also checks the tags and
// milestones of the object. With "" it also checks the locks, the collection markers
// and the settings, and looks for keys that do not belong to a registry.
//
// The report lists everything that is wrong or cannot be read. An error means that
// the check could not be finished.
func (r *Registry) Verify(ctx context.Context, ref string, opts *VerifyOptions) (*VerifyReport, error) {
	found, err := fsck.Verify(ctx, r.ledger, ref, verifyProgress(progressOr(value(opts).Progress, r.progress), ref))
	return verifyReport(found), wrap(ctx, OpVerify, ref, err)
}

// verifyProgress returns a callback for a verification that calls report.
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
		list = append(list, Problem{p.Ref, p.Key, p.Err})
	}
	return list
}

// Damage is a pack that is missing or has the wrong bytes.
type Damage struct {
	Key     string `json:"key"`              // key of the pack in the store
	Missing bool   `json:"missing,omitzero"` // it is missing; otherwise it has the wrong bytes
	Hurts   []Hurt `json:"hurts"`            // the parts of files in it, of all versions that Verify checked
}

// Hurt is a part of a file that is lost unless its pack is repaired.
type Hurt struct {
	Ref    string `json:"ref"`            // name@version
	File   string `json:"file,omitempty"` // path of the file in the version; "": the version's list of files
	Offset int64  `json:"offset"`         // where the part begins in the file, in bytes
	Size   int64  `json:"size"`           // size of the part, in bytes
	SHA256 string `json:"sha256"`         // digest of the part, in hexadecimal
}

// String describes the lost part for people.
func (h Hurt) String() string {
	if h.File == "" {
		return fmt.Sprintf("%s: the list of its files", h.Ref)
	}
	return fmt.Sprintf("%s: bytes %d to %d of %s", h.Ref, h.Offset, h.Offset+h.Size, h.File)
}
