package registry

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/filestore"
	"github.com/mindtrace/registry/store/memstore"
	"github.com/mindtrace/registry/store/tracestore"
)

// A registry that somebody else makes and fills between two requests of
// Open(Create) is the one that is opened, whichever two they are.
func TestCreateRaces(t *testing.T) {
	for n := range 4 {
		st := newStore(t)
		var other *Registry
		calls := 0
		fst := faultstore.New(st, func(c faultstore.Call) faultstore.Fault {
			if calls++; calls != n+1 {
				return faultstore.Fault{}
			}
			return faultstore.Fault{Do: func() {
				other = openOn(t, st, nil)
				mustSave(t, other, "a", "x")
			}}
		})
		r, err := OpenStore(context.Background(), fst, "test:", &Options{Create: true})
		if err != nil {
			t.Errorf("somebody was faster before request %d: %v", n, err)
			continue
		}
		if other == nil || r.ID() != other.ID() {
			t.Errorf("before request %d: not the same registry", n)
		}
		mustLoad[string](t, r, "a")
	}
}

// A registry is not made amid other files, also if their names are no keys.
// What systems leave everywhere does not count.
func TestCreateAmidFiles(t *testing.T) {
	for path, ok := range map[string]bool{
		"README.md": false, "Makefile": false, "src/Main.java": false, "a b": false, "data.csv": false,
		".DS_Store": true, ".git/HEAD": true, "lost+found/#12": true, "Empty/": true,
	} {
		dir := t.TempDir()
		full := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
			t.Fatal(err)
		}
		if path[len(path)-1] == '/' {
			if err := os.MkdirAll(full, 0o777); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(full, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
		st, err := filestore.New(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = OpenStore(t.Context(), store.Store(st), dir, &Options{Create: true})
		if ok && err != nil || !ok && !errors.Is(err, ErrNotEmpty) {
			t.Errorf("beside %s: %v", path, err)
		}
		if !ok {
			if entries, _ := os.ReadDir(dir); len(entries) != 1 {
				t.Errorf("beside %s, something was made: %v", path, entries)
			}
		}
	}
}

// The command that is advised can be pasted into a shell as it is.
func TestAdviceCanBePasted(t *testing.T) {
	for url, word := range map[string]string{
		"mem://bucket/a.b-c":         "mem://bucket/a.b-c",
		"mem://bucket?region=x&a=b":  "'mem://bucket?region=x&a=b'",
		"mem://it's; rm -rf ~/a b$c": `'mem://it'\''s; rm -rf ~/a b$c'`,
	} {
		_, err := OpenStore(t.Context(), memstore.New(nil), url, nil)
		if !errors.Is(err, ErrNoRegistry) || !strings.Contains(err.Error(), "run mindreg init "+word+" (") {
			t.Error(err)
		}
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

// Times are part of the registry, because they must not change under running
// savers: every client gets those that the registry was created with
// (docs/attacks.md, A26).
func TestTimesOfARegistryStay(t *testing.T) {
	st := newStore(t)
	short := manifest.Times{Era: 10, Window: 6, Retain: 5, Margin: 1}
	openOn(t, st, &Options{times: short})
	if r := openOn(t, st, nil); r.ledger.Settings.Times != short {
		t.Errorf("times are %+v", r.ledger.Settings.Times)
	}
}

// liar is a store that creates keys that exist, now and then, as a server with
// two pools does.
type liar struct {
	store.Store
	lies bool
}

func (l *liar) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	if l.lies && match == store.Absent && rand.N(2) == 0 {
		if info, err := l.Store.Stat(ctx, key); err == nil {
			match = info.Token
		}
	}
	return l.Store.Put(ctx, key, body, match)
}

// No registry is made in a store that lies.
func TestInitProbes(t *testing.T) {
	l := &liar{newStore(t), true}
	_, err := OpenStore(t.Context(), l, "liar:", &Options{Create: true})
	wantErr(t, err, ErrUnsafeStore)
	for info := range l.List(t.Context(), "", "") {
		t.Errorf("%s was left", info.Key)
	}
	l.lies = false
	if _, err := l.Put(t.Context(), manifest.ProbePrefix+"left/a", nil, store.Absent); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(t.Context(), l, "liar:", &Options{Create: true}); err != nil {
		t.Error(err) // what a probe has left does not count
	}
}

// After a day, the first write probes the store again; nobody else does.
func TestWritesProbeOnceADay(t *testing.T) {
	clock := newTestClock()
	l := &liar{Store: newStoreAt(t, clock.now)}
	trace := tracestore.New(l)
	r := openOn(t, trace, nil)
	probes := func(do func()) bool {
		trace.Reset()
		do()
		return strings.Contains(trace.String(), "probe/")
	}
	if probes(func() { mustSave(t, r, "a", "1") }) {
		t.Error("probed again on the same day")
	}
	clock.advance(25 * time.Hour)
	r = openOn(t, trace, nil)
	if probes(func() { mustLoad[string](t, r, "a") }) {
		t.Error("a load probed")
	}
	if !probes(func() { mustSave(t, r, "a", "2") }) {
		t.Error("not probed after a day")
	}
	other := openOn(t, trace, nil)
	if probes(func() { mustSave(t, r, "a", "3"); mustSave(t, other, "a", "4") }) {
		t.Error("probed again after it was recorded")
	}
	clock.advance(25 * time.Hour)
	l.lies = true
	r = openOn(t, trace, nil)
	_, err := r.Save(t.Context(), "a", "5")
	wantErr(t, err, ErrUnsafeStore)
	_, err = r.Delete(t.Context(), "a@1.0.0", nil)
	wantErr(t, err, ErrUnsafeStore)
	if got := mustLoad[string](t, r, "a"); got != "4" {
		t.Errorf("latest is %q after a save that was refused", got)
	}
}
