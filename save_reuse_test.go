package registry

import (
	"bytes"
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/tracestore"
)

// damages are what happens to a pack, by the length that it then has.
var damages = []struct {
	name   string
	length bool // a look at its length shows it
	do     func(testing.TB, store.Store, string)
}{
	{"flipped", false, edited(func(b []byte) []byte { b[len(b)/2] ^= 4; return b })},
	{"zeroed", false, edited(func(b []byte) []byte { clear(b); return b })},
	{"cut short", true, edited(func(b []byte) []byte { return b[:100] })},
	{"emptied", true, edited(func([]byte) []byte { return nil })},
	{"too long", true, edited(func(b []byte) []byte { return append(b, 1) })},
	{"gone", true, func(t testing.TB, st store.Store, key string) {
		if err := st.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}},
}

func edited(edit func([]byte) []byte) func(testing.TB, store.Store, string) {
	return func(t testing.TB, st store.Store, key string) { overwrite(t, st, key, edit) }
}

// A version that was acknowledged can be loaded, also if its bytes were in the store
// before the save and were damaged there.
func TestDamagedPacksAreNotReused(t *testing.T) {
	body := noise(1, 3<<20)
	for _, d := range damages {
		for _, c := range []struct {
			name   string
			later  time.Duration
			object string
			opts   []SaveOption
			heals  bool // the damaged version
			trusts bool // the bytes in a pack of the right length
		}{
			{"the same object", 0, "m", nil, d.length, true},
			{"the same object in another era", 8 * 24 * time.Hour, "m", nil, false, true},
			{"another object", 0, "other", nil, true, false},
			{"another object on its base", 0, "other", []SaveOption{WithBase("m")}, d.length, true},
			{"without reuse", 0, "m", []SaveOption{WithoutReuse()}, true, false},
			{"without reuse in another era", 8 * 24 * time.Hour, "m", []SaveOption{WithoutReuse()}, false, false},
		} {
			t.Run(d.name+"/"+c.name, func(t *testing.T) {
				clock := newTestClock()
				st := newStoreAt(t, clock.now)
				r := openOn(t, st, nil)
				mustSave(t, r, "m", body)
				d.do(t, st, packKeys(t, st)[0])
				clock.advance(c.later)
				v := mustSave(t, r, c.object, body, c.opts...)
				var got []byte
				err := r.Load(t.Context(), c.object+"@"+v.String(), &got)
				if c.trusts && !d.length {
					wantErr(t, err, ErrIntegrity) // only reading it would have shown it
				} else if err != nil || !bytes.Equal(got, body) {
					t.Errorf("what was acknowledged does not load: %v", err)
				}
				err = r.Load(t.Context(), "m@1.0.0", new([]byte))
				if healed := c.heals || d.name == "too long"; (err == nil) != healed { // what follows a pack's end is not read
					t.Errorf("the version that was damaged: %v", err)
				}
			})
		}
	}
}

// Chunks of old packs of which little is used are moved: that reads them, and
// what is damaged must not be moved. The error says what to do, and that works.
func TestDamagedPackIsNotMoved(t *testing.T) {
	r, st := inMemory(t)
	whole, part := fstest.MapFS{}, fstest.MapFS{}
	for i := range 40 {
		f := &fstest.MapFile{Data: noise(uint64(i), 200<<10)}
		whole[strconv.Itoa(i)] = f
		if i < 5 {
			part[strconv.Itoa(i)] = f
		}
	}
	mustSave(t, r, "m", fs.FS(whole))
	overwrite(t, st, packKeys(t, st)[0], func(b []byte) []byte { clear(b); return b })
	_, err := r.Save(t.Context(), "m", fs.FS(part))
	wantErr(t, err, ErrIntegrity)
	if err == nil || !strings.Contains(err.Error(), "--no-reuse") {
		t.Errorf("the error does not say what to do: %v", err)
	}
	mustSave(t, r, "m", fs.FS(part), WithoutReuse())
	for name, f := range part {
		got := must[[]byte](t)(fs.ReadFile(mustLoad[fs.FS](t, r, "m"), name))
		if !bytes.Equal(got, f.Data) {
			t.Errorf("%s does not load", name)
		}
	}
}

// The price of looking: one request for each pack that is reused.
func TestReuseLooksOncePerPack(t *testing.T) {
	trace := tracestore.New(newStore(t))
	r := openOn(t, trace, nil)
	body := noise(1, 80<<20)
	mustSave(t, r, "m", body)
	packs := len(packKeys(t, trace))
	trace.Reset()
	mustSave(t, r, "m", body)
	if n := trace.Count("stat"); n != packs {
		t.Errorf("%d looks at %d packs", n, packs)
	}
	if trace.Count("put") != 1 {
		t.Errorf("it is stored again:\n%s", trace)
	}
}

// Two savers may find the same damage, and a swap may be lost: the pack is
// looked at again until it is right.
func TestRepairIsRepeated(t *testing.T) {
	for name, fault := range map[string]faultstore.Fault{
		"answer lost":   {After: store.ErrUnknown},
		"not applied":   {Before: store.ErrUnknown},
		"refused":       {Before: store.ErrPrecondition},
		"asked to wait": {Before: store.ErrRetry},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStore(t)
			faulty := faultstore.New(st, nil)
			r := openOn(t, faulty, nil)
			body := noise(1, 1<<20)
			mustSave(t, r, "m", body)
			key := packKeys(t, st)[0]
			overwrite(t, st, key, func(b []byte) []byte { return b[:100] })
			puts := 0
			faulty.Plan(func(c faultstore.Call) faultstore.Fault {
				if c.Op == "put" && c.Key == key {
					if puts++; puts == 1 { // the swap
						return fault
					}
				}
				return faultstore.Fault{}
			})
			mustSave(t, r, "other", body)
			faulty.Plan(nil)
			if puts == 0 {
				t.Error("the fault did not happen")
			}
			if !bytes.Equal(mustLoad[[]byte](t, r, "m"), body) {
				t.Error("the pack was not put right")
			}
		})
	}
}
