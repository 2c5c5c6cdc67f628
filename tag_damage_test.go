package registry

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// A tag whose digest is not its version's is damage, and so is one that
// cannot be read; Verify finds both, and what lies where tags lie.
func TestDamagedTags(t *testing.T) {
	r, st := inMemory(t)
	mustSave(t, r, "m", "x")
	for _, tag := range []string{"good", "swapped", "torn"} {
		mustTag(t, r, "m", tag)
	}
	swap := func(b []byte) []byte {
		i := strings.Index(string(b), `"digest":"`) + len(`"digest":"`)
		b[i] ^= 1
		if b[i] > '9' && b[i] < 'a' || b[i] > 'f' {
			b[i] = '0'
		}
		return b
	}
	overwrite(t, st, manifest.TagKey("m", "swapped"), swap)
	overwrite(t, st, manifest.TagKey("m", "torn"), func(b []byte) []byte { return b[:20] })
	must[store.Info](t)(st.Put(t.Context(), "tags/m/@/1.0.json", nil, store.Absent))
	for _, tag := range []string{"swapped", "torn"} {
		wantErr(t, r.Load(t.Context(), "m@"+tag, new(string)), ErrIntegrity)
	}
	for _, ref := range []string{"", "m"} {
		var keys []string
		for _, p := range must[*VerifyReport](t)(r.Verify(t.Context(), ref, nil)).Problems {
			keys = append(keys, strings.TrimPrefix(p.Key, "tags/m/@/"))
		}
		if want := []string{"1.0.json", "swapped.json", "torn.json"}; !slices.Equal(keys, want) {
			t.Errorf("verify %q finds %q, want %q", ref, keys, want)
		}
	}
}

// A damaged tag hides neither the other tags nor the versions, and is mended by
// whatever says where it is to point, or that it is to go.
func TestDamagedTagIsMended(t *testing.T) {
	for name, damage := range harm {
		t.Run(name, func(t *testing.T) {
			r, st := inMemory(t)
			mustSave(t, r, "m", "one")
			mustSave(t, r, "m", "two")
			for _, tag := range []string{"a", "bad", "z"} {
				mustTag(t, r, "m@1.0.0", tag)
			}
			mirror, _ := inMemory(t)
			must[*CopyReport](t)(Copy(t.Context(), mirror, r, "", nil))
			key := manifest.TagKey("m", "bad")
			hurt := func() { overwrite(t, st, key, damage) }

			hurt()
			var tags []string
			var bad *UnreadableError
			for tag, err := range r.Tags(t.Context(), "m") {
				if err == nil {
					tags = append(tags, tag.Tag)
				} else if !errors.As(err, &bad) || !errors.Is(err, ErrIntegrity) || !strings.Contains(err.Error(), "tag set") {
					t.Errorf("listing tags: %v", err)
				}
			}
			if !slices.Equal(tags, []string{"a", "z"}) || bad == nil || bad.Key != key || bad.Ref != "m@bad" {
				t.Errorf("listed are %q, unreadable %+v", tags, bad)
			}
			to, _ := inMemory(t)
			report, err := Copy(t.Context(), to, r, "", nil)
			if wantErr(t, err, ErrIntegrity); report.Tags != 2 || len(report.Copied) != 2 {
				t.Errorf("copied %+v", report)
			}

			wantErr(t, errOf(r.Tag(t.Context(), "m@1.0.1", "bad", &TagOptions{IfVersion: "1.0.0"})), ErrIntegrity) // where it pointed cannot be told
			wantErr(t, errOf(r.Tag(t.Context(), "m@1.0.1", "bad", &TagOptions{IfAbsent: true})), ErrIntegrity)
			mustTag(t, r, "m@1.0.1", "bad")
			wantTags(t, r, "m", "a=1.0.0", "bad=1.0.1", "z=1.0.0")

			hurt()
			if _, err := r.Untag(t.Context(), "m", "bad", nil); err != nil {
				t.Fatal(err)
			}
			wantTags(t, r, "m", "a=1.0.0", "z=1.0.0")
			moves := must[[]TagMove](t)(r.TagHistory(t.Context(), "m", "bad"))
			if len(moves) != 1 || !moves[0].Removed {
				t.Errorf("history %+v", moves)
			}
			mustTag(t, r, "m@1.0.1", "bad")

			hurt()
			repaired := must[*RepairReport](t)(r.Repair(t.Context(), "", mirror, nil))
			if !repaired.OK() || !slices.Equal(repaired.Mended, []string{key}) {
				t.Errorf("repair: mended %q, left %v", repaired.Mended, repaired.Problems)
			}
			wantTags(t, r, "m", "a=1.0.0", "bad=1.0.0", "z=1.0.0")

			// A mirror whose tag points elsewhere than here does not mend it.
			hurt()
			other, _ := inMemory(t)
			mustSave(t, other, "m", "other")
			mustTag(t, other, "m@1.0.0", "bad")
			repaired = must[*RepairReport](t)(r.Repair(t.Context(), "", other, nil))
			if repaired.OK() || len(repaired.Mended) > 0 || !strings.Contains(repaired.Problems[0].Err.Error(), "here it has") {
				t.Errorf("repair from another: mended %q, left %v", repaired.Mended, repaired.Problems)
			}
		})
	}
}
