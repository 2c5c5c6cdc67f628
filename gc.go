package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// GCOption adjusts one GC.
type GCOption func(*gcOptions)

type gcOptions struct {
	dryRun   bool
	progress func(Progress)
}

// WithDryRun makes a collection change nothing: the report says what it would
// free now.
func WithDryRun() GCOption { return func(o *gcOptions) { o.dryRun = true } }

// WithGCProgress has report called as the collection goes on. Progress.Ref
// says what it is at, Done counts the bytes of registers or packs looked at.
// Calls do not overlap.
func WithGCProgress(report func(Progress)) GCOption {
	return func(o *gcOptions) { o.progress = report }
}

// GCReport is what a garbage collection has found and freed.
type GCReport struct {
	DryRun  bool      `json:"dryRun,omitzero"` // nothing was changed; "freed" is what would be
	Started time.Time `json:"started"`         // by the store's clock; ages are judged by it
	Seconds float64   `json:"seconds"`         // how long it took

	Versions GCVersions `json:"versions"`
	Listings int        `json:"listings"` // of all versions, until one showed nothing new
	Eras     GCEras     `json:"eras"`

	Total      GCAmount `json:"total"`      // packs found
	Live       GCAmount `json:"live"`       // of these, kept because live versions name them,
	Tombstones GCAmount `json:"tombstones"` // because only recently deleted versions do,
	Purged     GCAmount `json:"purged"`     // because only recently purged versions do, on which saves under way may build,
	Young      GCAmount `json:"young"`      // because nothing names them but a save may be about to,
	Retained   GCAmount `json:"retained"`   // because the store refused to delete them;
	Freed      GCAmount `json:"freed"`      // deleted

	Missing   int           `json:"missing,omitzero"`    // packs that live versions name and the store does not list; see Verify
	Strangers []string      `json:"strangers,omitempty"` // keys that no registry has, such as files of other programs, at most 100; they are left alone
	Leftovers store.Cleaned `json:"leftovers"`           // of killed writers, removed
}

// GCVersions counts versions.
type GCVersions struct {
	Live    int `json:"live"`
	Deleted int `json:"deleted"` // recently: they may come back
	Purged  int `json:"purged"`  // deleted for good, by Purge or longer ago: only their numbers are kept
	Waiting int `json:"waiting"` // of Purged, those purged so recently that their packs are kept
	Purging int `json:"purging"` // of Purged, those whose manifests this run removed
}

// GCEras counts the eras that have packs.
type GCEras struct {
	Total  int `json:"total"`
	Closed int `json:"closed"` // over for so long that what nothing names is freed
}

// GCAmount is a number of packs, and their bytes.
type GCAmount struct {
	Packs int   `json:"packs"`
	Bytes int64 `json:"bytes"`
}

func (a *GCAmount) add(bytes int64) {
	a.Packs++
	a.Bytes += bytes
}

// GC frees the packs that no version names any more, and reduces the registers
// of versions that can no longer be brought back to what they were called.
// It may run at any time, beside everything else and beside other collections.
//
// What was deleted is freed R+W+ε after it was deleted (some eight days), and
// not before its era, a week, has been over for W+ε (some day). What was purged
// is freed W+ε after it was purged, and not before that either.
//
// It reads every register of the registry. One that cannot be read, a key that
// may be that of a register, though of no version, or a feature that this
// program does not know, ends it before anything is deleted: what is not
// understood may name any pack. Other keys that do not belong there are passed
// over, and told.
// The report is returned in any case.
func (r *Registry) GC(ctx context.Context, opts ...GCOption) (*GCReport, error) {
	c := &collector{r: r, markState: markState{roots: map[root]flags{}, seen: map[state]struct{}{}}}
	for _, opt := range opts {
		opt(&c.o)
	}
	if c.o.progress == nil {
		c.o.progress = r.progress
	}
	begun := time.Now()
	err := c.run(store.Freeing(ctx))
	c.report.Seconds = time.Since(begun).Seconds()
	return &c.report, wrap(ctx, "collect garbage", "", err)
}

// collector is one garbage collection. Its safety is argued in
// docs/protocol.md: it rests on no lock, and not on how long anything takes.
type collector struct {
	r      *Registry
	o      gcOptions
	report GCReport
	told   int // bytes of the keys in report.Strangers

	marker *manifest.Collection
	key    string // of the marker
	info   store.Info
	m0     time.Time // when the store put the marker

	markState
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
	times := c.r.settings.Times
	var left store.Cleaned
	var err error
	if s, ok := store.As[store.Cleaner](c.r.st); ok {
		left, err = s.Clean(ctx, manifest.Prefixes, c.m0.Add(-times.WindowD()-times.MarginD()), c.o.dryRun)
	}
	c.report.Leftovers = left
	if err != nil {
		c.r.log.WarnContext(ctx, "leftovers of writers", "error", err) // the packs are done with
	}
	if err := c.finish(ctx); err != nil {
		return err
	}
	if !c.o.dryRun {
		c.r.reserve(ctx)
	}
	c.progress("finished", c.report.Total.Bytes, true)
	c.r.log.InfoContext(ctx, "garbage collected", "dryRun", c.o.dryRun, "live", c.report.Live, "freed", c.report.Freed)
	return nil
}

