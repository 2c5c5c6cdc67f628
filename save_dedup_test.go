package registry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/filestore"
)

func onDisk(t *testing.T) (*Registry, store.Store) {
	st, err := filestore.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return openOn(t, st, nil), st
}

func storedBytes(t *testing.T, st store.Store) (total int64, objects int) {
	for info, err := range st.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size
		objects++
	}
	return total, objects
}

// A second version stores what is new in it.
func TestDedupOfALargeFile(t *testing.T) {
	if testing.Short() {
		t.Skip("a gigabyte to save")
	}
	const size = 256 << 20
	r, st := onDisk(t)
	first := noise(1, size)
	mustSave(t, r, "m", first)
	before, _ := storedBytes(t, st)

	inserted := slices.Concat(first[:1000], noise(2, 100), first[1000:])
	mustSave(t, r, "m", inserted)
	after, _ := storedBytes(t, st)
	if grown := float64(after-before) / size; grown > 0.01 {
		t.Errorf("100 bytes inserted in %d stored %.2f %% anew, want less than 1 %%", size, 100*grown)
	} else {
		t.Logf("100 bytes inserted: %.3f %% stored anew", 100*grown)
	}

	// One percent overwritten, in 40 places.
	scattered := slices.Clone(first)
	const spot = size / 100 / 40
	for i := range 40 {
		copy(scattered[rand.IntN(size-spot):], noise(uint64(100+i), spot))
	}
	mustSave(t, r, "m", first) // as version to compare with
	before, _ = storedBytes(t, st)
	mustSave(t, r, "m", scattered)
	after, _ = storedBytes(t, st)
	if grown := float64(after-before) / size; grown > 0.30 {
		t.Errorf("1 %% overwritten in 40 places stored %.1f %% anew, want less than 30 %%", 100*grown)
	} else {
		t.Logf("1 %% overwritten in 40 places: %.1f %% stored anew", 100*grown)
	}
}

func TestManySmallFilesMakeFewObjects(t *testing.T) {
	r, st := onDisk(t)
	files := map[string][]byte{}
	for i := range 10_000 {
		files[fmt.Sprintf("d%02d/f%05d", i%100, i)] = noise(uint64(i), 500+i%8000)
	}
	src := writeFiles(t, files)
	mustSave(t, r, "m", Path(src))
	if _, n := storedBytes(t, st); n >= 100 {
		t.Errorf("10 000 files made %d objects", n)
	} else {
		t.Logf("10 000 files made %d objects", n)
	}
	before, _ := storedBytes(t, st)
	mustSave(t, r, "m", Path(src))
	if after, _ := storedBytes(t, st); after-before > 2<<10 {
		t.Errorf("saving them again stored %d bytes", after-before)
	}
	out := t.TempDir() + "/out"
	if err := r.Load(t.Context(), "m", Path(out)); err != nil {
		t.Fatal(err)
	}
	sameTree(t, src, out)
}

// Equal files of one object are stored once.
func TestDedupWithinAnObject(t *testing.T) {
	r, st := onDisk(t)
	files := map[string][]byte{}
	for i := range 20 {
		files[fmt.Sprintf("copy%d", i)] = noise(1, 5<<20)
	}
	mustSave(t, r, "m", Path(writeFiles(t, files)))
	if n, _ := storedBytes(t, st); n > 6<<20 {
		t.Errorf("20 equal files of 5 MiB take %d bytes", n)
	}
	mustSave(t, r, "zeros", make([]byte, 200<<20))
	if n, _ := storedBytes(t, st); n > 12<<20 {
		t.Errorf("200 MiB of zeros take %d bytes", n)
	}
	if got := mustLoad[[]byte](t, r, "zeros"); len(got) != 200<<20 || slices.ContainsFunc(got, func(b byte) bool { return b != 0 }) {
		t.Error("zeros came back as something else")
	}
}

// Versions that keep little of an old pack do not pin it, and long histories
// do not scatter a version over ever more packs.
func TestPacksStayFewAndFull(t *testing.T) {
	if testing.Short() {
		t.Skip("gigabytes to save")
	}
	r, _ := onDisk(t)
	body := noise(1, 30<<20)
	mustSave(t, r, "m", body)
	for i := range 60 {
		copy(body[rand.IntN(len(body)-1000):], noise(uint64(i+10), 1000))
		mustSave(t, r, "m", body)
	}
	f := manifestOf(t, r, "m")
	used := map[int]int64{}
	for _, c := range f.Content.Files[0].Chunks {
		used[c.Pack] += c.Size
	}
	var total int64
	for i, p := range f.Packs() {
		total += p.Size
		if used[i]*4 < p.Size {
			t.Errorf("pack %d: %d of %d bytes are used", i, used[i], p.Size)
		}
	}
	if n := len(f.Packs()); n > 2+16+8 {
		t.Errorf("after 60 small changes the version is in %d packs", n)
	}
	if total > 4*30<<20 {
		t.Errorf("%d bytes of packs hold 30 MiB", total)
	}
	if got := mustLoad[[]byte](t, r, "m"); !slices.Equal(got, body) {
		t.Error("wrong bytes")
	}
}
