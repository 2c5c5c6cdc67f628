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

// Ledger reads and writes the registers of one open registry. It is safe for
// concurrent use. The exported fields are set before Begin and not changed
// afterwards.
type Ledger struct {
	URL      string             // where the registry is, for messages
	Store    store.Store        // it retries requests, and each answer sets Clock
	Clock    *wrapstore.Clock   // the store's time
	Settings *manifest.Settings // as they were when the registry was opened; set by Begin
	Locks    *lease.Locks       // the registry's locks
	Memory   *chunk.Budget      // bounds the memory for the data that operations move
	Compress bool               // saves compress what they store, unless their options say otherwise
	Offline  bool               // Store is a cache, which does not have everything
	Knobs    knob.Knobs         // what tests set
	Log      *slog.Logger

	large sync.Mutex                           // held while a large register is decoded
	pace  struct{ gets, puts *wrapstore.Pace } // nil unless Paced was called

	probing chan struct{} // held while the store is probed
	Probed  time.Time     // when it was last; written while probing is held
}

// New returns a Ledger without a store. The caller sets Store and Locks, and
// then calls Begin.
func New(url string, memory *chunk.Budget, log *slog.Logger) *Ledger {
	return &Ledger{URL: url, Clock: new(wrapstore.Clock), Memory: memory, Log: log, Knobs: knob.Default(), probing: make(chan struct{}, 1)}
}
