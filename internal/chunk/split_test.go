package chunk

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func noise(seed uint64, n int) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	b := make([]byte, n)
	rand.NewChaCha8(key).Read(b)
	return b
}

// ends returns the ends of the chunks of data, fed to the splitter in pieces.
func ends(data []byte, piece func() int) []int {
	var s splitter
	var out []int
	pos, start := 0, 0
	for rest := data; len(rest) > 0; {
		p := rest[:min(len(rest), piece())]
		rest = rest[len(p):]
		for len(p) > 0 {
			n, end := s.next(p)
			pos, p = pos+n, p[n:]
			if end {
				out = append(out, pos)
				start = pos
			}
		}
	}
	if start < len(data) {
		out = append(out, len(data))
	}
	return out
}

func whole() int { return 1 << 30 }

// text is data of another kind than noise: lines that repeat.
func text(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,%x,line %d of a table\n", i, i*i, i%17)
	}
	return b.Bytes()[:n]
}

// The boundaries are part of the format: registries written by different
// versions and programs share chunks only if all cut alike. These numbers
// must never change.
func TestGoldenBoundaries(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		ends []int
	}{
		{"empty", nil, nil},
		{"small", noise(1, 1000), []int{1000}},
		{"minimum", noise(1, MinChunk), []int{MinChunk}},
		{"noise", noise(1, 8<<20), []int{1079334, 1932972, 3891617, 5078401, 6316127, 7633798, 8388608}},
		{"zeros", make([]byte, 9<<20), []int{4 << 20, 8 << 20, 9 << 20}},
		{"text", text(6 << 20), []int{688150, 1040597, 2123681, 3120559, 4132225, 4594240, 5636558, 6291456}},
	} {
		got := ends(c.data, whole)
		if !slices.Equal(got, c.ends) {
			t.Errorf("%s is cut at %v, want %v", c.name, got, c.ends)
		}
	}
	h := sha256.New()
	for _, g := range gear {
		binary.Write(h, binary.BigEndian, g)
	}
	if got := fmt.Sprintf("%x", h.Sum(nil)); got != "521e3fb45c6e8e7ceb172a7eb123aee45f3c0e86bf64d7b45a6af90277dc4572" {
		t.Errorf("gear table has digest %s", got)
	}
}

// Where chunks end depends on the bytes alone, not on how they arrive.
func TestPiecesDoNotMatter(t *testing.T) {
	data := slices.Concat(noise(1, 5<<20), make([]byte, 5<<20), text(3<<20))
	want := ends(data, whole)
	for _, piece := range []func() int{
		func() int { return 1 << 20 },
		func() int { return 4093 },
		func() int { return 1 + rand.IntN(3<<20) },
	} {
		if got := ends(data, piece); !slices.Equal(got, want) {
			t.Errorf("cut at %v in pieces, %v as a whole", got, want)
		}
	}
}

// The chunks have the sizes that the package promises.
func TestSizes(t *testing.T) {
	data := noise(3, 256<<20)
	last, largest := 0, 0
	cuts := ends(data, whole)
	for _, e := range cuts[:len(cuts)-1] {
		n := e - last
		last = e
		if n < MinChunk || n > MaxChunk {
			t.Errorf("chunk of %d bytes", n)
		}
		largest = max(largest, n)
	}
	mean := len(data) / len(cuts)
	if mean < AvgChunk*8/10 || mean > AvgChunk*13/10 {
		t.Errorf("chunks have %d bytes on average", mean)
	}
	t.Logf("%d chunks, %d bytes on average, %d at most", len(cuts), mean, largest)
}

// An insertion moves the boundaries near it and no others.
func TestInsertionMovesFewBoundaries(t *testing.T) {
	data := noise(4, 64<<20)
	before := ends(data, whole)
	at := 20 << 20
	after := ends(slices.Concat(data[:at], noise(5, 100), data[at:]), whole)
	same := 0
	for _, e := range after {
		if e > at {
			e -= 100
		}
		if slices.Contains(before, e) {
			same++
		}
	}
	if same < len(before)-3 {
		t.Errorf("%d of %d boundaries are left", same, len(before))
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(uint64(1), 3<<20, uint64(7))
	f.Add(uint64(2), 0, uint64(0))
	f.Fuzz(func(t *testing.T, seed uint64, size int, how uint64) {
		size = min(max(size, 0), 12<<20)
		data := noise(seed, size)
		rng := rand.New(rand.NewPCG(how, 0))
		for i := 0; i+1000 < size && rng.IntN(4) > 0; { // stretches of zeros
			n := rng.IntN(size - i)
			clear(data[i : i+n/3])
			i += n + 1
		}
		got := ends(data, func() int { return 1 + rng.IntN(1<<20) })
		if !slices.Equal(got, ends(data, whole)) {
			t.Fatal("pieces matter")
		}
		last := 0
		for i, e := range got {
			if n := e - last; n > MaxChunk || n <= 0 || n < MinChunk && i < len(got)-1 {
				t.Fatalf("chunk of %d bytes", n)
			}
			last = e
		}
		if last != size {
			t.Fatalf("cut ends at %d of %d", last, size)
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	data := noise(1, 64<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		ends(data, whole)
	}
}
