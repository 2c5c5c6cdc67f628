package registry

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mindtrace/registry/store/faultstore"
)

// interruptedLoad begins a load and leaves what it has fetched.
func interruptedLoad(t *testing.T, ref, dest string) *Registry {
	t.Helper()
	mem := newStore(t)
	fst := faultstore.New(mem, nil)
	r := openOn(t, fst, nil)
	for i := range 3 {
		mustSave(t, r, "m", noise(uint64(i), 20<<20))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancelAt(fst, 1, cancel)
	wantErr(t, r.Load(ctx, ref, Path(dest)), context.Canceled)
	fst.Plan(nil)
	if left := leftovers(t, filepath.Dir(dest)); len(left) == 0 {
		t.Fatal("nothing was left")
	}
	return r
}

// A complete load removes what earlier ones to the same destination have left, of
// other versions too, and what one that was killed has left under a name of chance.
func TestCompleteLoadRemovesLeftovers(t *testing.T) {
	dir := t.TempDir()
	dest := filepath.Join(dir, "dest")
	r := interruptedLoad(t, "m@1.0.0", dest)
	// The name is a prefix, eight digits of the destination, and eight more.
	left := leftovers(t, dir)[0]
	killed := left[:len(left)-8] + "01234567"
	other := left[:len(left)-16] + "89abcdef01234567"
	for _, d := range []string{killed, other} {
		if err := os.MkdirAll(filepath.Join(d, "tree", "deep"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Load(t.Context(), "m@1.0.2", Path(dest)); err != nil {
		t.Fatal(err)
	}
	if left := leftovers(t, dir); len(left) != 1 || left[0] != other {
		t.Errorf("left %v, want that of the other destination", left)
	}
}

// What a load is using is not taken away, neither by another nor by Clean.
func TestCleanLeavesWhatIsInUse(t *testing.T) {
	r, fst, _ := faulty(t)
	mustSave(t, r, "m", noise(1, 20<<20))
	mustSave(t, r, "m", noise(2, 1<<20))
	dir := t.TempDir()
	dest := filepath.Join(dir, "dest")
	var looked atomic.Int32
	fst.Plan(lookAtPacks(func() {
		if looked.Add(1) > 1 {
			return
		}
		report := must[*CleanReport](t)(Clean(t.Context(), dir, nil))
		if len(report.Leftovers) != 1 || report.Leftovers[0].Kept != "a load is using it" {
			t.Errorf("%+v", report)
		}
		if err := r.Load(t.Context(), "m", Path(dest)); err != nil {
			t.Error(err)
		}
		if left := leftovers(t, dir); len(left) != 1 {
			t.Errorf("left %v", left)
		}
	}))
	if err := r.Load(t.Context(), "m@1.0.0", Path(dest)); err != nil || looked.Load() == 0 {
		t.Errorf("%v, %d looks", err, looked.Load())
	}
	noLeftovers(t, dir)
}

func TestClean(t *testing.T) {
	dir := t.TempDir()
	interruptedLoad(t, "m", filepath.Join(dir, "dest"))
	at := func(p string) string { return filepath.Join(dir, filepath.FromSlash(p)) }
	spared := map[string]string{ // and why it stays; "" if it is not a leftover
		".mindreg-0000000000000001/mine":       "no load has made",
		".mindreg-0000000000000001/tree/x":     "no load has made",
		".mindreg-0000000000000002/tree/x":     "not this user's",
		".mindreg-0000000000000003/lock/mine":  "not this user's",
		".mindreg-notes/tree/x":                "",
		"d/.mindreg-0000000000000004/tree/x":   "",
		"mindreg-0000000000000005/tree/x":      "",
		".mindreg-0000000000000006.txt/tree/x": "",
		"real/tree/x":                          "",
	}
	gone := []string{".mindreg-0123456789ab/tree/x", ".mindreg-abcdefg2/tree/d/x", ".mindreg-0000000000000007/was/x"}
	for _, p := range gone {
		if err := errors.Join(os.MkdirAll(filepath.Dir(at(p)), 0o755), os.WriteFile(at(p), make([]byte, 1<<16), 0o644), os.Chmod(filepath.Dir(at(p)), 0o555)); err != nil {
			t.Fatal(err)
		}
	}
	for p := range spared {
		if err := errors.Join(os.MkdirAll(filepath.Dir(at(p)), 0o755), os.WriteFile(at(p), nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	symlink(t, "real", at(".mindreg-0000000000000008"))
	if os.Getuid() == 0 {
		if err := os.Lchown(at(".mindreg-0000000000000002"), 1, 1); err != nil {
			t.Fatal(err)
		}
	} else if err := os.RemoveAll(at(".mindreg-0000000000000002")); err != nil {
		t.Fatal(err)
	} else {
		delete(spared, ".mindreg-0000000000000002/tree/x")
	}
	before := leftovers(t, dir)
	dry := must[*CleanReport](t)(Clean(t.Context(), dir, &CleanOptions{DryRun: true}))
	if after := leftovers(t, dir); len(after) != len(before) {
		t.Errorf("a dry run has left %v of %v", after, before)
	}
	report := must[*CleanReport](t)(Clean(t.Context(), dir, nil))
	if len(report.Leftovers) != len(dry.Leftovers) {
		t.Errorf("found %+v, and in the dry run %+v", report, dry)
	}
	removed := 0
	for i, l := range report.Leftovers {
		if dry.Leftovers[i] != l {
			t.Errorf("%+v, and in the dry run %+v", l, dry.Leftovers[i])
		}
		if _, err := os.Lstat(l.Path); (l.Kept == "") != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v: %v", l, err)
		}
		if l.Kept == "" {
			if removed++; l.Size < 1<<16 {
				t.Errorf("%+v", l)
			}
		}
		for p, why := range spared {
			if strings.HasPrefix(at(p), l.Path+string(filepath.Separator)) && !strings.Contains(l.Kept, why) {
				t.Errorf("%+v, want %q", l, why)
			}
		}
	}
	if removed != len(gone)+1 {
		t.Errorf("%d were removed: %+v", removed, report)
	}
	for p := range spared {
		if _, err := os.Stat(at(p)); err != nil {
			t.Error(err)
		}
	}
	if _, err := Clean(t.Context(), at("missing"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
