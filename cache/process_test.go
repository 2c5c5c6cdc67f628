package cache_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/cache"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/filestore"
)

// childEnv turns the test binary into another process on the same cache.
const childEnv = "CACHE_TEST_CHILD"

var children = map[string]func(regDir, cacheDir string) error{"fill": fill, "hang": hang}

func TestMain(m *testing.M) {
	if job := os.Getenv(childEnv); job != "" {
		args := strings.Split(job, "|")
		if err := children[args[0]](args[1], args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(job, regDir, cacheDir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+job+"|"+regDir+"|"+cacheDir)
	return cmd
}

const (
	objects = 12
	budget  = 2 << 20 // a third of them
)

var ctx = context.Background()

func body(i int) []byte {
	b := make([]byte, 512<<10)
	rand.NewChaCha8([32]byte{byte(i)}).Read(b)
	return b
}

// far opens the registry in a directory as if it were far away.
func far(dir string, c *cache.Cache, wrap func(store.Store) store.Store) (*registry.Registry, error) {
	st, err := filestore.New(dir)
	if err != nil {
		return nil, err
	}
	var s store.Store = st
	if wrap != nil {
		s = wrap(s)
	}
	return registry.OpenStore(ctx, s, "far:", &registry.Options{Create: true, Cache: c})
}

func filled(t *testing.T) string {
	dir := t.TempDir()
	r, err := far(dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range objects {
		if _, err := r.Save(t.Context(), fmt.Sprintf("object%d", i), body(i)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// fill loads and checks out all objects in some order.
func fill(regDir, cacheDir string) error {
	c, err := cache.Open(&cache.Options{Dir: cacheDir, Budget: budget})
	if err != nil {
		return err
	}
	r, err := far(regDir, c, nil)
	if err != nil {
		return err
	}
	for range 2 {
		for _, i := range rand.Perm(objects) {
			b, err := registry.Load[[]byte](ctx, r, fmt.Sprintf("object%d", i))
			if err != nil {
				return err
			}
			if !bytes.Equal(b, body(i)) {
				return fmt.Errorf("object%d: loaded other bytes", i)
			}
		}
		rep, err := r.Checkout(ctx, "object0", nil)
		if err != nil {
			return err
		}
		dir := rep.Dir
		if b, err := os.ReadFile(filepath.Join(dir, "data")); err != nil || !bytes.Equal(b, body(0)) {
			return fmt.Errorf("checked out %d bytes, %v", len(b), err)
		}
	}
	return nil
}

// Processes that fill a small cache at once throw out what the others have
// just put there; all load what is right, and the budget holds.
func TestProcessesFillOneCache(t *testing.T) {
	regDir, cacheDir := filled(t), t.TempDir()
	var cmds []*exec.Cmd
	var said [4]strings.Builder
	for i := range said {
		cmd := child("fill", regDir, cacheDir)
		cmd.Stderr = &said[i]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %s", err, said[i].String())
		}
	}
	c, err := cache.Open(&cache.Options{Dir: cacheDir, Budget: budget})
	if err != nil {
		t.Fatal(err)
	}
	u, err := c.Usage()
	if err != nil {
		t.Fatal(err)
	}
	if u.Total.Bytes > budget || u.Packs.Entries == 0 || u.Trees.Entries != 1 || u.Partial.Entries != 0 {
		t.Errorf("afterwards: %+v", u)
	}
	if r, err := c.Verify(); err != nil || r.Dropped.Entries != 0 {
		t.Errorf("damaged: %+v, %v", r, err)
	}
}

// stuck is a store whose third read of a pack never ends.
type stuck struct {
	store.Store
	reads int
}

func (s *stuck) Get(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	if strings.HasPrefix(key, "packs/") {
		if s.reads++; s.reads == 3 {
			fmt.Println("stuck")
			<-ctx.Done()
			return nil, store.Info{}, ctx.Err()
		}
	}
	return s.Store.Get(ctx, key, o)
}

// hang fills the cache until it is stuck in the middle of a checkout.
func hang(regDir, cacheDir string) error {
	c, err := cache.Open(&cache.Options{Dir: cacheDir, Budget: budget})
	if err != nil {
		return err
	}
	r, err := far(regDir, c, func(st store.Store) store.Store { return &stuck{Store: st} })
	if err != nil {
		return err
	}
	for i := range 2 {
		o, err := r.Object(ctx, fmt.Sprintf("object%d", i))
		if err != nil {
			return err
		}
		f, err := o.Open("data")
		if err != nil {
			return err
		}
		if _, err := f.(io.ReaderAt).ReadAt(make([]byte, 10), 0); err != nil {
			return err
		}
	}
	_, err = r.Checkout(ctx, "object2", nil)
	return err
}

// A process that is killed while it fills the cache leaves what counts until
// it is an hour old, and then goes.
func TestKilledFiller(t *testing.T) {
	regDir, cacheDir := filled(t), t.TempDir()
	cmd := child("hang", regDir, cacheDir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	cmd.Process.Kill()
	cmd.Wait()
	if line != "stuck\n" {
		t.Fatalf("the child said %q, %v", line, err)
	}
	c, err := cache.Open(&cache.Options{Dir: cacheDir, Budget: budget})
	if err != nil {
		t.Fatal(err)
	}
	u, err := c.Usage()
	if err != nil {
		t.Fatal(err)
	}
	if u.Packs.Entries != 2 || u.Partial.Bytes < 512<<10 {
		t.Fatalf("left behind: %+v", u)
	}
	if n, err := c.Prune(budget); err != nil || n.Entries != 0 {
		t.Errorf("young leftovers were removed: %+v, %v", n, err)
	}
	tmp, err := os.ReadDir(filepath.Join(cacheDir, "tmp"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range tmp {
		old := time.Now().Add(-2 * time.Hour)
		if err := os.Chtimes(filepath.Join(cacheDir, "tmp", e.Name()), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := fill(regDir, cacheDir); err != nil {
		t.Fatal(err)
	}
	if u, err := c.Usage(); err != nil || u.Partial.Entries != 0 || u.Total.Bytes > budget {
		t.Errorf("afterwards: %+v, %v", u, err)
	}
	if r, err := c.Verify(); err != nil || r.Dropped.Entries != 0 {
		t.Errorf("damaged: %+v, %v", r, err)
	}
}

// loads loads everything through a cache. That this cannot be used is logged as
// often as warnings says: once, or never.
func loads(regDir, cacheDir string, warnings int) error {
	var log bytes.Buffer
	c, err := cache.Open(&cache.Options{Dir: cacheDir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		return err
	}
	r, err := far(regDir, c, nil)
	if err != nil {
		return err
	}
	for i := range objects {
		b, err := registry.Load[[]byte](ctx, r, fmt.Sprintf("object%d", i))
		if err != nil {
			return err
		}
		if !bytes.Equal(b, body(i)) {
			return errors.New("loaded other bytes")
		}
	}
	if n := strings.Count(log.String(), "the cache cannot be used"); n != warnings {
		return fmt.Errorf("%d warnings: %s", n, log.String())
	}
	return nil
}

func TestCacheBelowAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := loads(filled(t), filepath.Join(file, "cache"), 1); err != nil {
		t.Error(err)
	}
}
