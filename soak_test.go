package registry

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/servers"
	_ "github.com/mindtrace/registry/store/s3store"
)

// The soak test goes on until enough has been collected, or for as long as
// $MINDREG_SOAK says ("5m"), in a directory and on MinIO, or in the registry
// that the test makes at $MINDREG_SOAK_URL:
//
//	MINDREG_SOAK=5m go test -run TestSoak -timeout 0 -v .
const (
	soakEnv    = "MINDREG_SOAK"
	soakURLEnv = "MINDREG_SOAK_URL"
	soakers    = 8
)

// soakChild churns until its standard input ends, and prints what it does.
func soakChild(args []string) error {
	url := args[0]
	seed, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		bufio.NewScanner(os.Stdin).Scan()
		cancel()
	}()
	r, err := Open(context.WithoutCancel(ctx), url, nil)
	if err != nil {
		return err
	}
	c := newChurner(r, seed)
	c.say = func(what, ref string, seed int) { fmt.Println(what, ref, seed) }
	for ctx.Err() == nil {
		if err := c.step(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	fmt.Println("saves", c.saves, c.failed)
	if c.lastFailure != nil {
		fmt.Fprintln(os.Stderr, "a save failed:", c.lastFailure)
	}
	return nil
}

// tally is what the children have said of their versions.
type tally struct {
	mu            sync.Mutex
	live          map[string]int // acknowledged, and not about to be deleted
	saves, failed int
}

func (a *tally) take(line string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := strings.Fields(line)
	if len(f) != 3 {
		return // cut off by a kill
	}
	n, err := strconv.Atoi(f[2])
	switch {
	case err != nil:
	case f[0] == "live":
		a.live[f[1]] = n
	case f[0] == "saves":
		m, _ := strconv.Atoi(f[1])
		a.saves, a.failed = a.saves+m, a.failed+n
	default: // deleted, or perhaps: a child that is killed does not know either
		delete(a.live, f[1])
	}
}

// TestSoak lets eight processes that share content save, delete, bring back
// and load beside two that collect. Processes are killed at random and
// replaced. What was acknowledged has to be there at any time, and in the end
// exactly the packs of what is live are left.
func TestSoak(t *testing.T) {
	if url := os.Getenv(soakURLEnv); url != "" {
		soakIn(t, url)
		return
	}
	if testing.Short() {
		t.Skip("it needs many processes")
	}
	t.Parallel()
	t.Run("file", func(t *testing.T) {
		if os.Getenv(soakEnv) == "" {
			t.Skip("TestGCBesideEverything is this within one process")
		}
		soakIn(t, t.TempDir())
	})
	t.Run("minio", func(t *testing.T) {
		s := servers.MinIO(t)
		soakIn(t, s.URL(s.Bucket(t)))
	})
}

func soakIn(t *testing.T, url string) {
	r, err := Open(t.Context(), url, &Options{Create: true, times: shortTimes})
	if err != nil {
		t.Fatal(err)
	}
	if r.ledger.Settings.Times != shortTimes {
		t.Fatalf("%s is a real registry; give an empty place", url)
	}
	all := &tally{live: map[string]int{}}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var wg sync.WaitGroup
	var mu sync.Mutex // guards rng
	random := func(n int64) int64 { mu.Lock(); defer mu.Unlock(); return rng.Int64N(n) }
	killed, freed, runs := 0, GCAmount{}, 0
	enough := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return t.Failed() || killed >= 2 && freed.Packs >= 4
	}
	longest := 2 * time.Second // that a process lives
	if lasts := os.Getenv(soakEnv); lasts != "" {
		end := time.Now().Add(must[time.Duration](t)(time.ParseDuration(lasts)))
		enough = func() bool { return time.Now().After(end) }
		longest = min(40*time.Second, time.Until(end))
	}
	for range soakers {
		wg.Go(func() {
			for !enough() {
				dies := soak(t, url, uint64(random(1<<62)), time.Second+time.Duration(random(int64(longest))), random(3) == 0, all)
				mu.Lock()
				killed += dies
				mu.Unlock()
			}
		})
	}
	for range 2 {
		r := must[*Registry](t)(Open(t.Context(), url, nil))
		wg.Go(func() {
			for !enough() {
				rep, err := r.GC(t.Context(), nil)
				if err != nil || rep.Missing > 0 {
					t.Errorf("%+v, %v", rep, err)
					return
				}
				mu.Lock()
				runs++
				freed.Packs, freed.Bytes = freed.Packs+rep.Freed.Packs, freed.Bytes+rep.Freed.Bytes
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d saves, %d failed (of those not killed), %d processes killed; %d collections freed %d packs, %d bytes; %d versions are known to be live",
		all.saves, all.failed, killed, runs, freed.Packs, freed.Bytes, len(all.live))
	c := newChurner(r, 0)
	for ref, seed := range all.live {
		if err := c.check(t.Context(), ref, seed); err != nil {
			t.Error(err)
		}
	}
	if freed.Packs == 0 || all.saves == 0 {
		t.Error("nothing was collected: this proves nothing")
	}
	settle(t, r)
}

// soak runs one process for a while and ends it, by force or not. It returns
// how many were killed.
func soak(t *testing.T, url string, seed uint64, lasts time.Duration, kill bool, all *tally) int {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=soak|%s|%d", childEnv, url, seed))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Error(err)
		return 0
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
		return 0
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return 0
	}
	timer := time.AfterFunc(lasts, func() {
		if kill {
			cmd.Process.Kill()
		} else {
			in.Close()
		}
	})
	defer timer.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		all.take(lines.Text())
	}
	err = cmd.Wait()
	if ee := (*exec.ExitError)(nil); errors.As(err, &ee) && !ee.Exited() && kill {
		return 1
	}
	if err != nil {
		t.Errorf("process with seed %d: %v", seed, err)
	}
	return 0
}
