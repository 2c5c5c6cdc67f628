package manifest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/mindtrace/registry/internal/manifest"
)

func TestSettingsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.Int64Range(1, 1<<32)
		s := manifest.NewSettings(genTime.Draw(t, "now"), manifest.Times{
			Era: seconds.Draw(t, "era"), Window: rapid.Int64Range(3, 1<<32).Draw(t, "window"), Retain: seconds.Draw(t, "retain"), Margin: 1,
		})
		s.Unversioned = rapid.Bool().Draw(t, "unversioned")
		if rapid.Bool().Draw(t, "changed") {
			s.Supersede()
		}
		body, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := manifest.DecodeSettings(body)
		if err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		if d := cmp.Diff(s, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("decoded differently (-want +got):\n%s", d)
		}
	})
}

func TestNewSettings(t *testing.T) {
	now := time.Date(2025, 1, 2, 3, 4, 5, 6789012, time.FixedZone("", -3600))
	s, other := manifest.NewSettings(now, manifest.Times{}), manifest.NewSettings(now, manifest.Times{})
	if s.Times != manifest.DefaultTimes {
		t.Errorf("times %+v, want the default", s.Times)
	}
	if s.ID == other.ID || s.Nonce == other.Nonce || string(s.ID) == string(s.Nonce) {
		t.Errorf("IDs %s, %s and nonces %s, %s are not all different", s.ID, other.ID, s.Nonce, other.Nonce)
	}
	if got, want := s.Created.Format(time.RFC3339Nano), "2025-01-02T04:04:05.006Z"; got != want {
		t.Errorf("created %s, want %s", got, want)
	}
}

// Collection rests on these: what cannot be safe is refused on the way out
// and on the way in.
func TestSettingsRefuseBadTimes(t *testing.T) {
	good := manifest.Times{Era: 100, Window: 21, Retain: 100, Margin: 10}
	for _, c := range []struct {
		why  string
		set  func(*manifest.Times)
		want string
	}{
		{"no era", func(t *manifest.Times) { t.Era = 0 }, "not all positive"},
		{"negative era", func(t *manifest.Times) { t.Era = -1 }, "not all positive"},
		{"no window", func(t *manifest.Times) { t.Window = 0 }, "not all positive"},
		{"nothing retained", func(t *manifest.Times) { t.Retain = 0 }, "not all positive"},
		{"no margin", func(t *manifest.Times) { t.Margin = 0 }, "not all positive"},
		{"negative margin", func(t *manifest.Times) { t.Margin = -1 }, "not all positive"},
		{"long era", func(t *manifest.Times) { t.Era = 1<<32 + 1 }, "not all below 4294967296 s"},
		{"long window", func(t *manifest.Times) { t.Window = 1 << 62 }, "not all below 4294967296 s"},
		{"long retention", func(t *manifest.Times) { t.Retain = 1<<63 - 1 }, "not all below 4294967296 s"},
		{"long margin", func(t *manifest.Times) { t.Margin = 1<<32 + 1 }, "not all below 4294967296 s"},
		{"margin of half a window", func(t *manifest.Times) { t.Window = 20 }, "a window of 20 s leaves no room beside a margin of 10 s"},
	} {
		s := manifest.NewSettings(time.Now(), good)
		body, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		c.set(&s.Times)
		if _, err := s.Encode(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Encode says %v, want %q", c.why, err, c.want)
		}
		r := parseRegister(t, body)
		times := r["times"].(map[string]any)
		times["era"], times["window"], times["retain"], times["margin"] = s.Times.Era, s.Times.Window, s.Times.Retain, s.Times.Margin
		_, err = manifest.DecodeSettings(r.bytes(t))
		wantError(t, err, manifest.ErrCorrupt, c.want)
	}
}

func TestEras(t *testing.T) {
	week := manifest.DefaultTimes
	for _, c := range []struct {
		at  string
		era uint64
		end string
	}{
		{"1970-01-01T00:00:00Z", 0, "1970-01-08T00:00:00Z"},
		{"1970-01-07T23:59:59.999Z", 0, "1970-01-08T00:00:00Z"},
		{"1970-01-08T00:00:00Z", 1, "1970-01-15T00:00:00Z"},
		{"2025-02-19T12:00:00Z", 2876, "2025-02-20T00:00:00Z"},
		{"2025-02-20T01:00:00+02:00", 2876, "2025-02-20T00:00:00Z"},
		{"2025-02-20T00:00:00Z", 2877, "2025-02-27T00:00:00Z"},
		// A clock that was never set must not name an era that no key can hold.
		{"1969-12-31T23:59:59Z", 0, "1970-01-08T00:00:00Z"},
		{"0001-01-01T00:00:00Z", 0, "1970-01-08T00:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339Nano, c.at)
		if err != nil {
			t.Fatal(err)
		}
		era := week.EraOf(at)
		if era != c.era {
			t.Errorf("%s lies in era %d, want %d", c.at, era, c.era)
		}
		if end := week.EraEnd(era).UTC().Format(time.RFC3339Nano); end != c.end {
			t.Errorf("era %d ends at %s, want %s", era, end, c.end)
		}
	}
}

// A time lies before the end of its era and not before the end of the one
// before, and the era fits a key.
func TestErasFollowEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := manifest.Times{Era: rapid.Int64Range(1, 1<<32).Draw(t, "era")}
		at := time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "at"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		era := times.EraOf(at)
		if !at.Before(times.EraEnd(era)) || era > 0 && at.Before(times.EraEnd(era-1)) {
			t.Errorf("%s lies in era %d, which ends at %s", at, era, times.EraEnd(era))
		}
		p := manifest.Pack{Era: era}
		if got, err := manifest.ParsePackKey(p.Key()); got != p || err != nil {
			t.Errorf("era %d: %v", era, err)
		}
	})
}

func TestTimesAsDurations(t *testing.T) {
	times := manifest.DefaultTimes
	if times.WindowD() != 24*time.Hour || times.RetainD() != 168*time.Hour || times.MarginD() != time.Hour || times.Era != 7*24*3600 {
		t.Errorf("the constants of the format have changed: %+v", times)
	}
}
