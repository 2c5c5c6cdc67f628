package registry

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// markState is what marking finds. It is small: some 50 bytes for each pack,
// some 30 for each register.
type markState struct {
	roots     map[root]flags
	purgeable []*found // tombstones that are no roots any more, without their manifests

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

// enough is after how many listings those of a registry that never rests
// suffice which show nothing new but what was written after m0.
const enough = 10

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
		if fresh == 0 || old == 0 && c.report.Listings >= enough {
			return nil
		}
	}
}

// pass lists all registers and reads those that are new. It returns how many
// were, and how many of them had been written when the collection began.
func (c *collector) pass(ctx context.Context) (fresh, old int, err error) {
	registers := func(yield func(store.Info, error) bool) {
		for info, err := range c.r.st.List(ctx, manifest.ObjectsPrefix, "") {
			err = listError(err)
			if err == nil && (manifest.IsMilestone(info.Key) || !c.note(info.Key, info.Token) || c.strange(info.Key)) {
				continue
			}
			if !yield(info, err) {
				return
			}
		}
	}
	var bad unreadables // told all at once
	for res := range parallel(ctx, registers, c.register) {
		if bad.pass(res.err) {
			continue
		}
		if res.err != nil {
			return 0, 0, res.err
		}
		fresh++
		if !res.in.Modified.After(c.m0) || reduced(res.out) {
			old++
		}
		c.add(res.out)
	}
	if ctx.Err() == nil && len(bad) > 0 {
		return 0, 0, bad.err()
	}
	return fresh, old, ctx.Err()
}

// register reads one register, as far as it names roots. Whatever cannot be
// read ends the collection (attack A25).
func (c *collector) register(ctx context.Context, info store.Info) (*found, error) {
	name, v, err := manifest.ParseVersionRegisterKey(info.Key)
	if err != nil { // it is not strange, and so may be a register
		return nil, fmt.Errorf("%w: %s may be the register of a version, but no version has this name; move it out of the registry, it may be a copy that another program has made", ErrIntegrity, info.Key)
	}
	var f *found
	err = c.retry(ctx, func() (err error) {
		f, err = c.r.readPart(ctx, name, v, packsAlone)
		return err
	})
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, fmt.Errorf("%s is listed, but is not there: registers are never removed", info.Key)
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read; mindreg verify tells more: %w", info.Key, err)
	}
	c.note(info.Key, f.info.Token)
	if c.isRoot(f) && f.Table != nil {
		c.tables.Lock()
		defer c.tables.Unlock()
		if err := c.r.complete(ctx, f); err != nil {
			return nil, fmt.Errorf("%s: %w", info.Key, err)
		}
	}
	f.Content, f.Placement = manifest.Content{}, manifest.Placement{Packs: f.Placement.Packs} // all that is needed on
	c.progressRead(f.info.Size)
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
func (c *collector) add(f *found) {
	root, flag := c.isRoot(f), byLive
	switch {
	case f.State == manifest.Live:
		c.report.Versions.Live++
		if !f.Sound(f.info.Modified) {
			flag = byDeleted // it came too late, was never acknowledged, and is about to be buried: its packs may be gone
		}
	case reduced(f):
		c.report.Versions.Purged++
	case f.State == manifest.Purged && root:
		c.report.Versions.Purged++
		c.report.Versions.Waiting++
		flag = byPurged
	case f.State == manifest.Purged:
		c.report.Versions.Purged++
		c.purgeable = append(c.purgeable, &found{f.Purged(f.Died), f.info})
	case root:
		c.report.Versions.Deleted++
		flag = byDeleted
	case f.late() && c.r.settings.Unversioned:
		c.report.Versions.Deleted++ // its register says that what is below it counts
	default:
		c.report.Versions.Purged++
		c.purgeable = append(c.purgeable, &found{f.Purged(f.info.Modified), f.info})
	}
	if root {
		for _, p := range f.Packs() {
			c.roots[rootOf(p)] |= flag
		}
	}
}

// reduced reports whether nothing is left in a register that a collection
// looks for.
func reduced(f *found) bool { return f.State == manifest.Purged && !f.NamesPacks() }

// reduce reduces the registers of versions that can no longer be brought back,
// and that nobody builds on. An Undelete is refused by its age alone, and one
// that was held up loses against this, or this against it: both swap the same
// state.
func (c *collector) reduce(ctx context.Context) error {
	c.report.Versions.Purging = len(c.purgeable)
	if c.dryRun {
		return nil
	}
	c.report.Versions.Purging = 0
	all := func(yield func(*found, error) bool) {
		for _, f := range c.purgeable {
			if !yield(f, nil) {
				return
			}
		}
	}
	swap := func(ctx context.Context, f *found) (time.Time, error) {
		g, err := c.r.replace(ctx, f, f.Manifest)
		if err != nil {
			return time.Time{}, err
		}
		return g.info.Modified, nil
	}
	for res := range parallel(ctx, all, swap) {
		switch {
		case res.err == nil:
			c.report.Versions.Purging++
		case res.in == nil:
			return res.err
		case !errors.Is(res.err, ErrConflict): // another collection has done it
			return fmt.Errorf("reducing the register of %s@%s: %w", res.in.Name, res.in.Version, res.err)
		}
	}
	return ctx.Err()
}
