package proofs

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/servers"
	_ "github.com/mindtrace/registry/store/gcsstore"
	_ "github.com/mindtrace/registry/store/s3store"
)

// A worker is a process that does one thing at a time to a registry and tells
// what came of it. The test that commands it knows when it asked and when it
// was told, by one clock; what lies between contains the operation.

// workerEnv turns the test binary into a worker on the registry that it names.
const workerEnv = "MINDREG_PROOFS_WORKER"

func TestMain(m *testing.M) {
	if url := os.Getenv(workerEnv); url != "" {
		if err := work(url, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(servers.Wrap(m).Run())
}

// request is what a worker is asked to do.
type request struct {
	Op   string // save, load, latest, delete, undelete, tag, untag, tagged, gc
	Name string
	// Version is a patch number: tests let the registry give the numbers, so
	// all versions are 1.0.x.
	Version int    `json:",omitempty"`
	Tag     string `json:",omitempty"`
	Content int    `json:",omitempty"` // what to save
	Size    int    `json:",omitempty"` // of that, in bytes
	// Patience is when to give up; 0 is never.
	Patience time.Duration `json:",omitempty"`
}

func (q request) ref() string { return q.Name + "@" + version(q.Version) }

func version(patch int) string { return fmt.Sprintf("1.0.%d", patch) }

// outcome is what became of an operation.
type outcome string

const (
	done     outcome = "done"
	unknown  outcome = "unknown"  // it may have taken effect, or may yet
	failed   outcome = "failed"   // definitely not done, and will not be
	conflict outcome = "conflict" // not applied, because another process was faster
	absent   outcome = "absent"   // there is no such thing
	deleted  outcome = "deleted"  // there was
)

// answer is what a worker says about its request.
type answer struct {
	Outcome outcome
	Version int    `json:",omitempty"`
	Content int    `json:",omitempty"` // what was loaded; -1 if it is nothing that was ever saved
	Error   string `json:",omitempty"`
}

// body returns the bytes of a content, which say themselves what they are.
func body(content, size int) []byte {
	b := make([]byte, max(size, 16))
	rand.NewChaCha8([32]byte{byte(content), byte(content >> 8), byte(content >> 16)}).Read(b)
	binary.LittleEndian.PutUint64(b, uint64(content))
	binary.LittleEndian.PutUint64(b[8:], uint64(len(b)))
	return b
}

// contentOf returns which content b is, or -1 if one bit of it is wrong.
func contentOf(b []byte) int {
	if len(b) < 16 || binary.LittleEndian.Uint64(b[8:]) != uint64(len(b)) {
		return -1
	}
	content := int(binary.LittleEndian.Uint64(b))
	if !bytes.Equal(b, body(content, len(b))) {
		return -1
	}
	return content
}

// work does what requests say until there are no more.
func work(url string, requests io.Reader, answers io.Writer) error {
	ctx := context.Background()
	r, err := registry.Open(ctx, url, nil)
	for try := 0; err != nil && try < 10; try++ { // its network fails, too
		r, err = registry.Open(ctx, url, nil)
	}
	if err != nil {
		return err
	}
	in, out := json.NewDecoder(requests), json.NewEncoder(answers)
	for {
		var q request
		if err := in.Decode(&q); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := out.Encode(do(ctx, r, q)); err != nil {
			return err
		}
	}
}

// do does one thing to a registry.
func do(ctx context.Context, r *registry.Registry, q request) (a answer) {
	if q.Patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, q.Patience)
		defer cancel()
	}
	var err error
	switch q.Op {
	case "save":
		var v registry.Version
		v, err = r.Save(ctx, q.Name, body(q.Content, q.Size))
		a.Version = int(v.Patch)
	case "load", "latest":
		ref := q.Name
		if q.Op == "load" {
			ref = q.ref()
		}
		var b []byte
		var rep registry.LoadReport
		if err = r.Load(ctx, ref, &b, registry.WithLoadReport(&rep)); err == nil {
			a.Version, a.Content = int(rep.Info.Version.Patch), contentOf(b)
		}
	case "delete":
		var gone *registry.DeleteReport
		if gone, err = r.Delete(ctx, q.ref(), nil); len(gone.Deleted) > 0 {
			err = nil // what else may have failed came after it
		}
	case "undelete":
		_, err = r.Undelete(ctx, q.ref(), nil)
	case "tag":
		_, err = r.Tag(ctx, q.ref(), q.Tag, nil)
	case "untag":
		_, err = r.Untag(ctx, q.Name, q.Tag, nil)
	case "tagged":
		var i *registry.Info
		if i, err = r.Info(ctx, q.Name+"@"+q.Tag); err == nil {
			a.Version = int(i.Version.Patch)
		}
	case "gc":
		var rep *registry.GCReport
		if rep, err = r.GC(ctx, nil); err == nil && rep.Missing > 0 {
			err = fmt.Errorf("%d packs of live versions are missing", rep.Missing)
		}
	default:
		err = errors.New("no such operation")
	}
	a.Outcome = classify(q, err)
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

func classify(q request, err error) outcome {
	switch {
	case err == nil:
		return done
	case errors.Is(err, registry.ErrOutcomeUnknown):
		return unknown
	case errors.Is(err, registry.ErrTooSlow) && strings.Contains(err.Error(), "undoing it failed"):
		return unknown
	case errors.Is(err, registry.ErrDangling):
		return failed // no tagged version is ever deleted here
	case errors.Is(err, registry.ErrDeleted):
		return deleted
	case errors.Is(err, registry.ErrNotFound):
		return absent
	case errors.Is(err, registry.ErrConflict):
		return conflict
	case q.Op == "tag":
		return unknown // the tag is written before the version is looked at again
	}
	return failed
}

// worker is a running worker.
type worker struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	ask    *json.Encoder
	answer *json.Decoder
	stderr lockedBuffer
}

