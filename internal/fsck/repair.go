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

// Repaired is what a repair has found and done.
type Repaired struct {
	Found    *Report   // before; nil if that could not be told
	Packs    []string  // keys of packs restored
	Versions []string  // name@version of registers restored
	Mended   []string  // keys of tags restored, of locks set free, of milestones and markers of collections removed
	Problems []Problem // that are left
}

// Repair verifies the versions that ref means, and restores from another
// registry what is damaged or missing. What it returns says what was done, also
// with an error. progress is called as versions are verified.
func Repair(ctx context.Context, r, from *ledger.Ledger, ref string, progress func(done int64, finished bool)) (*Repaired, error) {
	p := &repair{r: r, from: &mirror{r: from}, progress: progress}
	err := p.run(ctx, ref)
	return &p.report, err
}

type repair struct {
	r        *ledger.Ledger
	from     *mirror
	report   Repaired
	progress func(done int64, finished bool)
}

func (p *repair) run(ctx context.Context, ref string) error {
	found, err := Verify(ctx, p.r, ref, p.progress)
	if err != nil {
		return err
	}
	p.report.Found = found
	why := map[string]error{} // by reference: why it could not be repaired
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
	if err := p.packs(ctx, found.Damage, why); err != nil {
		return err
	}
	return p.checkAgain(ctx, why)
}

// checkAgain verifies what was wrong, and adds why it still is.
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
		again, err := Verify(ctx, p.r, problem.Ref, p.progress)
		if errors.Is(err, fault.ErrNotFound) {
			continue // deleted since
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

// register restores a version whose register or table is damaged from the
// mirror's version of the same name and number.
//
// Where its bytes are here is not known any more, and a placement of the
// mirror's says nothing about what a collection may have freed here. So it is
// a save like any other, of the mirror's files, under the same rules — except
// that it swaps the damaged register instead of creating a new one. The bytes
// stored before are freed by a collection, unless others use them. (While the
// register was damaged, no collection could delete anything, so a save that
// has read it before, and builds upon it, is safe until its window has
// passed: repair within it only what nobody is saving to.)
func (p *repair) register(ctx context.Context, key string) error {
	r := p.r
	name, v, err := manifest.ParseVersionRegisterKey(key)
	if err != nil {
		return err
	}
	var body []byte
	var here *manifest.Manifest
	info, err := r.ReadRegister(ctx, key, "", func(b []byte) (err error) {
		body = b
		here, err = manifest.Decode(b, name, v)
		return err
	})
	if err != nil && (!ledger.Damaged(err) || info.Token == store.Absent) {
		return err
	}
	if manifest.SaysPurged(body) {
		return p.purged(ctx, name, v, body, info)
	}
	src, err := p.from.r.ReadLive(ctx, name, v)
	if err != nil {
		return fmt.Errorf("in the mirror: %w", err)
	}
	if here != nil && here.Digest != src.Digest {
		return fmt.Errorf("the mirror's %s@%s has the digest %s, not %s", name, v, src.Digest, here.Digest)
	}
	if err := p.from.r.Complete(ctx, src); err != nil {
		return fmt.Errorf("in the mirror: %w", err)
	}
	t := commit.New(r, name)
	cfg := t.Config()
	cfg.Base = nil
	w := chunk.NewWriter(ctx, cfg)
	defer w.Abort()
	if err := copyFiles(ctx, w, p.from.r.Reader(src), src.Content.Files); err != nil {
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
		return fmt.Errorf("%w: the mirror's files come to the digest %s, not %s", fault.ErrIntegrity, m.Digest, src.Digest)
	}
	follow(m, body)
	f, err := t.CommitTo(ctx, m, evidence, func() (store.Info, error) {
		body, err := m.Encode()
		if err != nil {
			return store.Info{}, err
		}
		return r.Write(ctx, key, body, info.Token, m.Nonce)
	})
	if err == nil {
		r.Log.InfoContext(ctx, "register restored", "name", name, "version", v, "digest", f.Digest)
	}
	return err
}

// follow has m remember what a damaged register remembers of its writers.
func follow(m *manifest.Manifest, body []byte) {
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
