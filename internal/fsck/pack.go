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

// broken is a pack that has to be restored, with all that is known of its chunks.
type broken struct {
	pack   manifest.Pack
	refs   map[string]bool   // name@version of the versions that it hurts
	chunks map[int64]*wanted // by offset in the pack
}

// wanted is a chunk of a broken pack, and the files that hold the same bytes.
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

// restorePacks restores packs in place, under their own keys. So all versions that
// share a pack are repaired at once, no register changes, and a save under way
// that reuses one of these packs finds it.
//
// Is it safe to write to a closed era? The rule is that no key is written that
// may still be deleted. A collection deletes a pack only if it was not a root
// when the mark began. docs/protocol.md proves that in this case no sound version
// names the pack later. Here a sound version names it, so no deletion of it can
// be under way.
//
// Two cases remain, and both are harmless. A version that is not sound, which was
// committed too late and never acknowledged, may name a pack that is being
// deleted. Then the repair may be in vain, which the next verification shows; no
// save takes this version as evidence. And a repair may be held up until its
// versions are deleted and collected. Then it puts a pack of a closed era that no
// version names, and the next collection removes it.
//
// To change the placement in the register instead would not be safe: the register
// would no longer name the old pack, so a collection could free it while a save
// under way reuses it.
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

// restoreTables restores versions whose table was in a pack that could not be
// restored. It saves their files from the mirror anew: only a copy of this
// registry has the same table, but every mirror has the files.
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

// gatherChunks reads all registers here, and gathers what they say about the
// chunks of broken packs.
func (p *repair) gatherChunks(ctx context.Context, all map[string]*broken) error {
	for info, err := range p.l.Store.List(ctx, manifest.ObjectsPrefix, "") {
		if ledger.IsUnreadable(ledger.ListingError(err)) {
			continue // Verify has reported it
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
			err = p.l.Complete(ctx, f) // if that fails, f has the chunks of its table only
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

// restorePack restores one pack: from the same pack of the mirror, from what is
// left of it here, and from files of the mirror.
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
	copied, _, err := p.from.l.Store.Get(ctx, key, nil) // a mirror that was copied from here has the same pack
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
		copy(body[w.Offset:], good) // empty only if no live version uses the chunk
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

// mayHaveGaps returns an error if the restored pack has other bytes than the
// original one, and its era is not over. The bytes differ if some parts were used
// by purged versions only, or if another version of the encoder has compressed
// the chunks. In the present era, a save of the same bytes would find the pack and
// rely on all of it. In an era that is over, no save looks for packs.
func (p *repair) mayHaveGaps(ctx context.Context, pack manifest.Pack, chunks []*wanted, body []byte) error {
	if whole(pack, chunks, body) {
		return nil
	}
	now, err := p.l.Clock.Fresh(ctx, p.l.Store, 0)
	if err != nil {
		return err
	}
	if end := p.l.Settings.Times.EraEnd(pack.Era); now.Before(end) {
		return fmt.Errorf("%s cannot be restored to exactly the bytes that it had; repair it after %s", pack.Key(), end.UTC())
	}
	return nil
}

// whole reports whether body has exactly the bytes of the original pack: the
// chunks fill it, and its id, which is made of the chunks' digests, is the same.
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

// putPack replaces the state of a pack that was read, which has this token.
func (p *repair) putPack(ctx context.Context, key string, body []byte, token store.Token) error {
	for b := ledger.UntilKnown(); ; {
		_, err := p.l.Store.Put(ctx, key, body, token)
		switch {
		case errors.Is(err, store.ErrPrecondition):
			there, _, gerr := p.l.Store.Get(ctx, key, nil)
			if gerr == nil && bytes.Equal(there, body) {
				return nil // an earlier try of this call, or another repair
			}
			return fmt.Errorf("%s has changed meanwhile; verify again: %w", key, errors.Join(fault.ErrConflict, gerr))
		case errors.Is(err, store.ErrRetry), errors.Is(err, store.ErrUnknown):
			if !b.Again(ctx, err) {
				return errors.Join(err, ctx.Err())
			}
		default:
			return err
		}
	}
}

// mirror is the registry that a repair copies from.
type mirror struct {
	l       *ledger.Ledger
	digests map[manifest.Digest]ledger.Ref // of its live versions; nil until it is needed
	last    *ledger.Record                 // the version that was read last
}

// chunk returns the bytes of a chunk, decompressed. It takes them from a version
// of the mirror that has the same content as a version that uses the chunk here.
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

// version returns a version of the mirror with the content of s: the one with the
// same name and number, or any other.
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

// find looks up a digest among all live versions of the mirror.
func (m *mirror) find(ctx context.Context, d manifest.Digest) (ledger.Ref, bool, error) {
	if m.digests == nil {
		digests := map[manifest.Digest]ledger.Ref{}
		for info, err := range m.l.Store.List(ctx, manifest.ObjectsPrefix, "") {
			if ledger.IsUnreadable(ledger.ListingError(err)) {
				continue // other versions may have the digest
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
