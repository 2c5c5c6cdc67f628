package gc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// collector is one garbage collection. docs/protocol.md proves that it is safe:
// that depends neither on a lock nor on how long any step takes.
type collector struct {
	l             *ledger.Ledger
	dryRun        bool
	progress      func(what string, done int64, finished bool) // see Run
	report        Report
	strangerBytes int // length of all keys in report.Strangers

	marker *manifest.Collection
	key    string // of the marker
	info   store.Info
	m0     time.Time // the store's date of the marker

	markState
}

// Run frees the packs that no version needs any more. With dryRun it changes
// nothing and reports what it would free. It calls progress with the name of the
// present step and the bytes done in it; finished is set in the last call only.
// It returns a report also with an error, of what was done until then.
//
// Many collections may run at the same time, beside every other operation. If
// the registry is damaged so that a register cannot be read, nothing is deleted.
func Run(ctx context.Context, l *ledger.Ledger, dryRun bool, progress func(what string, done int64, finished bool)) (*Report, error) {
	c := &collector{l: l, dryRun: dryRun, progress: progress, markState: markState{roots: map[root]flags{}, seen: map[state]struct{}{}}}
	begun := time.Now()
	err := c.run(ctx)
	c.report.Seconds = time.Since(begun).Seconds()
	return &c.report, err
}

func (c *collector) run(ctx context.Context) error {
	if err := c.checkSettings(ctx); err != nil {
		return err
	}
	if err := c.begin(ctx); err != nil {
		return err
	}
	if err := c.mark(ctx); err != nil {
		return err
	}
	if err := c.sweep(ctx); err != nil {
		return err
	}
	if err := c.strip(ctx); err != nil {
		return err
	}
	times := c.l.Settings.Times
	var left store.Cleaned
	var err error
	if s, ok := store.As[store.Cleaner](c.l.Store); ok {
		left, err = s.Clean(ctx, manifest.Prefixes, c.m0.Add(-times.WindowD()-times.MarginD()), c.dryRun)
	}
	c.report.Leftovers = left
	if err != nil {
		c.l.Log.WarnContext(ctx, "leftovers of writers", "error", err) // not an error: the packs have been freed
	}
	if err := c.finish(ctx); err != nil {
		return err
	}
	if !c.dryRun {
		c.l.Reserve(ctx)
	}
	c.progress("finished", c.report.Total.Bytes, true)
	c.l.Log.InfoContext(ctx, "garbage collected", "dryRun", c.dryRun, "live", c.report.Live, "freed", c.report.Freed)
	return nil
}

// checkSettings reads the settings anew. The registry may have been opened long
// ago, and upgraded since by a program in whose format other registers name packs
// too. A collection that does not know these would free their packs
// (docs/attacks.md, A27).
func (c *collector) checkSettings(ctx context.Context) error {
	s, _, err := c.l.ReadSettings(ctx)
	if err == nil && s.Times != c.l.Settings.Times {
		err = fmt.Errorf("%w: its time settings have changed since it was opened; open it again", fault.ErrNoRegistry)
	}
	return err
}

// begin puts the marker. The store's date of it is the time by which the
// collection judges all ages. The clock of this process may be wrong
// (docs/attacks.md, A24). A dry run puts no marker and asks the store for its
// time.
func (c *collector) begin(ctx context.Context) error {
	if c.dryRun {
		now, err := c.l.Store.Now(ctx)
		c.m0 = now
		c.report.DryRun, c.report.Started = true, now.UTC()
		return err
	}
	c.marker = manifest.NewCollection()
	c.key = manifest.CollectionKey(c.marker.Nonce)
	body, err := c.marker.Encode()
	if err != nil {
		return err
	}
	if c.info, err = c.l.Write(ctx, c.key, body, store.Absent, c.marker.Nonce); err != nil {
		return err
	}
	c.m0 = c.info.Modified
	c.report.Started = c.m0.UTC()
	return nil
}

