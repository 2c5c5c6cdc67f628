package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// startTimeout is for a busy machine; most servers answer within a second.
const startTimeout = 90 * time.Second

var errEnded = errors.New("ended at once")

// Server is a running server.
type Server struct {
	kind *kind
	bin  string
	addr string // host:port, also after a restart
	dir  string // all its files

	mu   sync.Mutex
	proc *process
}

// process is one run of a server.
type process struct {
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed when it has ended
}

// dirPrefix begins the names of temporary directories; the number of the
// process that made it follows.
const dirPrefix = "mindreg-server-"

// start starts a server on a free port. Another process may take a port between
// finding it and using it, so start tries several.
func start(k *kind, bin string) (*Server, error) {
	sweep()
	dir, err := os.MkdirTemp("", dirPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, err
	}
	if k.prepare != nil {
		if err := k.prepare(dir); err != nil {
			return nil, err
		}
	}
	for try := 1; ; try++ {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		s := &Server{kind: k, bin: bin, addr: l.Addr().String(), dir: dir}
		l.Close()
		if err = s.run(); err == nil {
			s.clientEnv()
			return s, nil
		}
		if try == 3 || !errors.Is(err, errEnded) {
			os.RemoveAll(dir)
			return nil, err
		}
	}
}

// run starts the process and waits until it answers.
func (s *Server) run() error {
	p := &process{done: make(chan struct{})}
	p.cmd = exec.Command(s.bin, s.kind.args(s.addr, s.dir)...)
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TMPDIR=" + s.dir, "SystemRoot=" + os.Getenv("SystemRoot")}, s.kind.env...)
	p.cmd.Dir = s.dir
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	dieWithParent(p.cmd)
	started := make(chan error)
	go func() {
		// Linux kills the child when the thread that made it ends: keep it.
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.cmd.Wait()
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		return err
	}
	s.mu.Lock()
	s.proc = p
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		err := s.answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s %w: %s", s.kind.tool, errEnded, p.out.String())
		case <-ctx.Done():
			s.Kill()
			return fmt.Errorf("%s does not answer: %w\n%s", s.kind.tool, err, p.out.String())
		case <-time.After(25 * time.Millisecond):
		}
	}
}

// Kill ends the server at once, as kill -9 does.
func (s *Server) Kill() {
	s.mu.Lock()
	p := s.proc
	s.proc = nil
	s.mu.Unlock()
	if p != nil {
		p.cmd.Process.Kill()
		<-p.done
	}
}

// Restart starts the server again after Kill, on the same port and data.
func (s *Server) Restart() error {
	s.Kill()
	var err error
	for range 3 {
		if err = s.run(); err == nil {
			return nil
		}
	}
	return err
}

func (s *Server) remove() {
	s.Kill()
	os.RemoveAll(s.dir)
}

var buckets struct {
	sync.Mutex
	n int
}

// Bucket makes a new bucket for a test and returns its name.
func (s *Server) Bucket(t testing.TB) string {
	t.Helper()
	buckets.Lock()
	buckets.n++
	name := fmt.Sprintf("test-%d-%d", os.Getpid(), buckets.n)
	buckets.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := s.makeBucket(ctx, name); err != nil {
		t.Fatalf("servers: making bucket %s: %v", name, err)
	}
	return name
}

// sweep removes the directories that killed tests have left.
func sweep() {
	left, err := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range left {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
		if n, err := strconv.Atoi(pid); err == nil && !alive(n) {
			os.RemoveAll(dir)
		}
	}
}

// output keeps the last of what a process prints.
type output struct {
	mu  sync.Mutex
	buf []byte
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = append(o.buf, p...)
	if len(o.buf) > 64<<10 {
		o.buf = append(o.buf[:0], o.buf[len(o.buf)-32<<10:]...)
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(bytes.TrimSpace(o.buf))
}
