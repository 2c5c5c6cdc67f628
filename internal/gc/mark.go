package gc

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// markState is what the mark finds. It needs some 50 bytes for each pack and some
// 30 for each register.
type markState struct {
	roots     map[root]flags
	purgeable []*ledger.Record // registers to be stripped, in their new state

	mu     sync.Mutex
	seen   map[state]struct{} // states of registers that were read
	tables sync.Mutex         // held while a table is read: one at a time in memory
	read   int64              // bytes of registers that were read
}

// root identifies a pack that is kept, by half of its id. If two packs ever had
// the same half, one of them would be kept without need.
type root struct {
	id  [16]byte
	era uint64
}

func rootOf(p manifest.Pack) root { return root{[16]byte(p.ID[:16]), p.Era} }

// flags say why a pack is kept.
type flags uint8

const (
	byLive    flags = 1 << iota // a live version names the pack
	byDeleted                   // a recently deleted version names it
	byPurged                    // a recently purged version names it
	listed                      // the store lists the pack
)

// state identifies one state of one key: a hash of the key and its token.
type state [16]byte

func stateOf(key string, token store.Token) state {
	sum := sha256.Sum256([]byte(key + "\x00" + string(token)))
	return state(sum[:16])
}

// note records a state, and reports whether it is new.
func (m *markState) note(key string, token store.Token) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := stateOf(key, token)
	_, known := m.seen[s]
	m.seen[s] = struct{}{}
	return !known
}

// EnoughListings is the number of listings after which the mark may end although
// the last listing showed new registers, if all of these were written after the
// collection began.
const EnoughListings = 10

// mark finds the roots: the packs of all live and recently deleted versions.
//
// It lists the registers until a listing shows nothing new. So a listing that
// misses some of them does no harm (docs/attacks.md, A28).
//
// Versions that were committed after the collection began need not be seen:
// docs/protocol.md proves that each pack they name is also named by an older
// version, or is in an era that is not closed. So in a registry where every
// listing shows new versions, the mark ends after EnoughListings.
//
// One kind of new register always requires another listing: one that another
// collection has stripped, which began long after this one. It names no packs
// any more. Versions that reuse its packs were committed before it was stripped,
// so the next listing shows them.
func (c *collector) mark(ctx context.Context) error {
	for {
		c.report.Listings++
		fresh, old, err := c.pass(ctx)
		if err != nil {
			return fmt.Errorf("nothing was deleted: %w", err)
		}
		if fresh == 0 || old == 0 && c.report.Listings >= EnoughListings {
			return nil
		}
	}
}

// pass lists all registers and reads those that are new. It returns how many were
// new, and how many of these require another listing: they were written before
// the collection began, or were stripped.
func (c *collector) pass(ctx context.Context) (fresh, old int, err error) {
	registers := func(yield func(store.Info, error) bool) {
		for info, err := range c.l.Store.List(ctx, manifest.ObjectsPrefix, "") {
			err = ledger.ListingError(err)
			if err == nil && (manifest.IsMilestone(info.Key) || !c.note(info.Key, info.Token) || c.strange(info.Key)) {
				continue
			}
			if !yield(info, err) {
				return
			}
		}
	}
	var bad ledger.Unreadables // all that cannot be read is reported together
	for res := range ledger.Parallel(ctx, registers, c.register) {
		if bad.Pass(res.Err) {
			continue
		}
		if res.Err != nil {
			return 0, 0, res.Err
		}
		fresh++
		if !res.In.Modified.After(c.m0) || stripped(res.Out) {
			old++
		}
		c.add(res.Out)
	}
	if ctx.Err() == nil && len(bad) > 0 {
		return 0, 0, bad.Err()
	}
	return fresh, old, ctx.Err()
}

