package ledger

import (
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
)

// Paced wraps a store in a bucket: it finds out how many large transfers at the
// same time the bucket serves fastest, and does not exceed that number. For
// a directory the number is known, so it is not wrapped.
func (l *Ledger) Paced(st store.Store) store.Store {
	most := l.Memory.Parallel()
	l.pace.gets, l.pace.puts = wrapstore.NewPace(most), wrapstore.NewPace(most)
	return wrapstore.Paced(st, l.pace.gets, l.pace.puts)
}

// ParallelPuts returns a function that says how many packs to put at the same
// time; nil if Paced was not called.
func (l *Ledger) ParallelPuts() func() int { return limitOf(l.pace.puts) }

// ParallelGets is ParallelPuts for reading packs.
func (l *Ledger) ParallelGets() func() int { return limitOf(l.pace.gets) }

func limitOf(p *wrapstore.Pace) func() int {
	if p == nil {
		return nil
	}
	return p.Limit
}

// Reader returns a reader of the files of a version. f has its table: see
// Complete.
func (l *Ledger) Reader(f *Record) *chunk.Reader {
	return chunk.NewReader(l.Store, f.Manifest, &chunk.ReaderOptions{Budget: l.Memory, Parallel: l.ParallelGets()})
}
