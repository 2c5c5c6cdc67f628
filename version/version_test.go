package version_test

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
	"pgregory.net/rapid"

	"github.com/mindtrace/registry/version"
)

// wantError checks that err is ErrInvalid and says something.
func wantError(t testing.TB, err error, says string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("no error, want one saying %q", says)
	case !errors.Is(err, version.ErrInvalid) || !strings.Contains(err.Error(), says):
		t.Errorf("error %q, want ErrInvalid saying %q", err, says)
	}
}

func TestParse(t *testing.T) {
	const most = math.MaxInt64
	for _, c := range []struct {
		in   string
		want version.Version
	}{
		{"0.0.0", version.Version{}},
		{"1.2.3", version.Version{Major: 1, Minor: 2, Patch: 3}},
		{"10.20.30", version.Version{Major: 10, Minor: 20, Patch: 30}},
		{fmt.Sprintf("%d.%d.%d", most, most, most), version.Version{Major: most, Minor: most, Patch: most}},
		{"1.2.3-rc.1", version.Version{Major: 1, Minor: 2, Patch: 3, Pre: "rc.1"}},
		{"1.0.0-0", version.Version{Major: 1, Pre: "0"}},
		{"1.0.0-01a", version.Version{Major: 1, Pre: "01a"}}, // not a number, so no leading zero
		{"1.0.0--", version.Version{Major: 1, Pre: "-"}},
		{"1.0.0-a-b.-1.C", version.Version{Major: 1, Pre: "a-b.-1.C"}},
		{fmt.Sprintf("1.0.0-%d", most), version.Version{Major: 1, Pre: fmt.Sprint(most)}},
	} {
		got, err := version.Parse(c.in)
		if err != nil || got != c.want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", c.in, got, err, c.want)
		}
		if got.String() != c.in {
			t.Errorf("Parse(%q).String() = %q", c.in, got)
		}
		if release := c.want.Pre == ""; got.IsRelease() != release {
			t.Errorf("%s.IsRelease() = %v", got, !release)
		}
	}
}

// Each spelling of a version has the same key. With different keys, each of two
// savers could create its own 1.0.0 (see docs/attacks.md, A6).
func TestAliasesAreOneVersion(t *testing.T) {
	for want, aliases := range map[string][]string{
		"1.0.0":    {"1", "v1", "1.0", "v1.0", "v1.0.0"},
		"1.2.0":    {"1.2", "v1.2", "v1.2.0"},
		"1.2.3":    {"v1.2.3"},
		"0.0.0":    {"0", "v0", "0.0"},
		"1.0.0-rc": {"1-rc", "v1.0-rc", "v1.0.0-rc"},
	} {
		for _, alias := range aliases {
			v, err := version.Parse(alias)
			if err != nil {
				t.Errorf("Parse(%q): %v", alias, err)
				continue
			}
			w, err := version.Parse(want)
			if err != nil {
				t.Fatal(err)
			}
			if v != w || v.String() != want || v.Key() != w.Key() {
				t.Errorf("%q is %s with key %s, want %s with key %s", alias, v, v.Key(), w, w.Key())
			}
			// What is written down is the one spelling.
			var u version.Version
			err = u.UnmarshalText([]byte(alias))
			wantError(t, err, "canonical form is "+want)
		}
	}
	var u version.Version
	wantError(t, u.UnmarshalText([]byte("latest")), "written as 1.2.3")
}

