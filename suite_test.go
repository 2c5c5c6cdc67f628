package registry

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/mindtrace/registry/internal/servers"
)

// notThroughFaults are the tests that TestSuiteThroughFaults leaves out, and
// why. All others run: those of tomorrow, too.
var notThroughFaults = map[string]string{
	"TestSuiteThroughFaults": "it is what runs the others",

	"TestImportWeight":          "it is about source code, and has no registry",
	"TestLayers":                "it is about source code, and has no registry",
	"TestSnippetsAreOfExamples": "it is about documents, and has no registry",
	"TestNoVerbIsLeftOut":       "it is about source code, and has no registry",
	"TestLinksLead":             "it is about documents, and has no registry",
	"TestAdviceCanBePasted":     "it is about the name of a registry that is not there",
	"TestSystemMemory":          "it is about the machine, and has no registry",
	"TestMemoryLimitTooSmall":   "it is refused before there is a registry",

	"TestCheckoutOfALocalRegistry": "its subject is a registry in a directory",
	"TestCreateAmidFiles":          "its subject is a directory with files in it",
	"TestHighestOfADirectory":      "its subject is how a directory is read",

	"TestEndablesAreComplete":          "it is about source code, and has no registry",
	"TestDependenciesAreReleases":      "it is about go.mod, and has no registry",
	"TestClean":                        "its subject is a directory, and what loads have left there",
	"TestPipeForADirectory":            "its subject is a directory that a load goes to",
	"TestNothingGoesIntoRegistries":    "its subject is a registry in a directory",
	"TestLinkForARegister":             "its subject is a registry in a directory",
	"TestExactSpares":                  "its subject is a registry in a directory",
	"TestFullDisk":                     "its subject is a disk",
	"TestFullDiskWithoutReserve":       "its subject is a disk",
	"TestSmallDisk":                    "its subject is a disk",
	"TestNoRoom":                       "its subject is a disk",
	"TestOwnFilesAreLeftOut":           "its subject is a registry in a directory",
	"TestRegistryIsNotSavedIntoItself": "its subject is a registry in a directory",
	"TestRootIsLostDuringALongSave":    "its subject is a registry in a directory",
	"TestRootIsLostBetweenRequests":    "its subject is a registry in a directory",
	"TestBucketIsNotWhatWasOpened":     "its store loses its root, as no server does on request",
	"TestManyUnreadableParts":          "it is about errors alone, and has no registry",
	"TestEveryVerbEndsWithItsContext":  "hours pass in it, in a bubble where that takes no time; a network cannot be in there",

	"TestStrictWaits":             "minutes pass in it, in a bubble where that takes no time; a network cannot be in there",
	"TestA23CopyFindsLateVersion": "minutes pass in it, in a bubble where that takes no time; a network cannot be in there",

	"TestGCCost":                    "it has ten thousand versions, to see what they cost in requests",
	"TestGCMemory":                  "it has many thousand versions, to see what they cost in memory",
	"TestRequestsAmongManyVersions": "it has many thousand versions, to see what they cost in requests",
	"TestListingStreams":            "it has ten thousand versions, to see what they cost in requests",
	"TestDedupOfALargeFile":         "it saves gigabytes, to see what they take",
	"TestPacksStayFewAndFull":       "it saves gigabytes, to see what they take",
	"TestSoak":                      "it goes on for as long as one says, on a server of its own",
}

// faultsEnv is "whole" for TestSuiteThroughFaults to run the long tests, too,
// with a seed that it prints, or the seed to use.
const faultsEnv = "MINDREG_FAULTS"

// longThroughFaults are left out, too, unless the whole is to be run: they
// make many requests, or move many megabytes, of the kinds that the others do.
var longThroughFaults = []string{
	"TestCopyFailsAnywhere", "TestDamageIsFound", "TestDamagedPacksAreNotReused", "TestFailureAtEveryCall", "TestGCBesideEverything",
	"TestInterruptedLoadIsContinued", "TestKilledSavers", "TestLatestNeverRests", "TestLoadsToOnePlaceAtOnce", "TestLongSaveOfManyFilesRenewsItsTable",
	"TestLongSaveRenewsItsEvidence", "TestManySmallFilesMakeFewObjects", "TestMilestonesKeepUp", "TestMissingPackIsFound",
	"TestProcessesSavingOneName", "TestRepair", "TestRepairFaults", "TestCompressedTable", "TestCopyOfManyFiles", "TestGCTables", "TestA25UnreadableTable",
	"TestRepairTable",
}

