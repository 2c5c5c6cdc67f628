package fsck

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// broken is a pack to be repaired, with all that is known of its chunks.
type broken struct {
	pack   manifest.Pack
	refs   map[string]bool // versions that it hurts
	chunks map[int64]*wanted
}

// wanted is a chunk of a broken pack, and the versions in which it can be
// found.
type wanted struct {
	manifest.Chunk
	live    bool // a live version uses it
	sources []source
}

// source is a place in a file of a version that holds a chunk.
type source struct {
	name    string
	version manifest.Version
	digest  manifest.Digest // of the content
	path    string
	at      int64
}

// packs restores packs in their place, under their own keys: all versions that
// share a pack are repaired at once, no register changes, and a save that has
// just read one of these and builds on it finds what it counts on.
//
// Is it safe to write to a closed era? The rule is that nothing is written
// under a key that may still be deleted. A collection deletes a pack only if
// it was no root when the mark began, and the proof in docs/protocol.md says
// that then no sound version ever names it again. A sound version does, so
// no deletion of it is under way, however late it may land. A version that is
// not sound — one that was committed too late, and never acknowledged — may
// name a pack that is being deleted: repairing that may be in vain, which the
// next verify shows, but it is evidence for nobody. The same holds for a repair
// that is held up until its versions are deleted and collected: what it puts
// back is a pack of a closed era that nothing names, and the next collection
// removes it.
//
// A register whose placement was changed instead would no longer name the old
// pack, which a save under way may just be reusing: it would be collected
// under it.
func (p *repair) restorePacks(ctx context.Context, damage []Damage, why map[string]error) error {
	all := map[string]*broken{}
	for _, d := range damage {
		b := &broken{refs: map[string]bool{}, chunks: map[int64]*wanted{}}
		for _, h := range d.Hurts {
			b.refs[h.Ref] = true
		}
		all[d.Key] = b
	}
	if len(all) == 0 {
		return nil
	}
	if err := p.gatherChunks(ctx, all); err != nil {
		return err
	}
	for _, d := range damage {
		err := p.restorePack(ctx, d.Key, all[d.Key])
		if err == nil {
			p.report.Packs = append(p.report.Packs, d.Key)
			continue
		}
		if ctx.Err() != nil {
			return err
		}
		for ref := range all[d.Key].refs {
			why[ref] = err
		}
		if err := p.restoreTables(ctx, d, why); err != nil {
			return err
		}
	}
	return nil
}

// tables restores versions of which a pack with their table is lost: only
// a copy of this registry has the same table, but any mirror has the files.
func (p *repair) restoreTables(ctx context.Context, d Damage, why map[string]error) error {
	for _, h := range d.Hurts {
		if h.File != "" || slices.Contains(p.report.Versions, h.Ref) {
			continue
		}
		ref, err := ledger.ParseRef(h.Ref)
		if err == nil {
			err = p.restoreVersion(ctx, manifest.VersionKey(ref.Name, ref.Version))
		}
		switch {
		case err == nil:
			p.report.Versions = append(p.report.Versions, h.Ref)
		case ctx.Err() != nil:
			return err
		default:
			why[h.Ref] = err
		}
	}
	return nil
}