func TestParseRefuses(t *testing.T) {
	const tooLarge = "9223372036854775808"
	for _, c := range []struct{ in, want string }{
		{"", "written as 1.2.3"},
		{"v", "written as 1.2.3"},
		{"vv1.2.3", "written as 1.2.3"},
		{"V1.2.3", "written as 1.2.3"},
		{"latest", "written as 1.2.3"},
		{"1.x", "written as 1.2.3"},
		{"1..2", "written as 1.2.3"},
		{"1.2.", "written as 1.2.3"},
		{".1.2", "written as 1.2.3"},
		{"-1.2.3", "written as 1.2.3"},
		{"-rc", "written as 1.2.3"},
		{"1,2,3", "written as 1.2.3"},
		{" 1.2.3", "written as 1.2.3"},
		{"1.2.3\n", "written as 1.2.3"},
		{"１.2.3", "written as 1.2.3"}, // a digit, but not one of ASCII
		{"1.2.3/", "written as 1.2.3"},
		{"1.2.3.4", "three numbers"},
		{"1.2.3.4.5.6", "three numbers"},
		// Build metadata would make versions of equal precedence (docs/attacks.md, A6).
		{"1.2.3+build", "put it in the object's metadata"},
		{"1.2.3-rc+build", "put it in the object's metadata"},
		{"1+", "put it in the object's metadata"},
		{"01.2.3", `leading zero in "01"; write "1"`},
		{"1.00.3", `leading zero in "00"; write "0"`},
		{"1.2.003", `leading zero in "003"; write "3"`},
		{"1.2.3-rc.01", `leading zero in "01"; write "1"`},
		{tooLarge, "number 9223372036854775808 is too large"},
		{"1." + tooLarge + ".0", "too large"},
		{"1.2." + strings.Repeat("9", 400), "too large"},
		{"1.2.3-" + tooLarge, "too large"},
		{"1.2.3-", "empty pre-release"},
		{"1.2.3-a..b", "empty pre-release"},
		{"1.2.3-.a", "empty pre-release"},
		{"1.2.3-a.", "empty pre-release"},
		{"1.2.3-rc_1", `not '_'`},
		{"1.2.3-rc 1", `not ' '`},
		{"1.2.3-é", `not 'é'`},
		{"1.2.3-a/b", `not '/'`},
		{"1.2.3-a!b", `not '!'`},
		{"1.2.3-" + strings.Repeat("a", 100), "too long; shorten the part after the dash"},
		{"1.2.3-" + strings.Repeat("A", 50), "too long; shorten the part after the dash"}, // twice as long in a key
		{"1.2.3-" + strings.Repeat("0.", 40) + "0", "too long; shorten the part after the dash"},
	} {
		_, err := version.Parse(c.in)
		wantError(t, err, c.want)
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("Parse(%.40q...): the error has %d bytes", c.in, len(err.Error()))
		}
	}
}

