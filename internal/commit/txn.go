package commit

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
)

// Txn is one version on its way into the registry. A save, a copy and the
// repair of a register all take the same steps: store the files with a Writer
// of config, fill in the manifest, commit.
type Txn struct {
	Ledger *ledger.Ledger
	Name   string // of the object

	Version  *manifest.Version // the number asked for; nil: the next free one
	Expect   *Expectation      // nil: none
	Base     *ledger.Ref       // the version whose chunks are reused; nil: the highest live one
	Optional bool              // base is a guess: without it nothing is reused, and the save goes on
	NoReuse  bool              // reuse no chunks
	Compress bool              // what is stored

	Known        []manifest.Version // versions that have a register, ascending
	Listed       bool               // known is set
	knownPartial bool               // known holds the highest only
	baseRecord   *ledger.Record     // the base, once it was read
	Table        chunk.Stats
}

// New returns a transaction of the next free version of an object.
func New(l *ledger.Ledger, name string) *Txn {
	return &Txn{Ledger: l, Name: name, Compress: l.Compress}
}

// Config is how the bytes of the version are stored.
func (t *Txn) Config() chunk.Config {
	return chunk.Config{
		Store: t.Ledger.Store, Clock: t.Ledger.Clock, Times: t.Ledger.Settings.Times,
		Base: t.findBase, MaxInline: knob.MaxInline, Logger: t.Ledger.Log, Compress: t.Compress, Budget: t.Ledger.Memory, Parallel: t.Ledger.ParallelPuts(),
	}
}

// list lists the object's highest versions, once.
func (t *Txn) list(ctx context.Context) error {
	if t.Listed {
		return nil
	}
	known, whole, err := t.Ledger.HighestVersions(ctx, t.Name)
	if err != nil {
		return err
	}
	t.Known, t.knownPartial, t.Listed = known, !whole, true
	return nil
}

// exists says why the version asked for cannot be used.
func (t *Txn) errExists(ctx context.Context) error {
	f, err := t.Ledger.Read(ctx, t.Name, *t.Version)
	if err == nil && f.State != manifest.Live {
		return fmt.Errorf("version %s %w: it was deleted, and numbers are never used again", t.Version, fault.ErrExists)
	}
	return fmt.Errorf("version %s %w", t.Version, fault.ErrExists)
}

// isTaken reports whether the version asked for has a register.
func (t *Txn) isTaken(ctx context.Context) bool {
	for _, v := range t.Known {
		if v == *t.Version {
			return true
		}
	}
	if t.knownPartial && t.Version.Compare(t.Known[0]) < 0 {
		_, err := t.Ledger.Read(ctx, t.Name, *t.Version)
		return !errors.Is(err, fault.ErrNotFound)
	}
	return false
}

// LeaveMilestone leaves a milestone if the transaction, which has committed
// version v, had to look through many versions to find the highest. One that
// did not have to look, because it was told its number, does so one time in
// many.
//
// Nothing but speed depends on milestones.
func (t *Txn) LeaveMilestone(ctx context.Context, v manifest.Version) {
	if !t.Listed && crc32.ChecksumIEEE([]byte(v.Key()))%uint32(knob.Milestone) != 0 {
		return
	}
	if err := t.list(ctx); err != nil {
		t.Ledger.Log.DebugContext(ctx, "no milestone", "name", t.Name, "error", err)
		return
	}
	t.Ledger.LeaveMilestone(ctx, t.Name, t.Known, v)
}
