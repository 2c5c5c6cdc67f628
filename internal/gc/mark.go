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

// markState is what marking finds. It is small: some 50 bytes for each pack,
// some 30 for each register.
type markState struct {
	roots     map[root]flags
	purgeable []*ledger.Record // tombstones that are no roots any more, without their manifests

	mu     sync.Mutex
	seen   map[state]struct{}
	tables sync.Mutex // one large table in memory at a time
	read   int64      // bytes of registers
}

// root names a pack that is kept. Half of its id is enough: were two packs
// ever to share it, one would be kept for nothing.
type root struct {
	id  [16]byte
	era uint64
}

func rootOf(p manifest.Pack) root { return root{[16]byte(p.ID[:16]), p.Era} }

type flags uint8

const (
	byLive    flags = 1 << iota // a live version names the pack
	byDeleted                   // a recently deleted one does
	byPurged                    // a recently purged one does
	listed                      // the store lists it
)

// state identifies one state of one key.
type state [16]byte

func stateOf(key string, token store.Token) state {
	sum := sha256.Sum256([]byte(key + "\x00" + string(token)))
	return state(sum[:16])
}

// note takes note of a state and reports whether it is new.
func (m *markState) note(key string, token store.Token) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := stateOf(key, token)
	_, known := m.seen[s]
	m.seen[s] = struct{}{}
	return !known
}

// EnoughListings is after how many listings those of a registry that never rests
// suffice which show nothing new but what was written after m0.
const EnoughListings = 10

// mark finds the roots: the packs of all live and recently deleted versions.
//
// It lists the registers until a listing shows nothing new, so that one that
// misses some of them does no harm (attack A28). Versions that were committed
// after m0 need not be seen — the protocol proves that what they name is
// a root by others, or too young — so in a registry where every listing shows
// new ones, these alone do not keep it going for ever.
//
// A register that another collection has reduced, which began long after this
// one, names nothing any more. All that was built on it was committed before,
// and the next listing shows it. So one of these is worth another listing,
// always.
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

// pass lists all registers and reads those that are new. It returns how many
// were, and how many of them had been written when the collection began.
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
	var bad ledger.Unreadables // told all at once
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

// register reads one register, as far as it names roots. Whatever cannot be
// read ends the collection (attack A25).
func (c *collector) register(ctx context.Context, info store.Info) (*ledger.Record, error) {
	name, v, err := manifest.ParseVersionRegisterKey(info.Key)
	if err != nil { // it is not strange, and so may be a register
		return nil, fmt.Errorf("%w: %s may be the register of a version, but no version has this name; move it out of the registry, it may be a copy that another program has made", fault.ErrIntegrity, info.Key)
	}
	var f *ledger.Record
	err = c.retry(ctx, func() (err error) {
		f, err = c.l.ReadPart(ctx, name, v, packsAlone)
		return err
	})
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return nil, fmt.Errorf("%s is listed, but is not there: registers are never removed", info.Key)
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read; mindreg verify tells more: %w", info.Key, err)
	}
	c.note(info.Key, f.Stored.Token)
	if c.isRoot(f) && f.Table != nil {
		c.tables.Lock()
		defer c.tables.Unlock()
		if err := c.l.Complete(ctx, f); err != nil {
			return nil, fmt.Errorf("%s: %w", info.Key, err)
		}
	}
	f.Content, f.Placement = manifest.Content{}, manifest.Placement{Packs: f.Placement.Packs} // all that is needed on
	c.progressRead(f.Stored.Size)
	return f, nil
}

// packsAlone leaves of a manifest what a collection needs, unless that is still
// to come with its table.
func packsAlone(m *manifest.Manifest) {
	m.Content.Files, m.Placement = nil, manifest.Placement{Packs: m.Placement.Packs}
}

func (c *collector) progressRead(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read += n
	c.progress("reading versions", c.read, false)
}

// add takes in what one register names. One that has changed since an earlier
// listing adds to what it named then; it counts in both of its states.
func (c *collector) add(f *ledger.Record) {
	root, flag := c.isRoot(f), byLive
	switch {
	case f.State == manifest.Live:
		c.report.Versions.Live++
		if !f.Sound(f.Stored.Modified) {
			flag = byDeleted // it came too late, was never acknowledged, and is about to be buried: its packs may be gone
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
		c.report.Versions.Deleted++ // its register says that what is below it counts
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

// reduced reports whether nothing is left in a register that a collection
// looks for.
func stripped(f *ledger.Record) bool { return f.State == manifest.Purged && !f.NamesPacks() }

// reduce reduces the registers of versions that can no longer be brought back,
// and that nobody builds on. An Undelete is refused by its age alone, and one
// that was held up loses against this, or this against it: both swap the same
// state.
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
		case !errors.Is(res.Err, fault.ErrConflict): // another collection has done it
			return fmt.Errorf("reducing the register of %s@%s: %w", res.In.Name, res.In.Version, res.Err)
		}
	}
	return ctx.Err()
}
