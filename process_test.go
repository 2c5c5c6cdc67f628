package registry

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/servers"
)

// childEnv turns the test binary into a saver; see TestMain.
const childEnv = "REGISTRY_TEST_CHILD"

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

// child saves an object of a registry again and again, and prints each version
// it was given, with the seed of its bytes.
func child(args []string) error {
	if args[0] == "soak" {
		return soakChild(args[1:])
	}
	url, name := args[0], args[1]
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	seed, err := strconv.ParseUint(args[3], 10, 64)
	if err != nil {
		return err
	}
	maxSize, err := strconv.Atoi(args[4])
	if err != nil {
		return err
	}
	ctx := context.Background()
	r, err := Open(ctx, url, nil)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range n {
		s := seed<<20 + uint64(i)
		v, err := r.Save(ctx, name, noise(s, 1+rng.IntN(maxSize)), WithMetadata(map[string]string{"seed": strconv.FormatUint(s, 10)}))
		if err != nil {
			return err
		}
		fmt.Println(v, s)
	}
	return nil
}

func startChild(t *testing.T, url, name string, n int, seed uint64, maxSize int) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%s|%d|%d|%d", childEnv, url, name, n, seed, maxSize))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// 64 processes save one name 20 times each: 1280 distinct versions, without
// a gap, each of them what its saver saved.
func TestProcessesSavingOneName(t *testing.T) {
	t.Parallel()
	processes, each := 32, 10
	if testing.Short() {
		processes, each = 16, 5
	}
	if os.Getenv(soakEnv) != "" {
		processes, each = 64, 40
	}
	url := t.TempDir()
	if _, err := Open(t.Context(), url, &Options{Create: true}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	acked := map[string]uint64{}
	var wg sync.WaitGroup
	for p := range processes {
		cmd, lines := startChild(t, url, "m", each, uint64(p+1), 200<<10) // some inline, some in packs
		wg.Go(func() {
			for lines.Scan() {
				v, s, _ := strings.Cut(lines.Text(), " ")
				seed, err := strconv.ParseUint(s, 10, 64)
				mu.Lock()
				if _, twice := acked[v]; twice || err != nil {
					t.Errorf("version %s was given twice (%v)", v, err)
				}
				acked[v] = seed
				mu.Unlock()
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	r := must[*Registry](t)(Open(t.Context(), url, nil))
	var want []string
	for i := range processes * each {
		want = append(want, fmt.Sprintf("1.0.%d", i))
	}
	if got := liveVersions(t, r, "m"); !slices.Equal(got, want) {
		t.Errorf("%d live versions, the last is %s; want %d without a gap", len(got), got[len(got)-1], len(want))
	}
	for v, seed := range acked {
		checkSeed(t, r, "m@"+v, seed)
	}
	if rep := must[*VerifyReport](t)(r.Verify(t.Context(), "", nil)); !rep.OK() || rep.Versions != processes*each {
		t.Errorf("verified %d versions, problems: %v", rep.Versions, rep.Problems)
	}
}

// checkSeed loads a version and compares it with the bytes of its seed.
func checkSeed(t *testing.T, r *Registry, ref string, seed uint64) {
	t.Helper()
	i, err := r.Info(t.Context(), ref)
	if err != nil {
		t.Error(err)
		return
	}
	var meta map[string]string
	if err := i.DecodeMetadata(&meta); err != nil || meta["seed"] != strconv.FormatUint(seed, 10) {
		t.Errorf("%s has metadata %v, its saver's seed is %d", ref, meta, seed)
	}
	if got := mustLoad[[]byte](t, r, ref); !slices.Equal(got, noise(seed, len(got))) {
		t.Errorf("%s has other bytes", ref)
	}
}

// kill -9 at random moments of a save, sixty times: nothing half-written is
// ever seen, what was acknowledged is there, the next save works.
func TestKilledSavers(t *testing.T) {
	t.Parallel()
	url := t.TempDir()
	r := must[*Registry](t)(Open(t.Context(), url, &Options{Create: true}))
	acked := map[string]uint64{}
	killed := 0
	rounds := 60
	if testing.Short() {
		rounds = 20
	}
	if os.Getenv(soakEnv) != "" {
		rounds = 500
	}
	for round := range rounds {
		cmd, lines := startChild(t, url, "m", 3, uint64(round+1), 24<<20)
		timer := time.AfterFunc(rand.N(150*time.Millisecond), func() { cmd.Process.Kill() })
		for lines.Scan() {
			v, s, ok := strings.Cut(lines.Text(), " ")
			seed, err := strconv.ParseUint(s, 10, 64)
			if ok && err == nil { // the last line may be cut off
				acked[v] = seed
			}
		}
		if err := cmd.Wait(); err != nil {
			killed++
		}
		timer.Stop()
		if round%20 == 19 {
			if rep := must[*VerifyReport](t)(r.Verify(t.Context(), "", nil)); !rep.OK() {
				t.Fatalf("round %d: %v", round, rep.Problems)
			}
			if _, err := r.Delete(t.Context(), "m@*", nil); err != nil && !errors.Is(err, ErrNotFound) { // or the disk fills
				t.Fatal(err)
			}
			for v, seed := range acked {
				if _, err := r.Undelete(t.Context(), "m@"+v, nil); err != nil {
					t.Fatal(err)
				}
				checkSeed(t, r, "m@"+v, seed)
				must[*DeleteReport](t)(r.Delete(t.Context(), "m@"+v, nil))
			}
			clear(acked)
			mustSave(t, r, "m", "still works")
			removePacks(t, r)
		}
	}
	if killed < rounds/4 {
		t.Errorf("only %d of %d savers were killed in time", killed, rounds)
	}
	t.Logf("%d of %d savers were killed", killed, rounds)
}

// removePacks frees the disk of packs that only tombstones name.
func removePacks(t *testing.T, r *Registry) {
	t.Helper()
	for _, k := range packKeys(t, r.ledger.Store) {
		if err := r.ledger.Store.Delete(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(keysOf(t, r.ledger.Store)); n == 0 || keysOf(t, r.ledger.Store)[n-1] != manifest.SettingsKey {
		t.Error("settings are gone")
	}
}