// finish writes the report into the marker, and removes the markers of earlier
// collections.
func (c *collector) finish(ctx context.Context) error {
	if c.dryRun {
		return nil
	}
	var err error
	if c.marker.Report, err = json.Marshal(&c.report); err != nil {
		return err
	}
	c.marker.Started = c.m0.UTC()
	c.marker.Supersede()
	body, err := c.marker.Encode()
	if err != nil {
		return err
	}
	_, err = c.l.Write(ctx, c.key, body, c.info.Token, c.marker.Nonce)
	if err != nil && !errors.Is(err, fault.ErrConflict) { // after a conflict, a later collection has removed our marker
		return fmt.Errorf("writing the report: %w", err)
	}
	for info, err := range c.l.Store.List(ctx, manifest.CollectionsPrefix, "") {
		if err = ledger.ListingError(err); ledger.IsUnreadable(err) {
			c.l.Log.WarnContext(ctx, "markers of collections", "error", err) // they are left
			continue
		}
		if err != nil {
			return err
		}
		if info.Key == c.key {
			continue
		}
		over, err := c.isOver(ctx, info)
		if err == nil && over {
			err = c.remove(ctx, info.Key)
		}
		if err != nil && !ledger.IsNotFound(err) && !errors.Is(err, errRetained) {
			return err
		}
	}
	return nil
}

// isOver reports whether another marker can be removed: its collection began
// earlier and has ended, or was probably killed. If that one is only slow, it
// loses nothing but its report.
func (c *collector) isOver(ctx context.Context, info store.Info) (bool, error) {
	var m *manifest.Collection
	now, err := c.l.ReadRegister(ctx, info.Key, "", func(body []byte) (err error) {
		m, err = manifest.DecodeCollection(body)
		return err
	})
	switch {
	case err == nil && m.Report != nil:
		return m.Started.Before(c.m0), nil
	case err == nil:
		info = now
	case errors.Is(err, manifest.ErrNewer), errors.Is(err, fs.ErrPermission):
		return false, nil
	case !ledger.IsUnreadable(err):
		return false, err
	}
	return c.m0.Sub(info.Modified) > c.l.Settings.Times.WindowD(), nil
}

// isRoot reports whether the packs of a version are kept. They are, while it is
// live, while it can be undeleted, and while a save under way may have it as
// evidence.
func (c *collector) isRoot(f *ledger.Record) bool {
	t := c.l.Settings.Times
	age := c.m0.Sub(f.Stored.Modified)
	switch f.State {
	case manifest.Live:
		return true
	case manifest.Purged:
		return f.NamesPacks() && age < t.WindowD()+t.MarginD()
	}
	return age < t.RetainD()+t.WindowD()+t.MarginD()
}

// closed reports whether an era is closed: no save under way can still commit
// a version that names a pack of it which no version names now.
func (c *collector) closed(era uint64) bool {
	t := c.l.Settings.Times
	return t.EraEnd(era).Add(t.WindowD() + t.MarginD()).Before(c.m0)
}

// errRetained: the store refuses to delete a key, because of a retention lock
// (docs/attacks.md, A30) or a missing permission. Trying again does not help.
var errRetained = errors.New("the store refuses to delete it")

// lookAgain is how often a register that was listed is read again if the store
// says that it does not exist: MinIO lists a key some moments before it can be
// read.
const lookAgain = 8

// retry repeats a request until its outcome is known. It is only for requests
// that may be repeated: reads, and deletions of keys that are never written
// again.
func (c *collector) retry(ctx context.Context, request func() error) error {
	for b := ledger.UntilKnown(); ; {
		err := request()
		again := errors.Is(err, store.ErrUnknown) || errors.Is(err, store.ErrRetry) || errors.Is(err, store.ErrUnavailable) ||
			errors.Is(err, fault.ErrNotFound) && b.Tries() < lookAgain
		if !again {
			return err
		}
		if !b.Again(ctx, err) {
			return errors.Join(err, ctx.Err())
		}
	}
}
