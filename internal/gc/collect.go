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

// collector is one garbage collection. Its safety is argued in
// docs/protocol.md: it rests on no lock, and not on how long anything takes.
type collector struct {
	r        *ledger.Ledger
	dryRun   bool
	progress func(what string, done int64, finished bool) // done in bytes
	report   Report
	told     int // bytes of the keys in report.Strangers

	marker *manifest.Collection
	key    string // of the marker
	info   store.Info
	m0     time.Time // when the store put the marker

	markState
}

// Run frees what no version names any more. With dryRun it changes nothing.
// progress is called as it goes on. The report is returned in any case.
func Run(ctx context.Context, r *ledger.Ledger, dryRun bool, progress func(what string, done int64, finished bool)) (*Report, error) {
	c := &collector{r: r, dryRun: dryRun, progress: progress, markState: markState{roots: map[root]flags{}, seen: map[state]struct{}{}}}
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
	if err := c.reduce(ctx); err != nil {
		return err
	}
	times := c.r.Settings.Times
	var left store.Cleaned
	var err error
	if s, ok := store.As[store.Cleaner](c.r.Store); ok {
		left, err = s.Clean(ctx, manifest.Prefixes, c.m0.Add(-times.WindowD()-times.MarginD()), c.dryRun)
	}
	c.report.Leftovers = left
	if err != nil {
		c.r.Log.WarnContext(ctx, "leftovers of writers", "error", err) // the packs are done with
	}
	if err := c.finish(ctx); err != nil {
		return err
	}
	if !c.dryRun {
		c.r.Reserve(ctx)
	}
	c.progress("finished", c.report.Total.Bytes, true)
	c.r.Log.InfoContext(ctx, "garbage collected", "dryRun", c.dryRun, "live", c.report.Live, "freed", c.report.Freed)
	return nil
}

// checkSettings reads the settings anew: the registry may have been opened
// long ago, and upgraded since by a program that knows of more roots
// (attack A27).
func (c *collector) checkSettings(ctx context.Context) error {
	s, _, err := c.r.ReadSettings(ctx)
	if err == nil && s.Times != c.r.Settings.Times {
		err = fmt.Errorf("%w: its times are others than when it was opened; open it again", fault.ErrNoRegistry)
	}
	return err
}

// begin puts the marker: the store's date of it is the time that all ages are
// judged by, neither our clock nor that of the moment of a deletion
// (attack A24). A dry run changes nothing and takes the store's time.
func (c *collector) begin(ctx context.Context) error {
	if c.dryRun {
		now, err := c.r.Store.Now(ctx)
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
	if c.info, err = c.r.Write(ctx, c.key, body, store.Absent, c.marker.Nonce); err != nil {
		return err
	}
	c.m0 = c.info.Modified
	c.report.Started = c.m0.UTC()
	return nil
}

// finish writes the report into the marker and removes those of earlier
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
	_, err = c.r.Write(ctx, c.key, body, c.info.Token, c.marker.Nonce)
	if err != nil && !errors.Is(err, fault.ErrConflict) { // a later collection thought we were dead
		return fmt.Errorf("writing the report: %w", err)
	}
	for info, err := range c.r.Store.List(ctx, manifest.CollectionsPrefix, "") {
		if err = ledger.ListError(err); ledger.Unreadable(err) {
			c.r.Log.WarnContext(ctx, "markers of collections", "error", err) // they stay
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
		if err != nil && !ledger.NotFound(err) && !errors.Is(err, errRetained) {
			return err
		}
	}
	return nil
}

// isOver reports whether another marker is that of an earlier collection that
// has ended, or was killed. If it was only slow, all it loses is its report.
func (c *collector) isOver(ctx context.Context, info store.Info) (bool, error) {
	var m *manifest.Collection
	now, err := c.r.ReadRegister(ctx, info.Key, "", func(body []byte) (err error) {
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
	case !ledger.Unreadable(err):
		return false, err
	}
	return c.m0.Sub(info.Modified) > c.r.Settings.Times.WindowD(), nil
}

// isRoot reports whether the packs of a version are kept. Those of a tombstone
// are not once it is so old that it can neither be brought back, unless it was
// purged, nor be evidence for a save under way.
func (c *collector) isRoot(f *ledger.Record) bool {
	t := c.r.Settings.Times
	age := c.m0.Sub(f.Stored.Modified)
	switch f.State {
	case manifest.Live:
		return true
	case manifest.Purged:
		return f.NamesPacks() && age < t.WindowD()+t.MarginD()
	}
	return age < t.RetainD()+t.WindowD()+t.MarginD()
}

// closed reports whether no save can name packs of an era any more that no
// version names yet.
func (c *collector) closed(era uint64) bool {
	t := c.r.Settings.Times
	return t.EraEnd(era).Add(t.WindowD() + t.MarginD()).Before(c.m0)
}

// errRetained: the store will not delete a key, whatever we do: a retention
// lock (attack A30), or no permission.
var errRetained = errors.New("the store refuses to delete it")

// lookAgain is how often a register is asked for that a listing has shown and
// that is not there: MinIO lists a key some moments before it has it.
const lookAgain = 8

// retry makes a request until its outcome is known. Only for requests that may
// be repeated: reads, and deletions of keys that are never written again.
func (c *collector) retry(ctx context.Context, request func() error) error {
	var stalls store.Stalls
	for try := 0; ; try++ {
		err := request()
		again := errors.Is(err, store.ErrUnknown) || errors.Is(err, store.ErrRetry) || errors.Is(err, store.ErrUnavailable) ||
			errors.Is(err, fault.ErrNotFound) && try < lookAgain
		if !again || stalls.Enough(err) || try == ledger.MaxUnknown {
			return err
		}
		if serr := ledger.Sleep(ctx, ledger.Jitter(try)); serr != nil {
			return errors.Join(err, serr)
		}
	}
}
