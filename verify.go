package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/mindtrace/registry/manifest"
)

// Problem is something that Verify found wrong.
type Problem struct {
	Key string `json:"key"`           // of the register concerned
	Ref string `json:"ref,omitempty"` // name@version, if it can be told
	Err error  `json:"-"`

	register bool // the register itself is damaged
}

// VerifyReport is what Verify has found.
type VerifyReport struct {
	Versions int   // live versions read and checked
	Files    int   // entries in them
	Bytes    int64 // of their files
	Problems []Problem
	Damage   []Damage // the packs behind the problems, and all that they hurt
}

// OK reports whether nothing was wrong.
func (v *VerifyReport) OK() bool { return len(v.Problems) == 0 }

// Verify reads every byte of the live versions that ref means — one version,
// a range, with a name alone all its versions, with "" the whole registry — and
// checks it against its digests. With a name alone and with "" it checks the
// tags too. What is wrong is in the report; an error means that the check could not be made.
func (r *Registry) Verify(ctx context.Context, ref string, opts ...LoadOption) (*VerifyReport, error) {
	var o loadOptions
	for _, opt := range opts {
		opt.applyLoad(&o)
	}
	if o.progress == nil {
		o.progress = r.progress
	}
	v := &verification{r: r, ref: ref, progress: o.progress}
	err := v.run(ctx)
	if err == nil && o.progress != nil {
		o.progress(Progress{Op: "verify", Ref: ref, Done: v.report.Bytes, Total: v.report.Bytes, Finished: true})
	}
	return &v.report, wrap("verify", ref, err)
}

type verification struct {
	r        *Registry
	ref      string
	progress func(Progress)
	report   VerifyReport
}

func (v *verification) run(ctx context.Context) error {
	if v.ref == "" {
		return v.all(ctx)
	}
	ref, err := ParseRef(v.ref)
	if err != nil {
		return err
	}
	if ref.Selector != "" && ref.kind != selectRange {
		f, err := v.r.resolve(ctx, ref)
		if e := (*registerError)(nil); errors.As(err, &e) {
			v.registerProblem(e.name, e.version, err)
			return nil
		}
		if err != nil {
			return err
		}
		return v.version(ctx, f)
	}
	numbers, err := v.r.numbers(ctx, ref.Name)
	if err != nil {
		return err
	}
	n := 0
	for _, number := range numbers {
		if ref.kind == selectRange && !ref.matches(number) {
			continue
		}
		live, err := v.read(ctx, ref.Name, number)
		if err != nil {
			return err
		}
		if live {
			n++
		}
	}
	if n == 0 {
		return v.r.noMatch(ref, numbers)
	}
	if ref.Selector == "" {
		return v.tags(ctx, ref.Name)
	}
	return nil
}

// all verifies the whole registry.
func (v *verification) all(ctx context.Context) error {
	for info, err := range v.r.st.List(ctx, manifest.ObjectsPrefix, "") {
		if err != nil {
			return err
		}
		if manifest.IsMilestone(info.Key) {
			continue
		}
		name, number, err := manifest.ParseVersionRegisterKey(info.Key)
		if err != nil {
			v.problem(info.Key, "", fmt.Errorf("%s does not belong here, move it away: %w", info.Key, err))
			continue
		}
		if _, err := v.read(ctx, name, number); err != nil {
			return err
		}
	}
	return v.tags(ctx, "")
}

// read verifies one version, if it is live.
func (v *verification) read(ctx context.Context, name string, number Version) (live bool, err error) {
	f, err := v.r.readLive(ctx, name, number)
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case unreadable(err):
		v.registerProblem(name, number, err)
		return true, nil
	case err != nil:
		return false, err
	}
	return true, v.version(ctx, f)
}

// version reads one version whole.
func (v *verification) version(ctx context.Context, f *found) error {
	v.report.Versions++
	v.report.Files += f.Count
	err := v.r.complete(ctx, f)
	if err == nil {
		var regular []int
		for i := range f.Content.Files {
			if f.Content.Files[i].Regular() {
				regular = append(regular, i)
			}
		}
		err = v.files(ctx, f, regular)
	}
	v.report.Bytes += f.Size
	if unreadable(err) {
		v.problem(manifest.VersionKey(f.Name, f.Version), f.Name+"@"+f.Version.String(), err)
		return v.audit(ctx, f)
	}
	if err == nil && v.progress != nil {
		v.progress(Progress{Op: "verify", Ref: v.ref, Done: v.report.Bytes})
	}
	return err
}

func (v *verification) files(ctx context.Context, f *found, regular []int) error {
	return v.r.reader(f).Fetch(ctx, regular, discard{})
}

func (v *verification) problem(key, ref string, err error) {
	v.report.Problems = append(v.report.Problems, Problem{Key: key, Ref: ref, Err: err})
}

func (v *verification) registerProblem(name string, number Version, err error) {
	v.problem(manifest.VersionKey(name, number), name+"@"+number.String(), err)
	v.report.Problems[len(v.report.Problems)-1].register = errors.Is(err, manifest.ErrCorrupt)
}

// discard is a chunk.Dest that keeps nothing.
type discard struct{}

func (discard) WriteAt(int, []byte, int64) error { return nil }
func (discard) Done(int) error                   { return nil }