// checkSettings reads the settings anew: the registry may have been opened
// long ago, and upgraded since by a program that knows of more roots
// (attack A27).
func (c *collector) checkSettings(ctx context.Context) error {
	s, _, err := c.r.readSettings(ctx)
	if err == nil && s.Times != c.r.settings.Times {
		err = fmt.Errorf("%w: its times are others than when it was opened; open it again", ErrNoRegistry)
	}
	return err
}

// begin puts the marker: the store's date of it is the time that all ages are
// judged by, neither our clock nor that of the moment of a deletion
// (attack A24). A dry run changes nothing and takes the store's time.
func (c *collector) begin(ctx context.Context) error {
	if c.o.dryRun {
		now, err := c.r.st.Now(ctx)
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
	if c.info, err = c.r.write(ctx, c.key, body, store.Absent, c.marker.Nonce); err != nil {
		return err
	}
	c.m0 = c.info.Modified
	c.report.Started = c.m0.UTC()
	return nil
}

// finish writes the report into the marker and removes those of earlier
// collections.
func (c *collector) finish(ctx context.Context) error {
	if c.o.dryRun {
		return nil
	}
	var err error
	if c.marker.Report, err = json.Marshal(&c.report); err != nil {
		return err
	}
	c.marker.Started = c.m0.UTC()
	c.marker.Succeed()
	body, err := c.marker.Encode()
	if err != nil {
		return err
	}
	_, err = c.r.write(ctx, c.key, body, c.info.Token, c.marker.Nonce)
	if err != nil && !errors.Is(err, ErrConflict) { // a later collection thought we were dead
		return fmt.Errorf("writing the report: %w", err)
	}
	for info, err := range c.r.st.List(ctx, manifest.CollectionsPrefix, "") {
		if err = listError(err); unreadable(err) {
			c.r.log.WarnContext(ctx, "markers of collections", "error", err) // they stay
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
		if err != nil && !notFound(err) && !errors.Is(err, errRetained) {
			return err
		}
	}
	return nil
}

// isOver reports whether another marker is that of an earlier collection that
// has ended, or was killed. If it was only slow, all it loses is its report.
func (c *collector) isOver(ctx context.Context, info store.Info) (bool, error) {
	var m *manifest.Collection
	now, err := c.r.readRegister(ctx, info.Key, "", func(body []byte) (err error) {
		m, err = manifest.DecodeCollection(body)
		return err
	})
	switch {
	case err == nil && m.Report != nil:
		return m.Started.Before(c.m0), nil
	case err == nil:
		info = now
	case errors.Is(err, ErrNewer), errors.Is(err, fs.ErrPermission):
		return false, nil
	case !unreadable(err):
		return false, err
	}
	return c.m0.Sub(info.Modified) > c.r.settings.Times.WindowD(), nil
}

// isRoot reports whether the packs of a version are kept. Those of a tombstone
// are not once it is so old that it can neither be brought back, unless it was
// purged, nor be evidence for a save under way.
func (c *collector) isRoot(f *found) bool {
	t := c.r.settings.Times
	age := c.m0.Sub(f.info.Modified)
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
	t := c.r.settings.Times
	return t.EraEnd(era).Add(t.WindowD() + t.MarginD()).Before(c.m0)
}

func (c *collector) progress(what string, done int64, finished bool) {
	if c.o.progress != nil {
		c.o.progress(Progress{Op: "gc", Ref: what, Done: done, Finished: finished})
	}
}

// errRetained: the store will not delete a key, whatever we do: a retention
// lock (attack A30), or no permission.
var errRetained = errors.New("the store refuses to delete it")

// retry makes a request until its outcome is known. Only for requests that
// lookAgain is how often a register is asked for that a listing has shown and
// that is not there: MinIO lists a key some moments before it has it.
const lookAgain = 8

// may be repeated: reads, and deletions of keys that are never written again.
func (c *collector) retry(ctx context.Context, request func() error) error {
	var stalls store.Stalls
	for try := 0; ; try++ {
		err := request()
		again := errors.Is(err, store.ErrUnknown) || errors.Is(err, store.ErrRetry) || errors.Is(err, store.ErrUnavailable) ||
			errors.Is(err, ErrNotFound) && try < lookAgain
		if !again || stalls.Enough(err) || try == maxUnknown {
			return err
		}
		if serr := sleep(ctx, jitter(try)); serr != nil {
			return errors.Join(err, serr)
		}
	}
}
