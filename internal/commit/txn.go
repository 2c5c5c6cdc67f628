package commit

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
)

// Txn makes one new version of an object. It is for one goroutine. Set the fields
// of the first two groups before the first call of a method.
type Txn struct {
	Ledger *ledger.Ledger
	Name   string // of the object

	Version  *manifest.Version // the number asked for; nil: the next free one
	Expect   *Expectation      // which version must be the latest; nil: no condition
	Base     *ledger.Ref       // the version whose chunks are reused; nil: the highest live one
	Optional bool              // Base is a guess: if it cannot be read, nothing is reused
	NoReuse  bool              // reuse no chunks
	Compress bool              // compress what is stored

	Known        []manifest.Version // versions that have a register, ascending
	Listed       bool               // Known is set; a caller that has just listed all versions sets both
	knownPartial bool               // Known has the highest versions only
	baseRecord   *ledger.Record     // the base, after it was read; nil: nothing is reused
	Table        chunk.Stats        // what storing the tables came to, if it was necessary
}

// New returns a transaction that makes the next free version of an object.
func New(l *ledger.Ledger, name string) *Txn {
	return &Txn{Ledger: l, Name: name, Compress: l.Compress}
}

// Config returns the configuration of the Writer that stores the version's files.
func (t *Txn) Config() chunk.Config {
	return chunk.Config{
		Store: t.Ledger.Store, Clock: t.Ledger.Clock, Times: t.Ledger.Settings.Times,
		Base: t.findBase, MaxInline: t.Ledger.Knobs.MaxInline, PackSize: t.Ledger.Knobs.MaxPack, Logger: t.Ledger.Log, Compress: t.Compress, Budget: t.Ledger.Memory, Parallel: t.Ledger.ParallelPuts(),
	}
}

// list sets Known to the object's highest versions, unless it is set.
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

// errExists returns the ErrExists of the number asked for.
func (t *Txn) errExists(ctx context.Context) error {
	f, err := t.Ledger.Read(ctx, t.Name, *t.Version)
	if err == nil && f.State != manifest.Live {
		return fmt.Errorf("version %s %w: it was deleted, and numbers are never used again", t.Version, fault.ErrExists)
	}
	return fmt.Errorf("version %s %w", t.Version, fault.ErrExists)
}

// isTaken reports whether the number asked for has a register.
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

// LeaveMilestone is called after the transaction has committed version v. It puts
// a milestone if many versions have to be looked through to find the highest. A
// transaction that has listed nothing, because its number was given, does this
// for one number in Knobs.Milestone only. An error is only logged: nothing but
// speed depends on milestones.
func (t *Txn) LeaveMilestone(ctx context.Context, v manifest.Version) {
	if !t.Listed && crc32.ChecksumIEEE([]byte(v.Key()))%uint32(t.Ledger.Knobs.Milestone) != 0 {
		return
	}
	if err := t.list(ctx); err != nil {
		t.Ledger.Log.DebugContext(ctx, "no milestone", "name", t.Name, "error", err)
		return
	}
	t.Ledger.LeaveMilestone(ctx, t.Name, t.Known, v)
}
