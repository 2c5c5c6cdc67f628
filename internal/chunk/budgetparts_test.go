package chunk

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
)

// The parts of a budget, one by one: frames, streams, what is set aside, buffers
// and the cache of chunks.

// A frame holds as much memory as it has bytes, until it is dropped.
func TestFramesGiveMemoryBack(t *testing.T) {
	b := budget(t, MinMemory)
	s, err := b.acquire(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	f, tried := b.frames.ahead(s, table(1, 1<<20))
	if !tried || f == nil {
		t.Fatal("it is not compressed")
	}
	if want := 1 + int64(len(f.bytes)); s.held != want || b.used != want {
		t.Errorf("%d bytes are held, %d are in use, want %d", s.held, b.used, want)
	}
	for range 2 {
		f.drop()
	}
	if s.held != 1 || b.used != 1 {
		t.Errorf("dropped: %d bytes are held, %d are in use, want 1", s.held, b.used)
	}
	s.close()
	within(t, b)
}

// A stream that gets no memory counts none.
func TestStreamsThatGetNothingCountNothing(t *testing.T) {
	b := budget(t, 1<<30)
	held, err := b.acquire(t.Context(), minOperation+b.maxAhead)
	if err != nil {
		t.Fatal(err)
	}
	if s := b.tryAcquire(1<<20, true); s != nil {
		t.Error("a stream gets memory that is in use")
	}
	held.close()
	within(t, b)
}

// What is set aside for things done in one go is there again after each.
func TestWhatIsSetAsideIsGivenBack(t *testing.T) {
	b := budget(t, MinMemory)
	held, err := b.acquire(t.Context(), minOperation+b.maxAhead)
	if err != nil {
		t.Fatal(err)
	}
	_, release, err := b.tempBuffer(t.Context(), MaxPack)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.reserve) != 1 {
		t.Error("it takes memory that is in use")
	}
	release()
	if len(b.reserve) != 0 {
		t.Error("it is not given back")
	}
	held.close()
	within(t, b)
}

// Streams are in the hands of callers who may never read on. All of them
// together leave enough for any other operation.
func TestStreamsLeaveEnoughForAnOperation(t *testing.T) {
	b := budget(t, 1<<30)
	var streams []*share
	for s := b.tryAcquire(1<<20, true); s != nil; s = b.tryAcquire(1<<20, true) {
		streams = append(streams, s)
	}
	if !b.main.TryAcquire(minOperation) {
		t.Fatalf("%d streams hold %d bytes, and no operation has enough", len(streams), b.ahead)
	}
	b.main.Release(minOperation)
	for _, s := range streams {
		s.close()
	}
	within(t, b)
}

// A buffer that comes at the moment at which its operation gives up waiting for
// it is not lost.
func TestBufferOfOneWhoGivesUp(t *testing.T) {
	b := budget(t, MinMemory)
	s, err := b.acquire(t.Context(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	p := newPool(s, 1<<20, 1, upTo(1))
	buf, err := p.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	gaveUp := make(chan error)
	go func() {
		_, err := p.get(ctx)
		gaveUp <- err
	}()
	for waiting := false; !waiting; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		if waiting = len(p.waiting) == 1; waiting {
			cancel()
			time.Sleep(10 * time.Millisecond) // it has seen that, and cannot say so
			p.back()
		}
		p.mu.Unlock()
	}
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if p.out != 0 || len(buf) != 1<<20 {
		t.Errorf("%d buffers are in use", p.out)
	}
}

// Chunks that are being read stay in the cache, and their memory is counted.
func TestChunksInUseStay(t *testing.T) {
	b := budget(t, MinMemory)
	c := &b.cache
	if !c.reserve(c.max) {
		t.Fatal("there is no room")
	}
	k := c.add(manifest.Digest{1}, make([]byte, c.max))
	if c.reserve(1) {
		t.Error("a chunk in use makes room")
	}
	c.done(k)
	if !c.reserve(1) {
		t.Error("a chunk that is not in use makes no room")
	}
	c.unreserve(1)
	within(t, b)
}

// failing is a store whose puts fail, and still read the body.
type failing struct {
	store.Store
	err  error
	body *byte
}

func (s *failing) Put(_ context.Context, _ string, body []byte, _ store.Token) (store.Info, error) {
	s.body = &body[0]
	return store.Info{}, s.err
}

// A put that has failed may still read its body: nobody gets that buffer.
func TestBuffersOfFailedPuts(t *testing.T) {
	st := &failing{memstore.New(nil), errors.New("boom"), nil}
	cfg := config(st, nil)
	cfg.Budget = budget(t, MinMemory)
	if err := save(t.Context(), cfg, bytes.NewReader(noise(1, 1<<20))); !errors.Is(err, st.err) {
		t.Fatal(err)
	}
	for _, list := range cfg.Budget.kept {
		for _, k := range list {
			if k := k.Value(); k != nil && &k.buf[0] == st.body {
				t.Error("the buffer of a put that has failed is used again")
			}
		}
	}
	within(t, cfg.Budget)
}