// collect finds out what the versions here know of the chunks of broken packs.
func (p *repair) gatherChunks(ctx context.Context, all map[string]*broken) error {
	for info, err := range p.l.Store.List(ctx, manifest.ObjectsPrefix, "") {
		if ledger.IsUnreadable(ledger.ListingError(err)) {
			continue // told by Verify
		}
		if err != nil {
			return err
		}
		name, v, err := manifest.ParseVersionRegisterKey(info.Key)
		if err != nil {
			continue
		}
		f, err := p.l.Read(ctx, name, v)
		if err == nil && f.State != manifest.Purged {
			err = p.l.Complete(ctx, f) // or else its table alone
		}
		if err != nil && !ledger.IsUnreadable(err) && !ledger.IsOfOneKey(ctx, err) && !errors.Is(err, fault.ErrNotFound) {
			return err
		}
		if f == nil || f.State == manifest.Purged {
			continue
		}
		for _, k := range f.Packs() {
			if b := all[k.Key()]; b != nil {
				b.pack = k
			}
		}
		for key, list := range uses(f.Manifest) {
			b := all[key]
			if b == nil {
				continue
			}
			for _, u := range list {
				w := b.chunks[u.Offset]
				if w == nil {
					w = &wanted{Chunk: u.Chunk}
					b.chunks[u.Offset] = w
				}
				w.live = w.live || f.State == manifest.Live
				if u.file >= 0 && len(w.sources) < 16 {
					w.sources = append(w.sources, source{name, v, f.Digest, f.Content.Files[u.file].Path, u.at})
				}
			}
		}
	}
	return nil
}

// pack restores one pack.
func (p *repair) restorePack(ctx context.Context, key string, b *broken) error {
	if len(b.chunks) == 0 {
		return errors.New("no version names it any more")
	}
	release, err := p.l.Memory.Hold(ctx, 3*chunk.MaxPack)
	if err != nil {
		return err
	}
	defer release()
	old, info, err := p.l.Store.Get(ctx, key, nil)
	if err != nil && !ledger.IsNotFound(err) {
		return err
	}
	token := info.Token
	if err != nil {
		token = store.Absent
	}
	copied, _, err := p.from.l.Store.Get(ctx, key, nil) // a mirror that is a copy has the very pack
	if err != nil {
		copied = nil
	}
	chunks := make([]*wanted, 0, len(b.chunks))
	for _, w := range b.chunks {
		chunks = append(chunks, w)
	}
	slices.SortFunc(chunks, func(a, b *wanted) int { return cmp.Compare(a.Offset, b.Offset) })
	body := make([]byte, b.pack.Size)
	if int64(len(copied)) == b.pack.Size {
		copy(body, copied)
	} else {
		copy(body, old)
	}
	for _, w := range chunks {
		if chunk.Holds(body, w.Chunk) {
			continue
		}
		if chunk.Holds(old, w.Chunk) {
			copy(body[w.Offset:], old[w.Offset:w.Offset+w.Len()])
			continue
		}
		good, err := p.from.chunk(ctx, w)
		if err == nil {
			good, err = chunk.Restored(good, w.Chunk)
		}
		if err != nil && w.live {
			return err
		}
		copy(body[w.Offset:], good) // or nothing, for a version that was deleted
	}
	if err := p.mayHaveGaps(ctx, b.pack, chunks, body); err != nil {
		return err
	}
	if err := p.putPack(ctx, key, body, token); err != nil {
		return err
	}
	p.l.Log.InfoContext(ctx, "pack restored", "key", key, "size", len(body))
	return nil
}

// mayHaveGaps refuses to restore a pack of the present era that is not the
// very one again: parts are unknown that only versions used which are gone for
// good, or chunks were compressed by another version of the encoder. A save
// of the same bytes would find it there and count on all of it. In an era
// that is over, nobody will ever look at these parts again.
func (p *repair) mayHaveGaps(ctx context.Context, pack manifest.Pack, chunks []*wanted, body []byte) error {
	if whole(pack, chunks, body) {
		return nil
	}
	now, err := p.l.Clock.Fresh(ctx, p.l.Store, 0)
	if err != nil {
		return err
	}
	if end := p.l.Settings.Times.EraEnd(pack.Era); now.Before(end) {
		return fmt.Errorf("%s cannot be made again as it was; repair it after %s", pack.Key(), end.UTC())
	}
	return nil
}

// whole reports whether the chunks are all that a pack holds, and body holds
// them as it did: then its id is made of their digests.
func whole(pack manifest.Pack, chunks []*wanted, body []byte) bool {
	var stored [][]byte
	var end int64
	for _, w := range chunks {
		if w.Offset != end {
			return false
		}
		end += w.Len()
		stored = append(stored, body[w.Offset:end])
	}
	return end == pack.Size && chunk.PackID(stored...) == pack.ID
}

