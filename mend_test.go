package registry

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// harm is what can become of a register.
var harm = map[string]func([]byte) []byte{
	"torn":      func(b []byte) []byte { return b[:len(b)/2] },
	"empty":     func([]byte) []byte { return nil },
	"noise":     func([]byte) []byte { return noise(1, 500) },
	"too large": func([]byte) []byte { return bytes.Repeat([]byte("["), manifest.MaxSmall+1) },
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

// A delete that is not forced does not go by a tag that may be on its version.
func TestDamagedTagGuardsItsVersion(t *testing.T) {
	r, st := inMemory(t)
	mustSave(t, r, "m", "one")
	mustTag(t, r, "m", "bad")
	overwrite(t, st, manifest.TagKey("m", "bad"), harm["torn"])
	_, err := r.Delete(t.Context(), "m@1.0.0", nil)
	wantErr(t, err, ErrIntegrity)
	mustLoad[string](t, r, "m@1.0.0")
}

// Verify finds damage of what is neither version nor tag, too, and Repair puts
// it right, with no more than is here.
func TestVerifyLooksAtEverything(t *testing.T) {
	r, st := inMemory(t)
	mustSave(t, r, "m", "one")
	mustSave(t, r, "n", "one")
	_, unlock, err := r.Lock(t.Context(), "m", nil)
	if err == nil {
		err = unlock()
	}
	if err != nil {
		t.Fatal(err)
	}
	must[*GCReport](t)(r.GC(t.Context(), nil))
	shared := manifest.SharedLockKey("m", manifest.NewNonce())
	marker := manifest.CollectionKey(manifest.NewNonce())
	lie := manifest.MilestoneKey("m", Version{Major: 7})
	full := manifest.MilestoneKey("m", Version{Major: 1})
	for key, body := range map[string]string{shared: "x", marker: "x", lie: "", full: "x", manifest.MilestoneKey("n", Version{Major: 1}): ""} {
		must[store.Info](t)(st.Put(t.Context(), key, []byte(body), store.Absent))
	}
	overwrite(t, st, manifest.LockKey("m"), harm["torn"])
	mendable := []string{marker, manifest.LockKey("m"), shared, lie, full}
	strangers := []string{"gc/notes", "locks/m/y.json", "objects/m/@/notes.txt", "objects/x", "packs/0000000001/xx", "photos/cat.jpg", "tags/m/@/1.0.json"}
	for _, key := range strangers {
		must[store.Info](t)(st.Put(t.Context(), key, []byte("hi"), store.Absent))
	}

	keys := func(problems []Problem) (keys []string) {
		for _, p := range problems {
			keys = append(keys, p.Key)
			if !strings.Contains(p.Err.Error(), p.Key) {
				t.Errorf("%v: it does not say that it is %s", p.Err, p.Key)
			}
		}
		slices.Sort(keys)
		return keys
	}
	want := slices.Sorted(slices.Values(slices.Concat(mendable, strangers)))
	if got := keys(must[*VerifyReport](t)(r.Verify(t.Context(), "", nil)).Problems); !slices.Equal(got, want) {
		t.Errorf("verify finds %q, want %q", got, want)
	}
	mirror, _ := inMemory(t)
	report := must[*RepairReport](t)(r.Repair(t.Context(), "", mirror, nil))
	if got := keys(report.Problems); !slices.Equal(got, strangers) {
		t.Errorf("left are %q, want %q", got, strangers)
	}
	slices.Sort(mendable)
	slices.Sort(report.Mended)
	if !slices.Equal(report.Mended, mendable) {
		t.Errorf("mended are %q", report.Mended)
	}
	if got := keys(must[*VerifyReport](t)(r.Verify(t.Context(), "", nil)).Problems); !slices.Equal(got, strangers) {
		t.Errorf("then verify finds %q", got)
	}
	_, unlock, err = r.Lock(t.Context(), "m", nil)
	if err == nil {
		err = unlock()
	}
	if err != nil {
		t.Error(err)
	}
}

// A lock that is damaged, or has reached its last epoch, is listed with what to do
// and hides no other lock. After the repair its epoch is greater than any before.
func TestDamagedLockIsMended(t *testing.T) {
	damages := map[string]func([]byte) []byte{"last": func(b []byte) []byte {
		return bytes.Replace(b, []byte(`"epoch":1`), []byte(`"epoch":9007199254740991`), 1)
	}}
	for name, damage := range harm {
		damages[name] = damage
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			r, st := inMemory(t)
			take := func(lock string) (uint64, error) {
				ctx, unlock, err := r.Lock(t.Context(), lock, nil)
				if err != nil {
					return 0, err
				}
				return LockEpoch(ctx), unlock()
			}
			for _, lock := range []string{"a", "bad", "z"} {
				must[uint64](t)(take(lock))
			}
			overwrite(t, st, manifest.LockKey("bad"), damage)
			r = openOn(t, st, nil)
			_, err := take("bad")
			if wantErr(t, err, ErrIntegrity); err != nil && !strings.Contains(err.Error(), "lock break") && name == "last" {
				t.Errorf("it does not say what to do: %v", err)
			}
			n := 0
			for l, err := range r.Locks(t.Context()) {
				if err == nil {
					n++
				} else if !errors.As(err, new(*UnreadableError)) || l.Name != "bad" {
					t.Errorf("listing locks: %v", err)
				}
			}
			if n < 2 {
				t.Errorf("%d locks are listed", n)
			}
			if _, err := r.BreakLock(t.Context(), "bad", &BreakLockOptions{Why: "damaged"}); err != nil {
				t.Fatal(err)
			}
			first := must[uint64](t)(take("bad"))
			second := must[uint64](t)(take("bad"))
			if first < 1_000_000_000_000_000 || second != first+1 || second >= manifest.MaxEpoch {
				t.Errorf("epochs %d, %d", first, second)
			}
		})
	}
}