func TestKeys(t *testing.T) {
	for _, c := range []struct{ version, key string }{
		{"0.0.0", "a0.a0.a0~"},
		{"1.10.0", "a1.b10.a0~"},
		{"7.42.123", "a7.b42.c1/23~"},
		{"12345.0.1000000", "e1/23/45.a0.g1/00/00/00~"},
		{"9223372036854775807.0.0", "s9/22/33/72/03/68/54/77/58/07.a0.a0~"},
		{"1.0.0-rc.1", "a1.a0.a0-!1rc!0a1!!"},
		{"1.0.0-RC.10.x-Y", "a1.a0.a0-!1_r_c!0b10!1x-_y!!"},
		{"1.0.0-0", "a1.a0.a0-!0a0!!"},
		{"1.0.0-001a", "a1.a0.a0-!1001a!!"},
	} {
		v, err := version.Parse(c.version)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Key(); got != c.key {
			t.Errorf("%s.Key() = %q, want %q", v, got, c.key)
		}
		if got, err := version.ParseKey(c.key); got != v || err != nil {
			t.Errorf("ParseKey(%q) = %v, %v", c.key, got, err)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	for _, key := range []string{
		"", "~", "1.0.0", "a1.a0.a0", "a1.a0~", "a1.a0.a0.a0~", "a1.a0.a0~~", "A1.a0.a0~",
		"b1.a0.a0~", "a10.a0.a0~", "b01.a0.a0~", "a1/.a0.a0~", "a/1.a0.a0~", "c123.a0.a0~", "c12/3.a0.a0~", "c1//23.a0.a0~",
		"t1/00/00/00/00/00/00/00/00/00.a0.a0~", "a1,a0,a0~", "a1.a0.a0~.json",
		"a1.a0.a0-", "a1.a0.a0-!!", "a1.a0.a0-!0!!", "a1.a0.a0-!0a!!", "a1.a0.a0-!0b1!!", "a1.a0.a0-!0b01!!", "a1.a0.a0-!0aa!!",
		"a1.a0.a0-!1!!", "a1.a0.a0-!1rc", "a1.a0.a0-!1rc!", "a1.a0.a0-!1rc!!!", "a1.a0.a0-!1rc!!~", "a1.a0.a0-!2rc!!",
		"a1.a0.a0-!1RC!!", "a1.a0.a0-!1_!!", "a1.a0.a0-!1__a!!", "a1.a0.a0-!1_1!!", "a1.a0.a0-!11!!", "a1.a0.a0-!1a+b!!",
		"\xff", "a\xff.a0.a0~",
	} {
		if v, err := version.ParseKey(key); !errors.Is(err, version.ErrInvalid) {
			t.Errorf("ParseKey(%q) = %v, %v, want ErrInvalid", key, v, err)
		}
	}
}

func TestNext(t *testing.T) {
	for in, want := range map[string]string{"1.2.3": "1.2.4", "1.2.3-rc.1": "1.2.4", "0.0.9": "0.0.10"} {
		v, err := version.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := v.Next(); err != nil || got.String() != want {
			t.Errorf("%s.Next() = %s, %v, want %s", v, got, err, want)
		}
	}
	last := version.Version{Major: 1, Patch: math.MaxInt64}
	_, err := last.Next()
	wantError(t, err, "no patch release after 1.0.9223372036854775807")
}

// genVersion makes versions of few values, so that two of them often agree in
// their first parts.
var genVersion = rapid.Custom(func(t *rapid.T) version.Version {
	number := rapid.OneOf(
		rapid.Uint64Range(0, 2),
		rapid.SampledFrom([]uint64{9, 10, 11, 99, 100, 101, 999, 1000, 12345, math.MaxInt64 - 1, math.MaxInt64}),
		rapid.Uint64Range(0, math.MaxInt64),
	)
	identifier := rapid.OneOf(
		rapid.Map(number, func(n uint64) string { return fmt.Sprint(n) }),
		rapid.SampledFrom([]string{"a", "A", "aa", "aA", "Aa", "a-", "-a", "-", "--", "-0", "0-", "00a", "1a", "a1", "rc", "rc1", "RC", "z", "Z"}),
		rapid.StringMatching(`[0-9]{0,3}[A-Za-z-][0-9A-Za-z-]{0,5}`),
	)
	v := version.Version{Major: number.Draw(t, "major"), Minor: number.Draw(t, "minor"), Patch: number.Draw(t, "patch")}
	v.Pre = strings.Join(rapid.SliceOfN(identifier, 0, 4).Draw(t, "pre"), ".")
	parsed, err := version.Parse(v.String())
	if err != nil && strings.Contains(err.Error(), "too long") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if parsed != v {
		t.Fatalf("%+v is read back as %+v", v, parsed)
	}
	return v
})

// near returns a version that differs from v in one part, or in none.
func near(t *rapid.T, v version.Version) version.Version {
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

// precedence asks another implementation.
func precedence(t *rapid.T, v, w version.Version) int {
	a, err := semver.StrictNewVersion(v.String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := semver.StrictNewVersion(w.String())
	if err != nil {
		t.Fatal(err)
	}
	return a.Compare(b)
}

// The order of keys is the precedence of versions, as another implementation
// computes it. Without that, a listing of several pages could miss the highest
// version (see docs/attacks.md, A7).
func TestOrderOfKeysIsPrecedence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := genVersion.Draw(t, "v")
		w := near(t, v)
		want := precedence(t, v, w)
		if got := v.Compare(w); got != want {
			t.Errorf("%s.Compare(%s) = %d, want %d", v, w, got, want)
		}
		if got := cmp.Compare(v.Key(), w.Key()); got != want {
			t.Errorf("keys %q and %q compare as %d, want %d", v.Key(), w.Key(), got, want)
		}
		if (want == 0) != (v == w) {
			t.Errorf("%s and %s have equal precedence", v, w)
		}
	})
}

func TestKeyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := genVersion.Draw(t, "v")
		if got, err := version.ParseKey(v.Key()); got != v || err != nil {
			t.Errorf("%s has the key %q, which is read as %s, %v", v, v.Key(), got, err)
		}
		text, err := v.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var u version.Version
		if err := u.UnmarshalText(text); u != v || err != nil {
			t.Errorf("%s is read as %s, %v", text, u, err)
		}
	})
}
