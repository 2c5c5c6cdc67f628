package registry

import (
	"context"
	"errors"
	"strings"

	"github.com/mindtrace/registry/internal/manifest"
)

// Problem is something that Verify found wrong.
type Problem struct {
	Key string `json:"key"`           // of the register concerned, or what begins those that cannot be read
	Ref string `json:"ref,omitempty"` // name@version, if it can be told
	Err error  `json:"-"`

	mendable bool // the register itself is damaged, or it is a milestone that can go
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
// checks it against its digests. With a name alone it checks its milestones and tags too,
// with "" also locks, markers of collections, the settings, and that there is
// nothing else. What is wrong, or cannot be read, is in the report; an error means
// that the check could not be made.
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
	return &v.report, wrap(ctx, "verify", ref, err)
}

type verification struct {
	r        *Registry
	ref      string
	progress func(Progress)
	report   VerifyReport
	live     int // versions that are there, or cannot be read

	milestones milestones
}

func (v *verification) run(ctx context.Context) error {
	if v.ref == "" {
		return v.list(ctx, "")
	}
	ref, err := parseRef(v.ref)
	if err != nil {
		return err
	}
	if ref.Selector != "" && ref.kind != selectRange {
		f, err := v.r.resolve(ctx, ref)
		if e := (*UnreadableError)(nil); errors.As(err, &e) {
			v.problem(e.Key, e.Ref, err)
			return nil
		}
		if err != nil {
			return err
		}
		return v.version(ctx, f)
	}
	if ref.Selector == "" {
		if err := v.list(ctx, manifest.VersionsPrefix(ref.Name)); err != nil {
			return err
		}
		if v.live == 0 && len(v.report.Problems) == 0 {
			numbers, err := v.r.numbers(ctx, ref.Name)
			if err != nil {
				return err
			}
			return v.r.noMatch(ref, numbers)
		}
		return v.list(ctx, manifest.TagsPrefix(ref.Name))
	}
	numbers, err := v.r.numbers(ctx, ref.Name)
	if err != nil {
		return err
	}
	for _, number := range numbers {
		if !ref.matches(number) {
			continue
		}
		if err := v.read(ctx, ref.Name, number); err != nil {
			return err
		}
	}
	if v.live == 0 {
		return v.r.noMatch(ref, numbers)
	}
	return nil
}

// read verifies one version, if it is live.
func (v *verification) read(ctx context.Context, name string, number Version) error {
	f, err := v.r.readLive(ctx, name, number)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case unreadable(err):
		v.live++
		v.problem(manifest.VersionKey(name, number), name+"@"+number.String(), err)
		return nil
	case err != nil:
		return err
	}
	v.live++
	return v.version(ctx, f)
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
	if f.Table == nil || f.Content.Files != nil { // else its size is only claimed
		v.report.Bytes += f.Size
	}
	if unreadable(err) || ofOne(ctx, err) {
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

// problem takes note of what is wrong with what a key holds.
func (v *verification) problem(key, ref string, err error) {
	p := Problem{Key: key, Ref: ref, Err: err}
	bad := (*UnreadableError)(nil)
	switch {
	case !damaged(err):
	case errors.As(err, &bad):
		p.mendable = bad.Key == key
	default: // of a version, it is its packs
		p.mendable = strings.HasPrefix(key, manifest.TagsPrefix("")) || manifest.IsMilestone(key)
	}
	v.report.Problems = append(v.report.Problems, p)
}

// discard is a chunk.Dest that keeps nothing.
type discard struct{}

func (discard) WriteAt(int, []byte, int64) error { return nil }
func (discard) Done(int) error                   { return nil }
