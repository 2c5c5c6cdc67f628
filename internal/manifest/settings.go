package manifest

import (
	"errors"
	"fmt"
	"time"
)

// Settings is the register at SettingsKey. A directory or bucket that has it is
// a registry.
type Settings struct {
	Head
	ID      Nonce     `json:"id"` // of the registry; never changes
	Created time.Time `json:"created"`
	// Unversioned: each save deletes the versions before it.
	Unversioned bool  `json:"unversioned,omitzero"`
	Times       Times `json:"times"`
	// Locking says how saves and loads use locks: not at all, or LockingStrict. It
	// never changes.
	Locking Locking `json:"locking,omitzero"`
	// Probed is when a probe last found that the store keeps its contract.
	Probed time.Time `json:"probed,omitzero"`
}

// Times are the durations, in seconds, on which the safety of garbage collection
// depends. They are set when the registry is created and never change: a save that
// relies on the old ones may be running.
type Times struct {
	Era    int64 `json:"era"`    // length of an era
	Window int64 `json:"window"` // W: how long evidence for a pack is valid, and so how long a save may take
	Retain int64 `json:"retain"` // R: how long a deleted version can be brought back
	Margin int64 `json:"margin"` // ε: for steps of the clock and slow answers
}

// DefaultTimes are the times of every registry outside of tests: eras of a week,
// a window of a day, a week to undelete, a margin of an hour.
var DefaultTimes = Times{Era: 7 * 24 * 3600, Window: 24 * 3600, Retain: 7 * 24 * 3600, Margin: 3600}

// EraOf returns the era of a time. Times before 1970 are in the first.
func (t Times) EraOf(at time.Time) uint64 { return uint64(max(at.Unix(), 0) / t.Era) }

// EraEnd returns when an era ends.
func (t Times) EraEnd(era uint64) time.Time { return time.Unix(int64(era+1)*t.Era, 0) }

// WindowD returns Window as a duration.
func (t Times) WindowD() time.Duration { return time.Duration(t.Window) * time.Second }

// RetainD returns Retain as a duration.
func (t Times) RetainD() time.Duration { return time.Duration(t.Retain) * time.Second }

// MarginD returns Margin as a duration.
func (t Times) MarginD() time.Duration { return time.Duration(t.Margin) * time.Second }

// NewSettings returns the settings of a new registry. A zero Times means
// DefaultTimes.
func NewSettings(now time.Time, times Times) *Settings {
	if times == (Times{}) {
		times = DefaultTimes
	}
	return &Settings{
		Head:    newHead(KindSettings),
		ID:      NewNonce(),
		Created: now.UTC().Truncate(time.Millisecond),
		Times:   times,
	}
}

// Encode returns the body of the register.
func (s *Settings) Encode() ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return encode(KindSettings, s)
}

// DecodeSettings reads what Encode wrote.
func DecodeSettings(body []byte) (*Settings, error) {
	s := new(Settings)
	if err := decode(body, KindSettings, s); err != nil {
		return nil, fmt.Errorf("%s: %w", SettingsKey, err)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("%s: %w: %v", SettingsKey, ErrCorrupt, err)
	}
	return s, nil
}

func (s *Settings) check() error {
	t := s.Times
	const most = 1 << 32
	switch {
	case !s.ID.valid():
		return errors.New("bad id")
	case s.Locking != "" && s.Locking != LockingStrict:
		return fmt.Errorf("unknown locking %q", s.Locking)
	case min(t.Era, t.Window, t.Retain, t.Margin) <= 0:
		return fmt.Errorf("times %+v are not all positive", t)
	case max(t.Era, t.Window, t.Retain, t.Margin) > most:
		return fmt.Errorf("times %+v are not all below %d s", t, most)
	case t.Window <= 2*t.Margin:
		return fmt.Errorf("a window of %d s leaves no room beside a margin of %d s", t.Window, t.Margin)
	}
	return nil
}
