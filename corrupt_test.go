package registry

import (
	"bytes"
	"errors"
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

// What a newer program wrote is neither misread nor written over
// (docs/attacks.md, A27).
func TestNewerFormatIsRefused(t *testing.T) {
	r, st := inMemory(t)
	mustSave(t, r, "m", "x")
	key := manifest.VersionKey("m", Version{Major: 1})
	for _, edit := range []func([]byte) []byte{
		func(b []byte) []byte { return bytes.Replace(b, []byte(`"format":1`), []byte(`"format":2`), 1) },
		func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"format":1`), []byte(`"format":1,"requires":["holograms"]`), 1)
		},
	} {
		old, _, err := st.Get(t.Context(), key, nil)
		if err != nil {
			t.Fatal(err)
		}
		overwrite(t, st, key, edit)
		wantErr(t, r.Load(t.Context(), "m", new(string)), ErrNewer)
		_, err = r.Delete(t.Context(), "m@1", nil)
		wantErr(t, err, ErrNewer)
		overwrite(t, st, key, func([]byte) []byte { return old })

		settings, _, err := st.Get(t.Context(), manifest.SettingsKey, nil)
		if err != nil {
			t.Fatal(err)
		}
		overwrite(t, st, manifest.SettingsKey, edit)
		_, err = OpenStore(t.Context(), st, "", &Options{Create: true})
		wantErr(t, err, ErrNewer)
		overwrite(t, st, manifest.SettingsKey, func([]byte) []byte { return settings })
	}
	overwrite(t, st, manifest.SettingsKey, func([]byte) []byte { return []byte("{}") })
	_, err := OpenStore(t.Context(), st, "", nil)
	if err == nil || errors.Is(err, ErrNoRegistry) {
		t.Errorf("garbage settings: %v", err)
	}
}

func TestNotARegistry(t *testing.T) {
	r, st := inMemory(t)
	_ = r
	_, err := OpenStore(t.Context(), st, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Delete(t.Context(), manifest.SettingsKey); err != nil {
		t.Fatal(err)
	}
	_, err = OpenStore(t.Context(), st, "", nil)
	wantErr(t, err, ErrNoRegistry)
	if _, err := st.Put(t.Context(), "photos/cat.jpg", nil, store.Absent); err != nil {
		t.Fatal(err)
	}
	_, err = OpenStore(t.Context(), st, "", &Options{Create: true})
	wantErr(t, err, ErrNotEmpty)
}
