package ledger

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
)

// A reference that is read is written as it was, and means one kind of thing.
// A range can be asked about versions of all sorts.
func FuzzParseRef(f *testing.F) {
	for _, s := range []string{
		"my:model", "m@latest", "m@1.2", "m@v1.2.3-rc.1", "m@^1.2", "m@~1.2.3", "m@>=1.0 <2.0 || 3", "m@*", "m@ * ", "m@1.x",
		"m@sha256:" + strings.Repeat("ab", 32), "m@prod", "m@", "m@@", "@1", "m@>=1.0.0-0", "m@!=1", "m@1 - 2", "m@=>9223372036854775808", "m@1.2.3+b",
	} {
		f.Add(s)
	}
	var versions []manifest.Version
	for _, s := range []string{"0.0.0", "1.2.3", "1.2.3-rc.1", "2.0.0", "2.0.0-0", "9223372036854775807.0.0"} {
		v, err := manifest.ParseVersion(s)
		if err != nil {
			f.Fatal(err)
		}
		versions = append(versions, v)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := ParseRef(s)
		if err != nil {
			known := false
			for _, kind := range []error{fault.ErrInvalidRef, manifest.ErrInvalidName, manifest.ErrInvalidVersion, manifest.ErrInvalidTag} {
				known = known || errors.Is(err, kind)
			}
			if !known || utf8.ValidString(s) && !utf8.ValidString(err.Error()) {
				t.Errorf("%q: error %q", s, err)
			}
			return
		}
		if ref.String() != s {
			t.Errorf("%q is written as %q", s, ref)
		}
		if err := manifest.ValidName(ref.Name); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if ref.Kind == ByTag && (manifest.ValidTag(ref.Selector) != nil || manifest.LooksLikeVersion(ref.Selector)) {
			t.Errorf("%q is read as a tag", s)
		}
		if ref.Kind == ByVersion {
			if v, err := manifest.ParseVersion(ref.Selector); err != nil || v != ref.Version {
				t.Errorf("%q is read as version %s, which is %s, %v", s, ref.Version, v, err)
			}
		}
		if ref.Kind == ByRange {
			for _, v := range versions {
				if matches := ref.Matches(v); ref.all() && !matches {
					t.Errorf("%q is all versions but %s", s, v)
				}
			}
		}
	})
}