// lockedBuffer is a buffer that a process may still be writing to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startWorker starts a worker on a place.
func startWorker(t *testing.T, p place) (*worker, error) {
	t.Helper()
	w := &worker{cmd: exec.Command(os.Args[0])}
	w.cmd.Env = append(append(os.Environ(), workerEnv+"="+p.url), p.env...)
	w.cmd.Stderr = &w.stderr
	var err error
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.ask, w.answer = json.NewEncoder(w.in), json.NewDecoder(out)
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(func() { w.kill() })
	return w, nil
}

// do has the worker do q. false means that it has died and the outcome is
// unknown.
func (w *worker) do(q request) (answer, bool) {
	var a answer
	if w.ask.Encode(q) != nil || w.answer.Decode(&a) != nil {
		return answer{Outcome: unknown}, false
	}
	return a, true
}

// kill ends the worker as kill -9 does. It may be called often.
func (w *worker) kill() { w.cmd.Process.Kill() }

// stop lets the worker end by itself and returns why it could not.
func (w *worker) stop() error {
	w.in.Close()
	if err := w.cmd.Wait(); err != nil {
		return fmt.Errorf("worker: %w: %s", err, w.stderr.String())
	}
	return nil
}

// soakEnv says for how long tests go on.
const soakEnv = "MINDREG_SOAK"

// rounds calls test once, or until the time that $MINDREG_SOAK gives is over.
func rounds(t *testing.T, test func(round int, seed uint64)) {
	t.Helper()
	var lasts time.Duration
	if s := os.Getenv(soakEnv); s != "" {
		var err error
		if lasts, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	first := rand.Uint64N(1 << 32)
	if s := os.Getenv("MINDREG_SEED"); s != "" {
		var err error
		if first, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	end := time.Now().Add(lasts)
	for round := 0; round == 0 || time.Now().Before(end) && !t.Failed(); round++ {
		seed := first + uint64(round)
		test(round, seed)
		if t.Failed() {
			t.Logf("round %d; processes do not run alike again, but MINDREG_SEED=%d draws the same numbers", round, seed)
		}
	}
}
