package commit

import (
	"context"
	"time"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/manifest"
)

// Fill puts the result of the Writer into the manifest, and seals it. If the
// manifest is too large for a register, it stores the tables in packs. It
// returns the evidence: since when all packs of m have certainly existed; zero
// without packs.
func (t *Txn) Fill(ctx context.Context, m *manifest.Manifest, res *chunk.Result) (time.Time, error) {
	m.Content.Files = res.Files
	m.Placement.Inline, m.Placement.Packs = res.Inline, res.Packs
	if err := m.Seal(); err != nil {
		return time.Time{}, err
	}
	body, err := m.Encode()
	if err != nil || len(body) <= manifest.MaxTable {
		return res.Evidence, err
	}
	evidence, err := t.storeTable(ctx, m)
	if err != nil || res.Evidence.IsZero() || evidence.Before(res.Evidence) {
		return evidence, err
	}
	return res.Evidence, nil
}

// storeTable puts the tables of a large manifest into packs, and returns the
// evidence for these packs.
func (t *Txn) storeTable(ctx context.Context, m *manifest.Manifest) (time.Time, error) {
	table, err := m.EncodeTable()
	if err != nil {
		return time.Time{}, err
	}
	cfg := t.Config()
	cfg.MaxInline = 0
	cfg.Base = func(ctx context.Context) (*manifest.Manifest, error) {
		if t.baseRecord == nil {
			return nil, nil
		}
		return t.baseRecord.Manifest, nil
	}
	w := chunk.NewWriter(ctx, cfg)
	defer w.Abort()
	fw, err := w.Create("table", false)
	if err != nil {
		return time.Time{}, err
	}
	if _, err := fw.Write(table); err != nil {
		return time.Time{}, err
	}
	if err := fw.Close(); err != nil {
		return time.Time{}, err
	}
	res, err := w.Finish()
	if err != nil {
		return time.Time{}, err
	}
	f := res.Files[0]
	m.SetTable(f.Size, f.SHA256, f.Chunks, res.Packs)
	t.Table = res.Stats
	return res.Evidence, nil
}
