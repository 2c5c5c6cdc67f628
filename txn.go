package registry

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/internal/manifest"
)

// txn is one version on its way into the registry. A save, a copy and the
// repair of a register all take the same steps: store the files with a Writer
// of config, fill in the manifest, commit.
type txn struct {
	r    *Registry
	name string // of the object

	version  *Version     // the number asked for; nil: the next free one
	expect   *expectation // nil: none
	base     *xref        // the version whose chunks are reused; nil: the highest live one
	optional bool         // base is a guess: without it nothing is reused, and the save goes on
	noReuse  bool         // reuse no chunks
	compress bool         // what is stored

	known   []Version // versions that have a register, ascending
	listed  bool      // known is set
	partial bool      // known holds the highest only
	found   *found    // the base, once it was read
	table   chunk.Stats
}

// newTxn returns a transaction of the next free version of an object.
func newTxn(r *Registry, name string) *txn {
	return &txn{r: r, name: name, compress: r.compress}
}

// config is how the bytes of the version are stored.
func (t *txn) config() chunk.Config {
	return chunk.Config{
		Store: t.r.st, Clock: t.r.clock, Times: t.r.settings.Times,
		Base: t.findBase, MaxInline: knob.MaxInline, Logger: t.r.log, Compress: t.compress, Budget: t.r.memory, Parallel: t.r.parallelPuts(),
	}
}

// list lists the object's highest versions, once.
func (t *txn) list(ctx context.Context) error {
	if t.listed {
		return nil
	}
	known, whole, err := t.r.top(ctx, t.name)
	if err != nil {
		return err
	}
	t.known, t.partial, t.listed = known, !whole, true
	return nil
}

// exists says why the version asked for cannot be used.
func (t *txn) exists(ctx context.Context) error {
	f, err := t.r.read(ctx, t.name, *t.version)
	if err == nil && f.State != manifest.Live {
		return fmt.Errorf("version %s %w: it was deleted, and numbers are never used again", t.version, ErrExists)
	}
	return fmt.Errorf("version %s %w", t.version, ErrExists)
}

// isTaken reports whether the version asked for has a register.
func (t *txn) isTaken(ctx context.Context) bool {
	for _, v := range t.known {
		if v == *t.version {
			return true
		}
	}
	if t.partial && t.version.Compare(t.known[0]) < 0 {
		_, err := t.r.read(ctx, t.name, *t.version)
		return !errors.Is(err, ErrNotFound)
	}
	return false
}

// leaveMilestone leaves a milestone if the transaction, which has committed
// version v, had to look through many versions to find the highest. One that
// did not have to look, because it was told its number, does so one time in
// many.
//
// Nothing but speed depends on milestones.
func (t *txn) leaveMilestone(ctx context.Context, v Version) {
	if !t.listed && crc32.ChecksumIEEE([]byte(v.Key()))%uint32(knob.Milestone) != 0 {
		return
	}
	if err := t.list(ctx); err != nil {
		t.r.log.DebugContext(ctx, "no milestone", "name", t.name, "error", err)
		return
	}
	t.r.leaveMilestone(ctx, t.name, t.known, v)
}
