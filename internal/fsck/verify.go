package fsck

import (
	"context"
	"errors"
	"strings"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
)

// Report is what a verification has found.
type Report struct {
	Versions int   // live versions read and checked
	Files    int   // entries in them
	Bytes    int64 // of their files
	Problems []Problem
	Damage   []Damage // the packs behind the problems, and all that they hurt
}

// Problem is something that is wrong.
type Problem struct {
	Key string // of the register concerned, or what begins those that cannot be read
	Ref string // name@version, if it can be told
	Err error

	mendable bool // the register itself is damaged, or it is a milestone that can go
}

// Verify reads every byte of the live versions that ref means, and checks it.
// progress is called with the bytes that were checked. What is wrong is in what
// it returns; an error means that the check could not be made.
func Verify(ctx context.Context, l *ledger.Ledger, ref string, progress func(done int64, finished bool)) (*Report, error) {
	v := &verification{l: l, ref: ref, progress: progress}
	err := v.run(ctx)
	if err == nil {
		v.progress(v.report.Bytes, true)
	}
	return &v.report, err
}

type verification struct {
	l        *ledger.Ledger
	ref      string
	progress func(done int64, finished bool)
	report   Report
	live     int // versions that are there, or cannot be read

	milestones milestones
}

func (v *verification) run(ctx context.Context) error {
	if v.ref == "" {
		return v.list(ctx, "")
	}
	ref, err := ledger.ParseRef(v.ref)
	if err != nil {
		return err
	}
	if ref.Selector != "" && ref.Kind != ledger.ByRange {
		f, err := v.l.Resolve(ctx, ref)
		if e := (*fault.UnreadableError)(nil); errors.As(err, &e) {
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
			numbers, err := v.l.Numbers(ctx, ref.Name)
			if err != nil {
				return err
			}
			return v.l.NoMatch(ref, numbers)
		}
		return v.list(ctx, manifest.TagsPrefix(ref.Name))
	}
	numbers, err := v.l.Numbers(ctx, ref.Name)
	if err != nil {
		return err
	}
	for _, number := range numbers {
		if !ref.Matches(number) {
			continue
		}
		if err := v.read(ctx, ref.Name, number); err != nil {
			return err
		}
	}
	if v.live == 0 {
		return v.l.NoMatch(ref, numbers)
	}
	return nil
}

// read verifies one version, if it is live.
func (v *verification) read(ctx context.Context, name string, number manifest.Version) error {
	f, err := v.l.ReadLive(ctx, name, number)
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return nil
	case ledger.IsUnreadable(err):
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
func (v *verification) version(ctx context.Context, f *ledger.Record) error {
	v.report.Versions++
	v.report.Files += f.Count
	err := v.l.Complete(ctx, f)
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
	if ledger.IsUnreadable(err) || ledger.IsOfOneKey(ctx, err) {
		v.problem(manifest.VersionKey(f.Name, f.Version), f.Name+"@"+f.Version.String(), err)
		return v.audit(ctx, f)
	}
	if err == nil {
		v.progress(v.report.Bytes, false)
	}
	return err
}

func (v *verification) files(ctx context.Context, f *ledger.Record, regular []int) error {
	return v.l.Reader(f).Fetch(ctx, regular, discard{})
}

// problem takes note of what is wrong with what a key holds.
func (v *verification) problem(key, ref string, err error) {
	p := Problem{Key: key, Ref: ref, Err: err}
	bad := (*fault.UnreadableError)(nil)
	switch {
	case !ledger.IsDamaged(err):
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