// put writes a pack over the state that was read.
func (p *repair) putPack(ctx context.Context, key string, body []byte, token store.Token) error {
	for b := ledger.UntilKnown(); ; {
		_, err := p.l.Store.Put(ctx, key, body, token)
		switch {
		case errors.Is(err, store.ErrPrecondition):
			there, _, gerr := p.l.Store.Get(ctx, key, nil)
			if gerr == nil && bytes.Equal(there, body) {
				return nil // an earlier try, or another repair
			}
			return fmt.Errorf("%s was changed meanwhile; verify again: %w", key, errors.Join(fault.ErrConflict, gerr))
		case errors.Is(err, store.ErrRetry), errors.Is(err, store.ErrUnknown):
			if !b.Again(ctx, err) {
				return errors.Join(err, ctx.Err())
			}
		default:
			return err
		}
	}
}

// mirror is a registry that chunks are taken from.
type mirror struct {
	l       *ledger.Ledger
	digests map[manifest.Digest]ledger.Ref // of its live versions, once they are needed
	last    *ledger.Record
}

// chunk returns the bytes of a chunk, from whatever version of the mirror has
// the same content as one that uses it here.
func (m *mirror) chunk(ctx context.Context, w *wanted) ([]byte, error) {
	err := fmt.Errorf("%w in the mirror: no version with the same digest", fault.ErrNotFound)
	for _, s := range w.sources {
		f, ferr := m.version(ctx, s)
		if ferr != nil {
			err = ferr
			continue
		}
		i, there := slices.BinarySearchFunc(f.Content.Files, s.path, func(f manifest.File, path string) int { return cmp.Compare(f.Path, path) })
		if !there {
			continue
		}
		body := make([]byte, w.Size)
		if _, ferr := m.l.Reader(f).ReadAt(ctx, i, body, s.at); ferr != nil {
			err = fmt.Errorf("in the mirror: %w", ferr)
			continue
		}
		if manifest.Sum(body) == w.SHA256 {
			return body, nil
		}
	}
	return nil, err
}

// version returns a version of the mirror with the content of s.
func (m *mirror) version(ctx context.Context, s source) (*ledger.Record, error) {
	if m.last != nil && m.last.Digest == s.digest {
		return m.last, nil
	}
	f, err := m.l.ReadLive(ctx, s.name, s.version)
	if err != nil || f.Digest != s.digest {
		ref, ok, err := m.find(ctx, s.digest)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("%w in the mirror: no version has the digest %s, that of %s@%s", fault.ErrNotFound, s.digest, s.name, s.version)
		}
		if f, err = m.l.ReadLive(ctx, ref.Name, ref.Version); err != nil {
			return nil, err
		}
	}
	if err := m.l.Complete(ctx, f); err != nil {
		return nil, fmt.Errorf("in the mirror: %w", err)
	}
	m.last = f
	return f, nil
}

// find looks a digest up among all versions of the mirror.
func (m *mirror) find(ctx context.Context, d manifest.Digest) (ledger.Ref, bool, error) {
	if m.digests == nil {
		digests := map[manifest.Digest]ledger.Ref{}
		for info, err := range m.l.Store.List(ctx, manifest.ObjectsPrefix, "") {
			if ledger.IsUnreadable(ledger.ListingError(err)) {
				continue // others may have the digest
			}
			if err != nil {
				return ledger.Ref{}, false, err
			}
			name, v, err := manifest.ParseVersionRegisterKey(info.Key)
			if err != nil {
				continue
			}
			if f, err := m.l.ReadLive(ctx, name, v); err == nil {
				digests[f.Digest] = ledger.Ref{Name: name, Version: v}
			}
		}
		m.digests = digests
	}
	ref, ok := m.digests[d]
	return ref, ok, nil
}
