package ledger

import (
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
)

// Paced has the large transfers of a store in a bucket keep the pace that it
// serves best. A directory has one that is known.
func (l *Ledger) Paced(st store.Store) store.Store {
	most := l.Memory.Parallel()
	l.pace.gets, l.pace.puts = wrapstore.NewPace(most), wrapstore.NewPace(most)
	return wrapstore.Paced(st, l.pace.gets, l.pace.puts)
}

func (l *Ledger) ParallelPuts() func() int { return limitOf(l.pace.puts) }
func (l *Ledger) ParallelGets() func() int { return limitOf(l.pace.gets) }

func limitOf(p *wrapstore.Pace) func() int {
	if p == nil {
		return nil
	}
	return p.Limit
}

// Reader reads the files of a version.
func (l *Ledger) Reader(f *Record) *chunk.Reader {
	return chunk.NewReader(l.Store, f.Manifest, &chunk.ReaderOptions{Budget: l.Memory, Parallel: l.ParallelGets()})
}
