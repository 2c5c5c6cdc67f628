package chunk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/memstore"
)

// dated is a store whose clock stands still until a test moves it.
type dated struct {
	*faultstore.Store
	mu  sync.Mutex
	now time.Time
}

func newDated() *dated {
	d := &dated{now: time.Unix(2000*7*24*3600, 0)}
	d.Store = faultstore.New(memstore.New(&memstore.Options{Now: d.time}), nil)
	return d
}

func (d *dated) time() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

// nextEra moves the clock into the next era.
func (d *dated) nextEra() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(7 * 24 * time.Hour)
}

func (d *dated) era() uint64 { return manifest.DefaultTimes.EraOf(d.time()) }

// config is that of a save, which follows the store's clock.
func (d *dated) config(base *manifest.Manifest) Config {
	cfg := config(d, base)
	cfg.Store = wrapstore.ObserveClock(d, cfg.Clock)
	return cfg
}

// when has do happen once, before the first call op of a pack.
func (d *dated) when(op string, do func()) {
	d.Plan(func(c faultstore.Call) (f faultstore.Fault) {
		if do != nil && c.Op == op && strings.HasPrefix(c.Key, manifest.PacksPrefix) {
			f.Do, do = do, nil
		}
		return f
	})
}

// overwrite replaces the bytes of a pack.
func overwrite(t *testing.T, st store.Store, p manifest.Pack, change func([]byte) []byte) {
	t.Helper()
	body, info, err := st.Get(t.Context(), p.Key(), nil)
	if err == nil {
		_, err = st.Put(t.Context(), p.Key(), change(bytes.Clone(body)), info.Token)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func damage(b []byte) []byte   { b[len(b)/2] ^= 1; return b }
func cutShort(b []byte) []byte { return b[:len(b)-1] }

var onePack = []named{{"a", noise(1, 300<<10)}}

// A pack whose era has ended by the time it is there is put again, into the
// era that the store's clock says: a collection may take the first for old.
func TestPackAtTheEndOfItsEra(t *testing.T) {
	st := newDated()
	st.when("put", st.nextEra)
	m, _ := write(t, st.config(nil), onePack)
	if got := m.Placement.Packs[0].Era; got != st.era() {
		t.Errorf("the pack is of era %d, and now is %d", got, st.era())
	}
	check(t, st, m, onePack)
}

// A pack that is there already is compared, and put right if it is damaged:
// the save vouches for its bytes.
func TestPackThatIsThereIsCompared(t *testing.T) {
	for _, change := range []func([]byte) []byte{damage, cutShort} {
		st := newDated()
		m, _ := write(t, st.config(nil), onePack)
		overwrite(t, st, m.Placement.Packs[0], change)
		again, _ := write(t, st.config(nil), onePack)
		if again.Placement.Packs[0] != m.Placement.Packs[0] {
			t.Errorf("%+v has become %+v", m.Placement.Packs[0], again.Placement.Packs[0])
		}
		check(t, st, again, onePack)
	}
}

// flushed is a store that notes what is flushed.
type flushed struct {
	store.Store
	keys []string
}

func (f *flushed) Flush(_ context.Context, key string) error {
	f.keys = append(f.keys, key)
	return nil
}

// A pack that a save finds, and so does not put, is flushed: the one who has
// put it may have died before that.
func TestPackThatIsFoundIsFlushed(t *testing.T) {
	st := &flushed{Store: newDated()}
	m, _ := write(t, config(st, nil), onePack)
	_, res := write(t, config(st, nil), onePack)
	if res.Stats.Found != 300<<10 || !slices.Equal(st.keys, []string{m.Placement.Packs[0].Key()}) {
		t.Errorf("found %d bytes, flushed %q", res.Stats.Found, st.keys)
	}
}

// A pack that is found as its era ends is put into the next one. What a save
// rests on is not later than its start.
func TestPackThatIsFoundAtTheEndOfItsEra(t *testing.T) {
	st := newDated()
	write(t, st.config(nil), onePack)
	start := st.time()
	st.when("stat", st.nextEra)
	m, res := write(t, st.config(nil), onePack)
	if got := m.Placement.Packs[0].Era; got != st.era() {
		t.Errorf("the pack is of era %d, and now is %d", got, st.era())
	}
	if !res.Evidence.Equal(start) {
		t.Errorf("the save rests on %s, it began at %s", res.Evidence, start)
	}
}

// A base whose pack was cut short or is gone is no base: the bytes at hand
// would be lost.
func TestBaseWhosePackIsCutShort(t *testing.T) {
	for what, spoil := range map[string]func(t *testing.T, st *dated, p manifest.Pack){
		"cut short": func(t *testing.T, st *dated, p manifest.Pack) { overwrite(t, st, p, cutShort) },
		"gone": func(t *testing.T, st *dated, p manifest.Pack) {
			if err := st.Delete(t.Context(), p.Key()); err != nil {
				t.Fatal(err)
			}
		},
		"whole": nil,
	} {
		st := newDated()
		base, _ := write(t, st.config(nil), onePack)
		if spoil != nil {
			spoil(t, st, base.Placement.Packs[0])
		}
		st.nextEra()
		m, res := write(t, st.config(base), onePack)
		if reused := res.Stats.Reused > 0; reused != (spoil == nil) {
			t.Errorf("%s: %+v", what, res.Stats)
		}
		check(t, st, m, onePack)
	}
}

// stale is a store that gives damaged bytes until it is told to forget them.
type stale struct {
	store.Store
	forgotten bool
}

func (s *stale) Get(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	body, info, err := s.Store.Get(ctx, key, o)
	if err == nil && !s.forgotten {
		body = damage(body)
	}
	return body, info, err
}

func (s *stale) Forget(string, int64, int64) { s.forgotten = true }

// Bytes that a cache has damaged are forgotten, and read from the store.
func TestDamagedBytesAreForgotten(t *testing.T) {
	st := newDated()
	m, _ := write(t, st.config(nil), onePack)
	check(t, &stale{Store: st}, m, onePack)
}

// Renewing changes the places of the chunks in the pack that it renews, and of
// no others.
func TestRefreshOfSeveralPacks(t *testing.T) {
	st := newDated()
	both := []named{onePack[0], {"b", noise(2, 400<<10)}, {"c", noise(3, 300<<10)}}
	base, _ := write(t, st.config(nil), both[:1])
	m, _ := write(t, st.config(base), both)
	if len(m.Placement.Packs) != 2 {
		t.Fatalf("%d packs", len(m.Placement.Packs))
	}
	st.nextEra()
	if _, err := Refresh(t.Context(), st.config(nil), m.Content.Files, m.Placement.Packs, nil); err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Placement.Packs {
		if p.Era != st.era() {
			t.Errorf("a pack is of era %d, and now is %d", p.Era, st.era())
		}
	}
	check(t, st, m, both)
}

// A pack of the present era is no evidence if it was cut short, though it
// answers. Nor is one that is gone.
func TestRefreshOfAPackThatIsCutShort(t *testing.T) {
	st := newDated()
	m, _ := write(t, st.config(nil), onePack)
	refresh := func() error {
		_, err := Refresh(t.Context(), st.config(nil), m.Content.Files, slices.Clone(m.Placement.Packs), nil)
		return err
	}
	if err := refresh(); err != nil {
		t.Errorf("whole: %v", err)
	}
	overwrite(t, st, m.Placement.Packs[0], cutShort)
	if err := refresh(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("cut short: %v", err)
	}
	if err := st.Delete(t.Context(), m.Placement.Packs[0].Key()); err != nil {
		t.Fatal(err)
	}
	if err := refresh(); !errors.Is(err, ErrMissing) {
		t.Errorf("gone: %v", err)
	}
}

// An object that grows from version to version by less than a pack does not
// come to need a request for each of them.
func TestSmallPacksStayFew(t *testing.T) {
	st := newDated()
	var base *manifest.Manifest
	var files []named
	for i := range maxSmall + 2 {
		files = append(files, named{fmt.Sprintf("%02d", i), noise(uint64(i), 140<<10)})
		base, _ = write(t, st.config(base), files)
		if n := len(base.Placement.Packs); n > maxSmall+1 {
			t.Errorf("version %d has %d packs", i, n)
		}
	}
	check(t, st, base, files)
}

// A chunk is held by the bytes of a pack that reach to its end.
func TestHolds(t *testing.T) {
	pack := []byte("0123456789")
	c := manifest.Chunk{SHA256: manifest.Sum(pack[6:]), Size: 4, Offset: 6}
	for n, want := range map[int]bool{10: true, 9: false, 6: false, 5: false, 0: false} {
		if got := Holds(pack[:n], c); got != want {
			t.Errorf("%d bytes: %t", n, got)
		}
	}
}

// Of a file that is there in part, the chunks that are whole are found.
func TestHave(t *testing.T) {
	st := newDated()
	file := named{"a", noise(1, 6<<20)}
	m, _ := write(t, st.config(nil), []named{file})
	chunks := m.Content.Files[0].Chunks
	if len(chunks) < 3 {
		t.Fatalf("%d chunks", len(chunks))
	}
	there := bytes.Clone(file.body[:len(file.body)-1])
	there[chunks[0].Size+5] ^= 1
	want := slices.Repeat([]bool{true}, len(chunks))
	want[1], want[len(chunks)-1] = false, false
	have, n, err := NewReader(st, m, nil).Have(0, bytes.NewReader(there))
	size := int64(len(file.body)) - chunks[1].Size - chunks[len(chunks)-1].Size
	if err != nil || !slices.Equal(have, want) || n != size {
		t.Errorf("%v with %d bytes, %v; want %v with %d", have, n, err, want, size)
	}
}
