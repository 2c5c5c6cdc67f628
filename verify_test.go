package registry

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

func unmarshal(b []byte, v any) error { return json.Unmarshal(b, v) }

// Whatever is damaged in the store is found: the bytes are never returned,
// the error says where, Verify names the versions concerned, others load.
func TestDamageIsFound(t *testing.T) {
	body := noise(1, 20<<20)
	damages := map[string]func([]byte) []byte{
		"flipped bit": func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
		"last byte":   func(b []byte) []byte { b[len(b)-1] ^= 255; return b },
		"truncated":   func(b []byte) []byte { return b[:len(b)-100] },
		"emptied":     func([]byte) []byte { return nil },
		"zeroed":      func(b []byte) []byte { return make([]byte, len(b)) },
		"halves":      func(b []byte) []byte { return append(b[len(b)/2:], b[:len(b)/2]...) },
	}
	for name, damage := range damages {
		for _, where := range []string{"pack", "register", "inline"} {
			t.Run(where+" "+name, func(t *testing.T) {
				r, st := inMemory(t)
				mustSave(t, r, "good", "good")
				mustSave(t, r, "m", "first")
				mustSave(t, r, "m", body)
				ref, key := "m@1.0.1", packKeys(t, st)[0]
				if where != "pack" {
					ref = "m@1.0.0"
					key = manifest.VersionKey("m", Version{Major: 1})
				}
				if where == "inline" { // the base64 of "first"
					damage = func(b []byte) []byte { return bytes.Replace(b, []byte(`"Zmlyc3Q="`), []byte(`"Zmlyc3Y="`), 1) }
				}
				overwrite(t, st, key, damage)
				var got []byte
				err := r.Load(t.Context(), ref, &got)
				wantErr(t, err, ErrIntegrity)
				if err != nil && !strings.Contains(err.Error(), "m@1.0") {
					t.Errorf("the error does not say what is damaged: %v", err)
				}
				if len(got) > 0 {
					t.Errorf("%d bytes were returned", len(got))
				}
				if where == "pack" {
					obj := must[*Object](t)(r.Object(t.Context(), ref))
					_, err = obj.ReadFile("data")
					wantErr(t, err, ErrIntegrity)
				}
				rep := must[*VerifyReport](t)(r.Verify(t.Context(), "", nil))
				if len(rep.Problems) != 1 || rep.Problems[0].Ref != ref {
					t.Errorf("verify found %+v", rep.Problems)
				}
				mustLoad[string](t, r, "good")
			})
		}
	}
}

func TestMissingPackIsFound(t *testing.T) {
	r, st := inMemory(t)
	mustSave(t, r, "m", noise(1, 40<<20))
	mustSave(t, r, "m", noise(1, 40<<20), WithMetadata("second"))
	if err := st.Delete(t.Context(), packKeys(t, st)[1]); err != nil {
		t.Fatal(err)
	}
	wantErr(t, r.Load(t.Context(), "m", new([]byte)), ErrIntegrity)
	rep := must[*VerifyReport](t)(r.Verify(t.Context(), "m", nil))
	if len(rep.Problems) != 2 {
		t.Errorf("verify names %+v, both versions are hurt", rep.Problems)
	}
}

func TestStrangersAreReported(t *testing.T) {
	r, st := inMemory(t)
	mustSave(t, r, "m", "x")
	if _, err := st.Put(t.Context(), "objects/m/@/notes.txt", []byte("hi"), store.Absent); err != nil {
		t.Fatal(err)
	}
	mustLoad[string](t, r, "m")
	mustSave(t, r, "m", "y")
	rep := must[*VerifyReport](t)(r.Verify(t.Context(), "", nil))
	if len(rep.Problems) != 1 || rep.Problems[0].Key != "objects/m/@/notes.txt" {
		t.Errorf("verify found %+v", rep.Problems)
	}
}

// Verify names every version that a pack hurts, the files, and the chunks.
func TestVerifyTellsWhatIsHurt(t *testing.T) {
	r, mem := forRepair(t)
	f := manifestOf(t, r, "tree@1.0.0")
	i := slices.IndexFunc(f.Content.Files, func(f manifest.File) bool { return f.Path == "d0/f7" })
	c := f.Content.Files[i].Chunks[0]
	key := f.Placement.Packs[c.Pack].Key()
	overwrite(t, mem, key, func(b []byte) []byte { b[c.Offset+3] ^= 8; return b })
	rep := must[*VerifyReport](t)(r.Verify(t.Context(), "", nil))
	if len(rep.Problems) != 2 || len(rep.Damage) != 1 || rep.Damage[0].Key != key || rep.Damage[0].Missing {
		t.Fatalf("%+v", rep)
	}
	for k, v := range []string{"tree@1.0.0", "tree@1.0.1"} {
		want := Hurt{Ref: v, File: "d0/f7", Size: c.Size, SHA256: c.SHA256.Hex()}
		if got := rep.Damage[0].Hurts[k]; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if err := mem.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	rep = must[*VerifyReport](t)(r.Verify(t.Context(), "tree@1.0.0", nil))
	if len(rep.Damage) == 0 || !rep.Damage[0].Missing || len(rep.Damage[0].Hurts) < 60 {
		t.Errorf("%+v", rep.Damage)
	}
}

// harm is what can become of a register.
var harm = map[string]func([]byte) []byte{
	"torn":      func(b []byte) []byte { return b[:len(b)/2] },
	"empty":     func([]byte) []byte { return nil },
	"noise":     func([]byte) []byte { return noise(1, 500) },
	"too large": func([]byte) []byte { return bytes.Repeat([]byte("["), manifest.MaxSmall+1) },
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