// The tests of this package once more, each of their stores on a MinIO behind
// a network that does something to a share of the requests: they expect what
// they always expect. A test may also be run alone:
//
//	MINDREG_FAULTS_SEED=1 go test -short -run TestTags -v .
func TestSuiteThroughFaults(t *testing.T) {
	whole := os.Getenv(faultsEnv) == "whole"
	if testing.Short() {
		t.Skip("a real server, for a minute")
	}
	servers.Binary(t, "minio")
	seed, err := strconv.ParseUint(os.Getenv(faultsEnv), 10, 64)
	switch {
	case whole:
		seed = rand.Uint64N(1_000_000)
	case err != nil:
		seed = 1
	}
	t.Logf("seed %d", seed)
	var run []string
	all := strings.Fields(string(must[[]byte](t)(exec.Command(os.Args[0], "-test.list=^Test").Output())))
	for _, name := range all {
		if notThroughFaults[name] == "" && (whole || !slices.Contains(longThroughFaults, name)) {
			run = append(run, name)
		}
	}
	for name := range notThroughFaults {
		if !slices.Contains(all, name) {
			t.Errorf("there is no %s to leave out", name)
		}
	}
	for _, name := range longThroughFaults {
		if !slices.Contains(all, name) {
			t.Errorf("there is no %s that is long", name)
		}
	}
	const processes = 2
	outputs := make([]bytes.Buffer, processes)
	var wg sync.WaitGroup
	for i := range processes {
		var share []string
		for k := i; k < len(run); k += processes {
			share = append(share, run[k])
		}
		cmd := exec.Command(os.Args[0], "-test.v", "-test.short", "-test.timeout=30m", "-test.run=^("+strings.Join(share, "|")+")$")
		cmd.Env = append(os.Environ(), fmt.Sprint(seedEnv, "=", seed))
		cmd.Stdout, cmd.Stderr = &outputs[i], &outputs[i]
		wg.Go(func() {
			if err := cmd.Run(); err != nil {
				t.Errorf("a share of the tests: %v", err)
			}
		})
	}
	wg.Wait()
	passed, through := map[string]bool{}, map[string]int{}
	requests, faults := 0, 0
	for i := range outputs {
		if t.Failed() {
			t.Log(failures(outputs[i].String()))
		}
		for line := range strings.Lines(outputs[i].String()) {
			if name, ok := strings.CutPrefix(line, "--- PASS: "); ok {
				passed[strings.Fields(name)[0]] = true
			}
			if report, ok := strings.CutPrefix(line, reportMark+" "); ok {
				f := strings.Fields(report)
				name, _, _ := strings.Cut(f[0], "/")
				n, _ := strconv.Atoi(f[1])
				m, _ := strconv.Atoi(f[2])
				through[name] += n
				requests, faults = requests+n, faults+m
			}
		}
	}
	for _, name := range run {
		switch {
		case !passed[name]:
			t.Errorf("%s has not passed", name)
		case through[name] == 0:
			t.Errorf("%s has sent nothing through the network: make its stores with newStore, or name it in notThroughFaults, with the reason", name)
		}
	}
	t.Logf("%d of %d tests, %d requests, %d faults", len(run), len(all), requests, faults)
}

// failures are the parts of an output that belong to tests that failed.
func failures(output string) string {
	var b, of strings.Builder
	for lines := bufio.NewScanner(strings.NewReader(output)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "=== RUN") && !strings.Contains(line, "/") {
			of.Reset()
		}
		if !strings.HasPrefix(line, reportMark) && line != "" {
			fmt.Fprintln(&of, line)
		}
		if strings.HasPrefix(line, "--- FAIL") || strings.HasPrefix(line, "panic: ") {
			b.WriteString(of.String())
			of.Reset()
		}
	}
	return b.String()
}
