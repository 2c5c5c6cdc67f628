package sim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	schedules = flag.Int("schedules", 0, "TestSoak: how many schedules to run of each scenario")
	seedFlag  = flag.Uint64("seed", 1, "TestReplay: which schedule; TestSoak: the first")
	scenFlag  = flag.String("scenario", "", "TestReplay: of which scenario (mixed); TestSoak: only this one")
	ablFlag   = flag.String("ablation", "", "TestReplay: without which rule")
	jobFlag   = flag.String("job", "", "used by the tests themselves")
)

func TestMain(m *testing.M) {
	flag.Parse()
	// One goroutine at a time, as the simulation has it: switching is faster.
	// What runs in parallel are processes.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// job is a number of schedules, one after the other, until the first bad one.
type job struct {
	Scenario string
	Ablation string
	First    uint64
	Step     uint64
	Count    int
}

// outcome of a job.
type report struct {
	Done      int
	Steps     int
	Counts    map[string]int
	Violation string
	Seed      uint64
}

func named(name string) *scenario {
	for _, sc := range scenarios {
		if sc.name == name {
			return sc
		}
	}
	panic("no scenario " + name)
}

func without(name string) *ablation {
	for _, ab := range ablations {
		if ab.name == name {
			return ab
		}
	}
	return nil
}

func seededChoices(seed uint64) *choices {
	return &choices{rng: rand.New(rand.NewPCG(seed, 0))}
}

// do does a job in this process.
func (j job) do(t *testing.T) report {
	rep := report{Counts: map[string]int{}}
	for i := range j.Count {
		seed := j.First + uint64(i)*j.Step
		res := schedule(t, named(j.Scenario), without(j.Ablation), seededChoices(seed), rep.Counts, false)
		rep.Done++
		rep.Steps += res.steps
		if res.violation != "" {
			rep.Violation, rep.Seed = res.violation, seed
			break
		}
	}
	return rep
}

// TestWorker does the job that another process has given it.
func TestWorker(t *testing.T) {
	if *jobFlag == "" {
		t.Skip("for the other tests")
	}
	var j job
	if err := json.Unmarshal([]byte(*jobFlag), &j); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(j.do(t))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\nREPORT %s\n", out)
}

var slots = make(chan struct{}, runtime.NumCPU())

// start has another process do the job.
func (j job) start(t *testing.T) (report, error) {
	slots <- struct{}{}
	defer func() { <-slots }()
	arg, err := json.Marshal(j)
	if err != nil {
		return report{}, err
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWorker$", "-test.timeout=0", "-job", string(arg))
	out, err := cmd.CombinedOutput()
	sc := bufio.NewScanner(bytes.NewReader(out))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		if line, ok := strings.CutPrefix(sc.Text(), "REPORT "); ok {
			var rep report
			if err == nil {
				err = json.Unmarshal([]byte(line), &rep)
			}
			if err != nil { // a data race, say
				err = fmt.Errorf("%w: %s", err, out)
			}
			return rep, err
		}
	}
	return report{}, fmt.Errorf("%v: %s", err, out)
}

// runAll runs so many schedules on all processors and reports the bad one of
// the lowest seed.
func runAll(t *testing.T, j job) report {
	n := runtime.NumCPU()
	reps, errs := make([]report, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			part := j
			part.First, part.Step, part.Count = j.First+uint64(i), uint64(n), (j.Count+n-1)/n
			reps[i], errs[i] = part.start(t)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	sum := report{Counts: map[string]int{}}
	for _, rep := range reps {
		sum.Done += rep.Done
		sum.Steps += rep.Steps
		for k, v := range rep.Counts {
			sum.Counts[k] += v
		}
		if rep.Violation != "" && (sum.Violation == "" || rep.Seed < sum.Seed) {
			sum.Violation, sum.Seed = rep.Violation, rep.Seed
		}
	}
	return sum
}

// explain shrinks a bad schedule and returns its trace.
func explain(t *testing.T, sc *scenario, ab *ablation, seed uint64) string {
	again := func(ch *choices, traced bool) result {
		return schedule(t, sc, ab, ch, map[string]int{}, traced)
	}
	first := again(seededChoices(seed), false)
	if first.violation == "" {
		return fmt.Sprintf("seed %d is not bad when run again: the simulation is not deterministic", seed)
	}
	kind, _, _ := strings.Cut(first.violation, ":")
	best := shrink(first.made, 3000, func(made []uint32) int {
		res := again(&choices{fixed: made}, false)
		if got, _, _ := strings.Cut(res.violation, ":"); got != kind {
			return 0
		}
		return res.steps
	})
	res := again(&choices{fixed: best}, true)
	return fmt.Sprintf("shrunk from %d steps to %d: %s\n%s", first.steps, res.steps, res.violation, strings.Join(res.trace, "\n"))
}

// clean runs schedules of a scenario and fails if one of them is bad.
func clean(t *testing.T, sc *scenario, count int, counts map[string]int) {
	t.Helper()
	begun := time.Now()
	rep := runAll(t, job{Scenario: sc.name, First: *seedFlag, Count: count})
	for k, v := range rep.Counts {
		counts[k] += v
	}
	if rep.Violation != "" {
		t.Errorf("%s\nreplay with: go test ./internal/sim -run TestReplay -v -scenario %s -seed %d\n%s",
			rep.Violation, sc.name, rep.Seed, explain(t, sc, nil, rep.Seed))
		return
	}
	t.Logf("%s: %d schedules of %d steps on average, %.0f/s", sc.name, rep.Done, rep.Steps/max(rep.Done, 1), float64(rep.Done)/time.Since(begun).Seconds())
}

// mustHappen is what no run of all scenarios is without: a simulation in which
// nothing happens finds nothing.
var mustHappen = []string{
	"answer lost", "busy", "client clock jumps", "crash after", "crash before", "crash, floating", "deletes acknowledged",
	"deletes applied", "deletes in conflict", "deletes of unknown outcome", "floating", "floating landings", "floating landings applied",
	"cancelled", "outage", "locks held", "rlocks held", "locks taken over", "tags written", "tags checked",
	"gcs acknowledged", "late commits", "latest checked", "loads acknowledged", "packs put", "packs put too late", "packs swept",
	"request lost", "saves acknowledged", "saves in conflict", "saves of unknown outcome", "saves too slow", "store clock jumps", "suspensions",
	"replaced objects checked", "single versions checked", "lists acknowledged",
	"milestones left", "highest versions compared", "compressed versions read back", "updates checked",
	"roots gone", "roots gone under a change", "roots back", "saves without a root", "loads without a root",
	"purges acknowledged", "purges applied", "packs swept early", "space checked",
	"undeletes acknowledged", "undeletes applied", "versions created", "versions of old packs", "versions purged", "versions read back",
}

func checkCounts(t *testing.T, counts map[string]int) {
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%10d %s", counts[k], k)
	}
	if underRace {
		return // too few for all
	}
	for _, k := range mustHappen {
		if counts[k] == 0 {
			t.Errorf("never happened: %s", k)
		}
	}
}

// TestSim runs some hundred schedules of each scenario. make soak runs more.
func TestSim(t *testing.T) {
	counts := map[string]int{}
	n := 600
	switch {
	case underRace:
		n = 200
	case testing.Short():
		n = 300
	}
	for _, sc := range scenarios {
		clean(t, sc, n, counts)
	}
	checkCounts(t, counts)
}

// TestSoak runs as many as -schedules says.
func TestSoak(t *testing.T) {
	if *schedules == 0 {
		t.Skip("give -schedules N")
	}
	counts := map[string]int{}
	for _, sc := range scenarios {
		if *scenFlag == "" || *scenFlag == sc.name {
			clean(t, sc, *schedules, counts)
		}
	}
	if *scenFlag == "" {
		checkCounts(t, counts)
	}
}

// TestReplay runs one schedule and prints its trace.
func TestReplay(t *testing.T) {
	if !flagGiven("seed") {
		t.Skip("give -seed N, and -scenario NAME")
	}
	sc, ab := mixed, without(*ablFlag)
	if *scenFlag != "" {
		sc = named(*scenFlag)
	} else if ab != nil {
		sc = ab.in
	}
	res := schedule(t, sc, ab, seededChoices(*seedFlag), map[string]int{}, true)
	t.Log("\n" + strings.Join(res.trace, "\n"))
	if res.violation != "" {
		t.Error(res.violation + "\n" + explain(t, sc, ab, *seedFlag))
	}
}

func flagGiven(name string) (given bool) {
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}

// explaining is held while a schedule runs in this process.
var explaining sync.Mutex

// TestAblations takes the rules out of the protocol one by one. Every one of
// them must be missed within so many schedules; TestSim shows that the same
// scenarios are clean with it.
func TestAblations(t *testing.T) {
	if underRace {
		t.Skip("what a rule is for is not a question of races")
	}
	const within = 20000
	for _, ab := range ablations {
		t.Run(ab.name, func(t *testing.T) {
			t.Parallel() // in a process each
			rep, err := job{Scenario: ab.in.name, Ablation: ab.name, First: max(ab.from, 1), Step: 1, Count: within}.start(t)
			if err != nil {
				t.Fatal(err)
			}
			if rep.Violation == "" {
				t.Fatalf("%d schedules without this rule did no harm", rep.Done)
			}
			t.Logf("seed %d: %s", rep.Seed, rep.Violation)
			if testing.Verbose() {
				explaining.Lock() // one at a time: the simulation sets what is global
				defer explaining.Unlock()
				t.Log(explain(t, ab.in, ab, rep.Seed))
			}
		})
	}
}

// TestDeterministic: the same seed gives the same schedule. Locks are the
// exception: their renewals, the timers that watch them and the cancellations
// that these cause run into one another at the same instants, and the runtime
// chooses; nearly all of their schedules repeat all the same. It chooses also
// which of several packs on their way an error names.
func TestDeterministic(t *testing.T) {
	if underRace {
		t.Skip("the runtime shuffles goroutines under the race detector")
	}
	steady := func(trace []string) []string {
		for i := range trace {
			trace[i], _, _ = strings.Cut(trace[i], " sha256:")
		}
		return trace
	}
	for _, sc := range scenarios {
		if sc == locking {
			continue
		}
		for seed := range uint64(30) {
			a := schedule(t, sc, nil, seededChoices(seed), map[string]int{}, true)
			b := schedule(t, sc, nil, seededChoices(seed), map[string]int{}, true)
			if !slices.Equal(steady(a.trace), steady(b.trace)) {
				for i := range min(len(a.trace), len(b.trace)) {
					if a.trace[i] != b.trace[i] {
						t.Errorf("%s, seed %d: %s\n%s", sc.name, seed, a.trace[i], b.trace[i])
						break
					}
				}
				if len(a.trace) != len(b.trace) {
					t.Errorf("%s, seed %d: %d and %d steps", sc.name, seed, len(a.trace), len(b.trace))
				}
				return
			}
		}
	}
}
