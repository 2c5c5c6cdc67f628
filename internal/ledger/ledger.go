// Package ledger reads and writes the registers of a registry: versions, tags,
// and the settings. It resolves references, lists, and knows what a register's
// state means. Everything above it — commits, collections, verification,
// copies — reads and writes registers through it.
package ledger

import (
	"log/slog"
	"sync"
	"time"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/internal/lease"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
)

// Ledger is the registers of one open registry. Many goroutines may use it.
type Ledger struct {
	URL      string             // where the registry is, for messages
	Store    store.Store        // retries, and tells Clock the time
	Clock    *wrapstore.Clock   // the store's time
	Settings *manifest.Settings // as they were when the registry was opened
	Locks    *lease.Locks
	Memory   *chunk.Budget // for the data that operations move
	Compress bool          // what saves store, unless they say otherwise
	Knobs    knob.Knobs    // what tests set
	Offline  bool          // Store is a cache, which never has everything
	Log      *slog.Logger

	large sync.Mutex                           // held while a large register is decoded
	pace  struct{ gets, puts *wrapstore.Pace } // nil for a directory

	probing chan struct{} // held while the store is probed
	Probed  time.Time     // when it was last; written while probing is held
}

// New returns a Ledger without a store: the caller sets Store and Locks, and
// calls Begin.
func New(url string, memory *chunk.Budget, log *slog.Logger) *Ledger {
	return &Ledger{URL: url, Clock: new(wrapstore.Clock), Memory: memory, Log: log, Knobs: knob.Default(), probing: make(chan struct{}, 1)}
}
