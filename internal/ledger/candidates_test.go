package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

func versionsOf(t *testing.T, list string) (all []manifest.Version) {
	t.Helper()
	for s := range strings.FieldsSeq(list) {
		v, err := manifest.ParseVersion(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// Candidates are in the order in which a reference means them. A release comes
// before all pre-releases for "latest" and "*", but not for a range that names
// a pre-release.
func TestCandidatesInOrder(t *testing.T) {
	all := versionsOf(t, "1.0.0 1.1.0-rc.1 1.1.0 2.0.0-rc.1")
	for s, want := range map[string]string{
		"m":           "[1.1.0 1.0.0 2.0.0-rc.1 1.1.0-rc.1]",
		"m@*":         "[1.1.0 1.0.0 2.0.0-rc.1 1.1.0-rc.1]",
		"m@^1":        "[1.1.0 1.0.0]",
		"m@>=1.0.0-0": "[2.0.0-rc.1 1.1.0 1.1.0-rc.1 1.0.0]",
		"m@>=3":       "[]",
	} {
		ref, err := ParseRef(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(Candidates(all, ref)); got != want {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
}

// The condition of a tag holds only in the state that it names.
func TestTagConditions(t *testing.T) {
	v := versionsOf(t, "1.0.0 2.0.0")
	set := TagRecord{Tag: manifest.NewTag("m", "prod", v[0], manifest.Digest{})}
	removed := TagRecord{Tag: set.Removed()}
	for name, c := range map[string]struct {
		tag  TagRecord
		c    TagCondition
		want bool
	}{
		"none, set":                {set, TagCondition{}, true},
		"none, never set":          {TagRecord{}, TagCondition{}, true},
		"absent, never set":        {TagRecord{}, TagCondition{Given: true, Absent: true}, true},
		"absent, removed":          {removed, TagCondition{Given: true, Absent: true}, true},
		"absent, set":              {set, TagCondition{Given: true, Absent: true}, false},
		"a version, set to it":     {set, TagCondition{Given: true, Want: v[0]}, true},
		"a version, set elsewhere": {set, TagCondition{Given: true, Want: v[1]}, false},
		"a version, removed":       {removed, TagCondition{Given: true, Want: v[0]}, false},
		"a version, never set":     {TagRecord{}, TagCondition{Given: true, Want: v[0]}, false},
	} {
		if err := c.c.holds(c.tag); (err == nil) != c.want || err != nil && !errors.Is(err, fault.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Of many parts that cannot be read, the error names twenty, and counts the rest.
// An error that ends everything is not collected.
func TestUnreadablesAreCollected(t *testing.T) {
	var bad Unreadables
	for i := range 25 {
		if !bad.Pass(NewUnreadable(fmt.Sprintf("key-%d.", i), "", manifest.ErrCorrupt)) {
			t.Fatal("damage of one part ends everything")
		}
	}
	if bad.Pass(store.ErrUnavailable) || bad.Pass(nil) {
		t.Error("a failure of the network, or success, counts as damage of one part")
	}
	text := bad.Err().Error()
	for s, want := range map[string]bool{"key-0.": true, "key-19.": true, "key-20.": false, "and 5 more": true} {
		if strings.Contains(text, s) != want {
			t.Errorf("the error has %q: %v; %s", s, !want, text)
		}
	}
	if err := Unreadables(nil).Err(); err != nil {
		t.Error(err)
	}
}

// What to do about a register that cannot be read depends on what it is.
func TestRemedies(t *testing.T) {
	v := versionsOf(t, "1.0.0")[0]
	for name, c := range map[string]struct {
		key  string
		err  error
		want string
	}{
		"a damaged version": {manifest.VersionKey("m", v), manifest.ErrCorrupt, "mindreg verify --repair"},
		"a damaged tag":     {manifest.TagKey("m", "prod"), manifest.ErrCorrupt, "mindreg tag set"},
		"a damaged lock":    {manifest.LockKey("m"), manifest.ErrCorrupt, "mindreg lock break"},
		"no permission":     {manifest.TagKey("m", "prod"), fs.ErrPermission, "permission"},
		"a newer format":    {manifest.TagKey("m", "prod"), manifest.ErrNewer, ""},
		"a foreign file":    {manifest.LockKey("m"), fmt.Errorf("%w", store.ErrForeign), ""},
	} {
		var e *fault.UnreadableError
		if err := NewUnreadable(c.key, "m", c.err); !errors.As(err, &e) || !strings.HasPrefix(strings.TrimPrefix(e.Remedy, "it needs "), c.want) || (e.Remedy == "") != (c.want == "") {
			t.Errorf("%s: %+v", name, e)
		}
	}
}
