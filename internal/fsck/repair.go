package fsck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/commit"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// Repaired says what a repair has found and done.
type Repaired struct {
	Found    *Report   // of the verification before; nil if that failed
	Packs    []string  // keys of the packs that were restored
	Versions []string  // name@version of the versions whose registers were restored
	Mended   []string  // keys of tags restored, of locks freed, of milestones and markers removed
	Problems []Problem // that are left
}

// Repair verifies what ref means in l, as Verify does, and restores what is damaged
// or missing from another registry, from. That is called the mirror: it has
// versions with the same names, numbers and digests. progress is called with the
// bytes that have been checked, those that are checked again included; finished is
// set in the last call only. Repair returns what was done also with an error. What
// it could not repair is no error, but is in Problems.
func Repair(ctx context.Context, l, from *ledger.Ledger, ref string, progress func(done int64, finished bool)) (*Repaired, error) {
	p := &repair{l: l, from: &mirror{l: from}, progress: progress}
	err := p.run(ctx, ref)
	if err == nil {
		progress(p.checked, true)
	}
	return &p.report, err
}

// repair is one run of Repair.
type repair struct {
	l        *ledger.Ledger // the registry that is repaired
	from     *mirror
	report   Repaired
	progress func(done int64, finished bool)
	checked  int64 // bytes, by the verifications that have ended
}

// verify is one of the verifications of a repair.
func (p *repair) verify(ctx context.Context, ref string) (*Report, error) {
	report, err := Verify(ctx, p.l, ref, func(done int64, _ bool) { p.progress(p.checked+done, false) })
	p.checked += report.Bytes
	return report, err
}

func (p *repair) run(ctx context.Context, ref string) error {
	found, err := p.verify(ctx, ref)
	if err != nil {
		return err
	}
	p.report.Found = found
	why := map[string]error{} // why a version, tag or key was not repaired, by its reference or key
	for _, problem := range found.Problems {
		if !problem.mendable {
			continue
		}
		switch err := p.mend(ctx, problem.Key); {
		case err == nil && strings.HasPrefix(problem.Key, manifest.ObjectsPrefix) && problem.Ref != "":
			p.report.Versions = append(p.report.Versions, problem.Ref)
		case err == nil:
			p.report.Mended = append(p.report.Mended, problem.Key)
		case ctx.Err() != nil:
			return err
		default:
			why[cmp.Or(problem.Ref, problem.Key)] = err
		}
	}
	if err := p.restorePacks(ctx, found.Damage, why); err != nil {
		return err
	}
	return p.checkAgain(ctx, why)
}

// checkAgain verifies again all that had problems, and puts the problems that are
// left into the report, with the reason why they were not repaired.
func (p *repair) checkAgain(ctx context.Context, why map[string]error) error {
	for _, problem := range p.report.Found.Problems {
		if problem.Ref == "" {
			if slices.Contains(p.report.Mended, problem.Key) {
				continue
			}
			if because := why[problem.Key]; because != nil {
				problem.Err = fmt.Errorf("%w; not repaired: %w", problem.Err, because)
			}
			p.report.Problems = append(p.report.Problems, problem)
			continue
		}
		again, err := p.verify(ctx, problem.Ref)
		if errors.Is(err, fault.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return err
		}
		for _, left := range again.Problems {
			if because := why[problem.Ref]; because != nil {
				left.Err = fmt.Errorf("%w; not repaired: %w", left.Err, because)
			}
			p.report.Problems = append(p.report.Problems, left)
		}
	}
	return nil
}

// restoreVersion restores a version whose register or table is damaged, from the
// mirror's version of the same name and number.
//
// The damaged register no longer says where the bytes are here. The placement of
// the mirror does not help: a collection may have freed packs here that exist
// there. So this is a save of the mirror's files, under the rules of each save,
// except that it swaps the damaged register instead of creating a new one. A
// collection frees the bytes that were stored before, unless other versions use
// them.
//
// While the register was damaged, no collection could delete anything. After this
// repair, one can: it may free the old packs beside a save that reuses them,
// because it read the register before the damage. A save lasts at most a window.
// So repair a register that was damaged less than a day ago only while nobody
// saves new versions of the object.
func (p *repair) restoreVersion(ctx context.Context, key string) error {
	l := p.l
	name, v, err := manifest.ParseVersionRegisterKey(key)
	if err != nil {
		return err
	}
	var body []byte
	var here *manifest.Manifest
	info, err := l.ReadRegister(ctx, key, "", func(b []byte) (err error) {
		body = b
		here, err = manifest.Decode(b, name, v)
		return err
	})
	if err != nil && (!ledger.IsDamaged(err) || info.Token == store.Absent) {
		return err
	}
	if manifest.SaysPurged(body) {
		return p.restorePurged(ctx, name, v, body, info)
	}
	src, err := p.from.l.ReadLive(ctx, name, v)
	if err != nil {
		return fmt.Errorf("in the mirror: %w", err)
	}
	if here != nil && here.Digest != src.Digest {
		return fmt.Errorf("the mirror's %s@%s has the digest %s, not %s", name, v, src.Digest, here.Digest)
	}
	if err := p.from.l.Complete(ctx, src); err != nil {
		return fmt.Errorf("in the mirror: %w", err)
	}
	t := commit.New(l, name)
	cfg := t.Config()
	cfg.Base = nil
	w := chunk.NewWriter(ctx, cfg)
	defer w.Abort()
	if err := copyFiles(ctx, w, p.from.l.Reader(src), src.Content.Files); err != nil {
		return fmt.Errorf("from the mirror: %w", err)
	}
	res, err := w.Finish()
	if err != nil {
		return err
	}
	m := manifest.NewManifest(name, v, src.Created)
	m.Content = src.Content
	evidence, err := t.Fill(ctx, m, res)
	if err != nil {
		return err
	}
	if m.Digest != src.Digest {
		return fmt.Errorf("%w: the mirror's files have the digest %s, not %s", fault.ErrIntegrity, m.Digest, src.Digest)
	}
	inheritHistory(m, body)
	f, err := t.CommitWith(ctx, m, evidence, func() (store.Info, error) {
		body, err := m.Encode()
		if err != nil {
			return store.Info{}, err
		}
		return l.Write(ctx, key, body, info.Token, m.Nonce)
	})
	if err == nil {
		l.Log.InfoContext(ctx, "register restored", "name", name, "version", v, "digest", f.Digest)
	}
	return err
}

// inheritHistory gives m the nonces of the damaged register, as far as it can be
// read. So a writer whose answer was lost can still find its nonce.
func inheritHistory(m *manifest.Manifest, body []byte) {
	old, err := manifest.DecodeHead(body)
	if err != nil {
		return
	}
	m.Head.Prev = old.Prev
	if len(old.Nonce) == len(m.Nonce) {
		fresh := m.Nonce
		m.Head.Nonce = old.Nonce
		m.Supersede()
		m.Head.Nonce = fresh
	}
}

// copyFiles writes the files of one version into a Writer.
func copyFiles(ctx context.Context, w *chunk.Writer, from *chunk.Reader, files []manifest.File) error {
	for i := range files {
		f := &files[i]
		if !f.Regular() {
			if err := w.Add(manifest.File{Path: f.Path, Dir: f.Dir, Link: f.Link}); err != nil {
				return err
			}
			continue
		}
		dst, err := w.Create(f.Path, f.Exec)
		if err != nil {
			return err
		}
		src := from.Open(ctx, i)
		_, err = io.Copy(dst, src)
		src.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		if err := dst.Close(); err != nil {
			return err
		}
	}
	return nil
}
