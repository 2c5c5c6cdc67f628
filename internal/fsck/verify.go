package fsck

import (
	"context"
	"errors"
	"strings"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
)

// Report says what a verification has found.
type Report struct {
	Versions int   // live versions that were read
	Files    int   // files, directories and links in them
	Bytes    int64 // of their files
	Problems []Problem
	Damage   []Damage // the damaged packs that cause problems, and all that they hurt
}

// Problem is something that is wrong in a registry.
type Problem struct {
	Key string // of the register; or the prefix of keys that cannot be listed
	Ref string // name@version or name@tag; "" if that is unknown
	Err error  // what is wrong

	mendable bool // repair.mend can do something about it: the register itself is damaged, or it is a wrong milestone
}

// Verify reads every byte of the live versions that ref means, and checks it. For
// the name of an object it also checks its tags and milestones; for "" all keys of
// the registry. It calls progress with the bytes that have been checked; finished
// is set in the last call only. What is wrong is in the Report. An error means
// that the verification itself failed.
func Verify(ctx context.Context, l *ledger.Ledger, ref string, progress func(done int64, finished bool)) (*Report, error) {
	v := &verification{l: l, ref: ref, progress: progress}
	err := v.run(ctx)
	if err == nil {
		v.progress(v.report.Bytes, true)
	}
	return &v.report, err
}

// verification is one run of Verify.
type verification struct {
	l        *ledger.Ledger
	ref      string
	progress func(done int64, finished bool)
	report   Report
	live     int // versions that are live, or cannot be read

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

// version verifies one live version: it reads all of its files.
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
	if f.Table == nil || f.Content.Files != nil { // otherwise the register's size is not verified
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

// files reads and checks the regular files of a version, given by index.
func (v *verification) files(ctx context.Context, f *ledger.Record, regular []int) error {
	return v.l.Reader(f).Fetch(ctx, regular, discard{})
}

// problem records what is wrong with a register.
func (v *verification) problem(key, ref string, err error) {
	p := Problem{Key: key, Ref: ref, Err: err}
	bad := (*fault.UnreadableError)(nil)
	switch {
	case !ledger.IsDamaged(err):
	case errors.As(err, &bad):
		p.mendable = bad.Key == key
	default: // the register can be read; what is damaged in a version is its packs
		p.mendable = strings.HasPrefix(key, manifest.TagsPrefix("")) || manifest.IsMilestone(key)
	}
	v.report.Problems = append(v.report.Problems, p)
}

// discard is a chunk.Dest that keeps nothing.
type discard struct{}

func (discard) WriteAt(int, []byte, int64) error { return nil }
func (discard) Done(int) error                   { return nil }
