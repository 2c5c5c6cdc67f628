package manifest_test

import (
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

func FuzzDecodeCollection(f *testing.F) {
	addVectors(f, "collection.json")
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := manifest.DecodeCollection(body)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		again, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := manifest.DecodeCollection(again)
		if err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
		if d := cmp.Diff(c, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(manifest.Collection{}, "Report")); d != "" {
			t.Errorf("read, written and read again (-first +second):\n%s", d)
		}
		if once, err := got.Encode(); err != nil || string(once) != string(again) {
			t.Errorf("written %s, and then %s, %v", again, once, err)
		}
	})
}

// The head of anything is read, or refused as damaged, and knows its nonces.
func FuzzDecodeHead(f *testing.F) {
	addVectors(f, "*.json")
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := manifest.DecodeHead(body)
		if err != nil {
			if !errors.Is(err, manifest.ErrCorrupt) {
				t.Errorf("error %q", err)
			}
			return
		}
		for _, n := range append(h.Prev, h.Nonce) {
			if !h.Wrote(n) {
				t.Errorf("it does not know its own nonce %q", n)
			}
		}
	})
}

func FuzzParseDigest(f *testing.F) {
	for _, s := range []string{"sha256:" + strings.Repeat("ab", 32), "sha256:", "sha512:00", "sha256:" + strings.Repeat("AB", 32)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := manifest.ParseDigest(s); err == nil && d.String() != s {
			t.Errorf("%q is read as %s", s, d)
		} else if err != nil && len(err.Error()) > 1000 {
			t.Errorf("error %q", err)
		}
	})
}

func FuzzParseTagKey(f *testing.F) {
	for _, s := range []string{"tags/m/@/prod.json", "tags/my!!model/@/!prod.json", "tags/m/@/latest.json", "tags/m/@/@/x.json", "tags/con/@/prod.json"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		name, tag, err := manifest.ParseTagKey(key)
		if err != nil {
			return
		}
		if got := manifest.TagKey(name, tag); got != key {
			t.Errorf("%q is read as %s@%s, which has the key %q", key, name, tag, got)
		}
		if err := errors.Join(manifest.ValidName(name), manifest.ValidTag(tag), store.ValidKey(key)); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	})
}

func FuzzParseLockKey(f *testing.F) {
	f.Add("locks/m/x.json")
	f.Add("locks/my!!model/s/" + strings.Repeat("ab", 16))
	f.Add("locks/m/s/x.json")
	f.Add("locks//x.json")
	f.Fuzz(func(t *testing.T, key string) {
		name, id, err := manifest.ParseLockKey(key)
		if err != nil {
			return
		}
		want := manifest.LockKey(name)
		if id != "" {
			want = manifest.SharedLockKey(name, id)
		}
		if want != key {
			t.Errorf("%q is read as %s, %q, which has the key %q", key, name, id, want)
		}
		if err := store.ValidKey(key); err != nil {
			t.Error(err)
		}
	})
}

// No path and no link that is let through leads out of the object.
func FuzzValidPath(f *testing.F) {
	for _, s := range [][2]string{{"a/b", "../c"}, {"a", ".."}, {"a/b", "../../c"}, {"a", "/etc"}, {"a", "b/../../.."}, {"a", "c:"}, {"../a", "b"}, {"a", `..\b`}, {"a/b/c", "../../d"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, p, target string) {
		if manifest.ValidPath(p) != nil {
			return
		}
		if clean := path.Join("/root", p); !strings.HasPrefix(clean, "/root/") || path.Clean(p) != p {
			t.Errorf("path %q", p)
		}
		if manifest.ValidLink(p, target) != nil {
			return
		}
		if to := path.Join("/root", path.Dir(p), target); path.IsAbs(target) || to != "/root" && !strings.HasPrefix(to, "/root/") {
			t.Errorf("%q -> %q leads to %s", p, target, to)
		}
	})
}
