package manifest_test

import (
	"cmp"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// The longest versions still make keys that every backend takes.
func TestLongestVersions(t *testing.T) {
	const most = "9223372036854775807"
	for core, longest := range map[string]int{"1.0.0": 82, "1.0.12": 81, "123.0.0": 82, "1.0.12345": 88, most + "." + most + "." + most: 88} {
		v, err := manifest.ParseVersion(core + "-" + strings.Repeat("a", longest))
		if err != nil {
			t.Error(err)
		}
		if err := store.ValidKey(manifest.VersionKey(strings.Repeat("n", 100), v)); err != nil {
			t.Error(err)
		}
		_, err = manifest.ParseVersion(core + "-" + strings.Repeat("a", longest+1))
		wantError(t, err, manifest.ErrInvalidVersion, "too long")
	}
}

// genVersion makes versions of few values, so that two of them often agree in
// their first parts. Package version tests many more.
var genVersion = rapid.Custom(func(t *rapid.T) manifest.Version {
	number := rapid.OneOf(rapid.Uint64Range(0, 2), rapid.SampledFrom([]uint64{9, 10, 99, 100, 12345, math.MaxInt64}))
	identifier := rapid.SampledFrom([]string{"0", "9", "10", "12345", "a", "A", "aa", "aA", "a-", "-", "--", "00a", "1a", "rc", "RC", "z", "Z"})
	return manifest.Version{
		Major: number.Draw(t, "major"), Minor: number.Draw(t, "minor"), Patch: number.Draw(t, "patch"),
		Pre: strings.Join(rapid.SliceOfN(identifier, 0, 3).Draw(t, "pre"), "."),
	}
})

// near returns a version that differs from v in one part, or in none.
func near(t *rapid.T, v manifest.Version) manifest.Version {
	w := genVersion.Draw(t, "w")
	switch rapid.IntRange(0, 4).Draw(t, "differing") {
	case 0:
		w.Minor, w.Patch, w.Pre = v.Minor, v.Patch, v.Pre
	case 1:
		w.Major, w.Patch, w.Pre = v.Major, v.Patch, v.Pre
	case 2:
		w.Major, w.Minor, w.Pre = v.Major, v.Minor, v.Pre
	case 3:
		w.Major, w.Minor, w.Patch = v.Major, v.Minor, v.Patch
	}
	return w
}

// The keys of registers are in the order of their versions: then a listing of
// several pages cannot miss the highest one (see docs/attacks.md, A7).
func TestOrderOfRegistersIsPrecedence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := genVersion.Draw(t, "v")
		w := near(t, v)
		if got, want := cmp.Compare(manifest.VersionKey("n", v), manifest.VersionKey("n", w)), v.Compare(w); got != want {
			t.Errorf("the keys of %s and %s compare as %d, want %d", v, w, got, want)
		}
	})
}

// Two versions are two files, also on a file system that ignores case (see
// docs/attacks.md, A51), and no file is the directory of another (A52).
func TestVersionKeysNeverClash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := genVersion.Draw(t, "v")
		w := near(t, v)
		if v == w {
			t.Skip("equal")
		}
		a, b := manifest.VersionKey("n", v), manifest.VersionKey("n", w)
		if strings.EqualFold(a, b) {
			t.Errorf("%s and %s have the keys %q and %q", v, w, a, b)
		}
		if strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/") {
			t.Errorf("one of %q and %q is a directory of the other", a, b)
		}
	})
}
