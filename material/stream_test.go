package material

import (
	"bytes"
	"io"
	"testing"
)

// countingSink is a Sink for one stream, and counts how often it is created.
type countingSink struct {
	oneStream
	created int
}

func (s *countingSink) Create(name string) (io.WriteCloser, error) {
	s.created++
	return s.oneStream.Create(name)
}

func TestLazyWriterWaitsUntilThereIsMuch(t *testing.T) {
	s := new(countingSink)
	w := &lazyWriter{dst: s, name: "x"}
	var want []byte
	for i := range 100 {
		part := bytes.Repeat([]byte{byte(i)}, 1000)
		if n, err := w.Write(part); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
		want = append(want, part...)
		if created := s.created == 1; created != (len(want) > lazyBytes) {
			t.Fatalf("after %d bytes, Create was called %d times", len(want), s.created)
		}
	}
	if err := w.Close(); err != nil || s.created != 1 || !bytes.Equal(s.data, want) {
		t.Errorf("Close = %v, %d streams, %d bytes of %d", err, s.created, len(s.data), len(want))
	}
}

func TestLazyWriterOfNothing(t *testing.T) {
	s := new(countingSink)
	if err := (&lazyWriter{dst: s, name: "x"}).Close(); err != nil || s.created != 1 {
		t.Errorf("Close = %v, %d streams", err, s.created)
	}
}
