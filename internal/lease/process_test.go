package lease

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/mindtrace/registry/internal/servers"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
	_ "github.com/mindtrace/registry/store/filestore"
	_ "github.com/mindtrace/registry/store/s3store"
)

// childEnv turns the test binary into a process that increments a counter
// under a lock; see TestMain.
const childEnv = "LEASE_TEST_CHILD"

func TestMain(m *testing.M) {
	if job := os.Getenv(childEnv); job != "" {
		if err := child(strings.Split(job, "|")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(servers.Wrap(m).Run())
}

var errFenced = errors.New("a later holder was here")

// fenced is a counter in a file that takes a fencing token with each change:
// what a lease needs of the thing written to for the last word on safety. Its
// file lock is part of the thing, not of the lease.
type fenced struct{ path string }

// change calls do with the counter if no holder later than epoch was there,
// and stores what it returns.
func (f fenced) change(epoch uint64, do func(int) int) error {
	fl := flock.New(f.path + ".lock")
	if err := fl.Lock(); err != nil {
		return err
	}
	defer fl.Close()
	var last uint64
	var v int
	b, err := os.ReadFile(f.path)
	if err == nil {
		_, err = fmt.Sscan(string(b), &last, &v)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if last > epoch {
		return errFenced
	}
	tmp := fmt.Sprintf("%s.%d", f.path, os.Getpid())
	if err := os.WriteFile(tmp, fmt.Append(nil, epoch, do(v)), 0o666); err != nil {
		return err
	}
	return os.Rename(tmp, f.path)
}

// child increments a counter some times under a lock in a store, and prints
// what it does.
func child(args []string) error {
	url, path := args[0], args[1]
	ttl, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	left, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	st, err := store.Open(context.Background(), url)
	if err != nil {
		return err
	}
	s, counter := locksOn(wrapstore.Retry(st, wrapstore.RetryPolicy{})), fenced{path}
	for left > 0 {
		l, err := s.Lock(context.Background(), name, &Options{TTL: ttl, Poll: 10 * time.Millisecond})
		if errors.Is(err, ErrLost) {
			continue
		}
		if err != nil {
			return err
		}
		fmt.Println("held", l.Epoch())
		var v int
		err = counter.change(l.Epoch(), func(now int) int { v = now; return v }) // earlier holders are out from here on
		if err == nil {
			time.Sleep(rand.N(20 * time.Millisecond))
			if err = l.Check(); err == nil {
				err = counter.change(l.Epoch(), func(int) int { return v + 1 })
			}
		}
		switch {
		case err == nil:
			fmt.Println("counted", l.Epoch(), v+1)
			left--
		case errors.Is(err, errFenced) && l.Check() == nil:
			return fmt.Errorf("epoch %d holds the lock, but %w", l.Epoch(), err)
		case !errors.Is(err, errFenced) && !errors.Is(err, ErrLost):
			return err
		}
		if err := l.Release(); err != nil && !errors.Is(err, ErrLost) {
			return err
		}
	}
	return nil
}

// Sixteen processes increment a counter under a lock, and many are killed
// while they hold it. No increment is lost, no epoch is seen twice, and no
// process loses a lock that is still good.
func TestProcessesAreKilled(t *testing.T) {
	const processes = 16
	each, kills := 3, 12
	if s := os.Getenv("MINDREG_SOAK"); s != "" { // make soak
		each, kills = 100, 200
	}
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		contend(t, t.TempDir(), time.Second, processes, each, kills)
	})
	t.Run("minio", func(t *testing.T) {
		if testing.Short() {
			t.Skip("a killed holder's lock is waited for")
		}
		t.Parallel()
		s := servers.MinIO(t)
		// MinIO tells the time in seconds: a shorter TTL would be lost to that.
		contend(t, s.URL(s.Bucket(t)), 4*time.Second, processes, max(2, each/10), max(3, kills/10))
	})
}

// contend has processes increment a counter so many times each, and kills
// some of those that hold the lock.
func contend(t *testing.T, url string, ttl time.Duration, processes, each, kills int) {
	dir := t.TempDir()
	var mu sync.Mutex
	killed, held := 0, map[string]bool{}
	counted := map[int]uint64{} // by which epoch
	run := func() (again bool) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%s|%s|%d", childEnv, url, filepath.Join(dir, "counter"), ttl, each))
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Error(err)
			return false
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			f := strings.Fields(lines.Text())
			mu.Lock()
			switch {
			case len(f) == 2 && f[0] == "held":
				if held[f[1]] {
					t.Errorf("epoch %s was held twice", f[1])
				}
				held[f[1]] = true
				if killed < kills && rand.IntN(3) == 0 {
					killed++
					again = true
					time.AfterFunc(rand.N(20*time.Millisecond), func() { cmd.Process.Kill() })
				}
			case len(f) == 3 && f[0] == "counted":
				epoch, _ := strconv.ParseUint(f[1], 10, 64)
				v, _ := strconv.Atoi(f[2])
				if other, twice := counted[v]; twice {
					t.Errorf("epochs %d and %d both counted to %d", other, epoch, v)
				}
				counted[v] = epoch
			}
			mu.Unlock()
		}
		if err := cmd.Wait(); err != nil && !again {
			t.Errorf("%v: %s", err, &stderr)
		}
		return again
	}
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			for run() {
			}
		})
	}
	wg.Wait()
	var last uint64
	var final int
	b, err := os.ReadFile(filepath.Join(dir, "counter"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(b), &last, &final); err != nil {
		t.Fatal(err)
	}
	// Who was killed between counting and saying so has counted, too.
	if n := len(counted); final < n || final > n+killed || n < processes*each {
		t.Errorf("counted to %d; %d increments were told, %d processes killed", final, n, killed)
	}
	before := uint64(0)
	for v := 1; v <= final; v++ {
		epoch, told := counted[v]
		if told && epoch <= before {
			t.Errorf("epoch %d counted to %d after epoch %d", epoch, v, before)
		}
		before = max(before, epoch)
	}
	if killed == 0 {
		t.Error("nobody was killed")
	}
	t.Logf("%d increments, %d holders, %d killed", final, len(held), killed)
}
