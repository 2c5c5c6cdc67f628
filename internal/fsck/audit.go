package fsck

import (
	"context"
	"slices"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
)

// Damage is a pack that is missing or damaged, with all that this makes
// unreadable.
type Damage struct {
	Key     string // of the pack, in the store
	Missing bool   // otherwise it holds wrong bytes
	Hurts   []Hurt // in all versions that were verified
}

// Hurt is a part of a file that cannot be read unless its pack is repaired.
type Hurt struct {
	Ref    string // name@version
	File   string // path in the version; "": the table that says where its files are
	Offset int64  // in the file, in bytes
	Size   int64  // in bytes
	SHA256 string // of the lost bytes, in hexadecimal
}

// use is one place where a version uses a chunk of a pack.
type use struct {
	manifest.Chunk
	file int   // index of the file; -1: the table
	at   int64 // offset in the file
}

// uses returns which chunks a version uses of each pack, by the key of the pack.
// If the table could not be read, these are the chunks of the table only.
func uses(m *manifest.Manifest) map[string][]use {
	all := map[string][]use{}
	add := func(packs []manifest.Pack, chunks []manifest.Chunk, file int) {
		var at int64
		for _, c := range chunks {
			key := packs[c.Pack].Key()
			all[key] = append(all[key], use{c, file, at})
			at += c.Size
		}
	}
	if m.Table != nil {
		add(m.Table.Packs, m.Table.File.Chunks, -1)
	}
	for i := range m.Content.Files {
		add(m.Placement.Packs, m.Content.Files[i].Chunks, i)
	}
	return all
}

// audit is called for a version that could not be read: reading it ended at the
// first damaged pack. audit reads each of its packs, and records all damage.
func (v *verification) audit(ctx context.Context, f *ledger.Record) error {
	all := uses(f.Manifest)
	for _, p := range slices.Concat(tablePacks(f.Manifest), f.Placement.Packs) {
		list := all[p.Key()]
		if len(list) == 0 {
			continue
		}
		delete(all, p.Key()) // a pack may hold both table and files
		bad, missing, err := v.badIn(ctx, p.Key(), list)
		if err != nil {
			return err
		}
		for _, u := range bad {
			h := Hurt{Ref: f.Name + "@" + f.Version.String(), Offset: u.at, Size: u.Size, SHA256: u.SHA256.Hex()}
			if u.file >= 0 {
				h.File = f.Content.Files[u.file].Path
			}
			v.addHurt(p.Key(), missing, h)
		}
	}
	return nil
}

// tablePacks returns the packs that hold the version's table.
func tablePacks(m *manifest.Manifest) []manifest.Pack {
	if m.Table == nil {
		return nil
	}
	return m.Table.Packs
}

// badIn reads a pack and returns the uses in list whose bytes it does not hold. If
// the pack does not exist, these are all, and missing is set.
func (v *verification) badIn(ctx context.Context, key string, list []use) (bad []use, missing bool, err error) {
	release, err := v.l.Memory.Hold(ctx, chunk.MaxPack+chunk.MaxChunk)
	if err != nil {
		return nil, false, err
	}
	defer release()
	body, _, err := v.l.Store.Get(ctx, key, nil)
	if ledger.IsNotFound(err) {
		return list, true, nil
	}
	if ledger.IsOfOneKey(ctx, err) {
		return nil, false, nil // unknown whether it is damaged
	}
	if err != nil {
		return nil, false, err
	}
	for _, u := range list {
		if !chunk.Holds(body, u.Chunk) {
			bad = append(bad, u)
		}
	}
	return bad, false, nil
}

// addHurt records that a pack hurts a part of a file.
func (v *verification) addHurt(key string, missing bool, h Hurt) {
	i := slices.IndexFunc(v.report.Damage, func(d Damage) bool { return d.Key == key })
	if i < 0 {
		i = len(v.report.Damage)
		v.report.Damage = append(v.report.Damage, Damage{Key: key, Missing: missing})
	}
	v.report.Damage[i].Hurts = append(v.report.Damage[i].Hurts, h)
}
