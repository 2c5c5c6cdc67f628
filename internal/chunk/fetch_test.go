package chunk

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/memstore"
)

// Fetch with FileDigests hashes a file once, as a whole. Damage on the way is
// made good, and damage that stays is found, and told where it is.
func TestFetchByFileDigests(t *testing.T) {
	files := []named{{"large", noise(1, 40<<20)}, {"other", noise(2, 20<<20)}, {"small", noise(3, 100<<10)}}
	mem := memstore.New(nil)
	m, _ := write(t, config(mem, nil), files)
	for _, c := range []struct {
		name   string
		damage func(nth int) bool // of the bytes that the nth request brings
		times  int                // at most so many requests
		fails  bool
	}{
		{"none", func(int) bool { return false }, 6, false},
		{"first", func(n int) bool { return n == 1 }, 10, false},
		{"second", func(n int) bool { return n == 2 }, 10, false},
		{"all of a file", func(n int) bool { return n >= 2 && n <= 4 }, 12, false},
		{"always", func(int) bool { return true }, 20, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			gets := 0
			st := faultstore.New(mem, func(call faultstore.Call) faultstore.Fault {
				gets++
				if !c.damage(gets) {
					return faultstore.Fault{}
				}
				return faultstore.Fault{Body: func(b []byte) []byte {
					b = bytes.Clone(b)
					b[len(b)/2] ^= 1
					return b
				}}
			})
			d := &memory{files: map[int][]byte{}, n: map[int]int64{}, done: map[int]bool{}}
			r := NewReader(st, m, &ReaderOptions{Gets: 1, FileDigests: true})
			err := r.Fetch(t.Context(), []int{0, 1, 2}, d)
			if c.fails {
				if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "bytes ") {
					t.Errorf("got %v, want where the damage is", err)
				}
				for i := range d.done {
					t.Errorf("file %d is said to be done", i)
				}
			} else if err != nil {
				t.Fatal(err)
			} else {
				for i, f := range files {
					if !d.done[i] || !bytes.Equal(d.files[i], f.body) {
						t.Errorf("%q: done %v, %d bytes", f.path, d.done[i], len(d.files[i]))
					}
				}
			}
			if gets > c.times {
				t.Errorf("%d requests, at most %d wanted", gets, c.times)
			}
		})
	}
}