// register reads one register, and keeps the names of its packs. A register that
// cannot be read ends the collection: it may name any pack (docs/attacks.md,
// A25).
func (c *collector) register(ctx context.Context, info store.Info) (*ledger.Record, error) {
	name, v, err := manifest.ParseVersionRegisterKey(info.Key)
	if err != nil { // strange has let it pass, so it may be a register
		return nil, fmt.Errorf("%w: %s may be the register of a version, but no version has this name; move it out of the registry, it may be a copy that another program has made", fault.ErrIntegrity, info.Key)
	}
	var f *ledger.Record
	err = c.retry(ctx, func() (err error) {
		f, err = c.l.ReadPart(ctx, name, v, packsAlone)
		return err
	})
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return nil, fmt.Errorf("the store lists %s and says that it does not exist; registers are never removed", info.Key)
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read; run mindreg verify for details: %w", info.Key, err)
	}
	c.note(info.Key, f.Stored.Token)
	if c.isRoot(f) && f.Table != nil {
		c.tables.Lock()
		defer c.tables.Unlock()
		if err := c.l.Complete(ctx, f); err != nil {
			return nil, fmt.Errorf("%s: %w", info.Key, err)
		}
	}
	f.Content, f.Placement = manifest.Content{}, manifest.Placement{Packs: f.Placement.Packs} // the rest is not needed
	c.progressRead(f.Stored.Size)
	return f, nil
}

// packsAlone removes from a manifest what a collection does not need. The packs of
// a manifest with a table are read with the table.
func packsAlone(m *manifest.Manifest) {
	m.Content.Files, m.Placement = nil, manifest.Placement{Packs: m.Placement.Packs}
}

func (c *collector) progressRead(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read += n
	c.progress("reading versions", c.read, false)
}

// add records the packs that one register names. A register that has changed since
// an earlier listing is added in both of its states.
func (c *collector) add(f *ledger.Record) {
	root, flag := c.isRoot(f), byLive
	switch {
	case f.State == manifest.Live:
		c.report.Versions.Live++
		if !f.Sound(f.Stored.Modified) {
			flag = byDeleted // committed too late and never acknowledged: its saver is about to delete it, and its packs may be gone
		}
	case stripped(f):
		c.report.Versions.Purged++
	case f.State == manifest.Purged && root:
		c.report.Versions.Purged++
		c.report.Versions.Waiting++
		flag = byPurged
	case f.State == manifest.Purged:
		c.report.Versions.Purged++
		c.purgeable = append(c.purgeable, &ledger.Record{Manifest: f.Purged(f.Died), Stored: f.Stored})
	case root:
		c.report.Versions.Deleted++
		flag = byDeleted
	case f.Late() && c.l.Settings.Unversioned:
		c.report.Versions.Deleted++ // keep its manifest, which says that the versions below it count
	default:
		c.report.Versions.Purged++
		c.purgeable = append(c.purgeable, &ledger.Record{Manifest: f.Purged(f.Stored.Modified), Stored: f.Stored})
	}
	if root {
		for _, p := range f.Packs() {
			c.roots[rootOf(p)] |= flag
		}
	}
}

// stripped reports whether a register is stripped: it names no packs any more.
func stripped(f *ledger.Record) bool { return f.State == manifest.Purged && !f.NamesPacks() }

// strip strips the registers of versions that can no longer be undeleted, and that
// no save under way has as evidence, down to name and number. An undelete is
// refused because of their age. An undelete that was held up does no harm: it and
// strip swap the same state, so one of them fails.
func (c *collector) strip(ctx context.Context) error {
	c.report.Versions.Purging = len(c.purgeable)
	if c.dryRun {
		return nil
	}
	c.report.Versions.Purging = 0
	all := func(yield func(*ledger.Record, error) bool) {
		for _, f := range c.purgeable {
			if !yield(f, nil) {
				return
			}
		}
	}
	swap := func(ctx context.Context, f *ledger.Record) (time.Time, error) {
		g, err := c.l.Replace(ctx, f, f.Manifest)
		if err != nil {
			return time.Time{}, err
		}
		return g.Stored.Modified, nil
	}
	for res := range ledger.Parallel(ctx, all, swap) {
		switch {
		case res.Err == nil:
			c.report.Versions.Purging++
		case res.In == nil:
			return res.Err
		case !errors.Is(res.Err, fault.ErrConflict): // after a conflict, another collection has done it
			return fmt.Errorf("stripping the register of %s@%s: %w", res.In.Name, res.In.Version, res.Err)
		}
	}
	return ctx.Err()
}
