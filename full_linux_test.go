package registry

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/filestore"
)

// brief are times of a registry whose data is over in some seconds.
var brief = manifest.Times{Era: 1, Window: 3, Retain: 1, Margin: 1}

// smallDisk mounts a disk of so many bytes and files.
func smallDisk(t *testing.T, bytes, files int) string {
	t.Helper()
	dir := t.TempDir()
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,nr_inodes=%d", bytes, files))
	if errors.Is(err, syscall.EPERM) {
		t.Skip("only root may mount")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes to a disk until nothing more fits: no byte, or no file.
func fill(t *testing.T, disk string, files bool) {
	t.Helper()
	for n := 0; files; n++ {
		if err := os.WriteFile(filepath.Join(disk, fmt.Sprintf("empty%d-%d", time.Now().UnixNano(), n)), nil, 0o666); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(filepath.Join(disk, "full"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// inside returns the names of all files of a registry but its lock files and
// its reserve.
func inside(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.Contains(path, "/.locks/") && !strings.Contains(path, "/.reserve/") {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// On a disk on which nothing fits any more, no byte or no file, everything that
// gets space back works, again and again; a save fails, says why, and leaves
// nothing behind.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for what, files := range map[string]bool{"bytes": false, "files": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			disk := smallDisk(t, 24<<20, 600)
			dir := filepath.Join(disk, "reg")
			st := must[*filestore.Store](t)(filestore.New(dir))
			open := func() *Registry { // as another process
				return openOn(t, must[*filestore.Store](t)(filestore.New(dir)), &Options{times: brief})
			}
			r := openOn(t, st, &Options{times: brief})
			for i := range 8 {
				mustSave(t, r, "m", noise(uint64(i), 1<<20), WithoutReuse())
			}
			if _, err := r.Tag(t.Context(), "m@1.0.7", "prod", nil); err != nil {
				t.Fatal(err)
			}
			full := func() *Registry {
				t.Helper()
				fill(t, disk, files)
				return open()
			}

			r = full()
			before := inside(t, dir)
			_, err := r.Save(t.Context(), "m", noise(100, 1<<20))
			wantErr(t, err, syscall.ENOSPC)
			if after := inside(t, dir); !slices.Equal(before, after) {
				t.Errorf("a save that fails leaves %q, before there was %q", after, before)
			}
			mustDelete(t, r, "m@1.0.0")
			for _, ref := range []string{"m@1.0.1", "m@1.0.2"} { // what was lent is there again
				mustDelete(t, full(), ref)
			}
			if _, err := full().Untag(t.Context(), "m", "prod", nil); err != nil {
				t.Error(err)
			}
			if rep, err := full().Prune(t.Context(), &PruneOptions{KeepLast: 4}); err != nil || len(rep.Deleted) != 1 {
				t.Errorf("%+v, %v", rep, err)
			}
			if rep, err := full().Purge(t.Context(), "m@<=1.0.4", nil); err != nil || len(rep.Purged) != 5 {
				t.Errorf("%+v, %v", rep, err)
			}
			time.Sleep(6 * time.Second) // until their packs are over
			rep := mustGC(t, full())
			if rep.Freed.Packs < 5 || rep.Live.Packs != 3 {
				t.Errorf("%+v", rep)
			}
			var reserved int64
			for _, e := range must[[]os.DirEntry](t)(os.ReadDir(filepath.Join(dir, ".reserve"))) {
				reserved += must[os.FileInfo](t)(e.Info()).Size()
			}
			if least := int64(1 << 20); !files && reserved != least || reserved < least/2 { // lock files have taken some
				t.Errorf("%d bytes are set aside after a collection", reserved)
			}
			for _, name := range must[[]string](t)(filepath.Glob(filepath.Join(disk, "empty*"))) { // a new era takes some directories
				os.Remove(name)
			}
			r = open()
			mustSave(t, r, "m", noise(100, 1<<20), WithoutReuse())
			mustVerify(t, r)
		})
	}
}

// Without anything set aside, a deletion fails for want of space and changes
// nothing. What is set aside, no save gets.
func TestFullDiskWithoutReserve(t *testing.T) {
	disk := smallDisk(t, 8<<20, 300)
	dir := filepath.Join(disk, "reg")
	r := openOn(t, must[*filestore.Store](t)(filestore.New(dir)), nil)
	mustSave(t, r, "m", "x")
	if err := os.RemoveAll(filepath.Join(dir, ".reserve")); err != nil {
		t.Fatal(err)
	}
	fill(t, disk, false)
	_, err := r.Delete(t.Context(), "m@1.0.0", nil)
	wantErr(t, err, syscall.ENOSPC)
	if got := mustLoad[string](t, r, "m"); got != "x" {
		t.Error(got)
	}
	if err := os.Truncate(filepath.Join(disk, "full"), 1<<20); err != nil {
		t.Fatal(err)
	}
	if s, ok := store.As[store.Reserver](r.ledger.Store); ok {
		if err := s.Reserve(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, disk, false)
	_, err = r.Save(t.Context(), "m", "y")
	wantErr(t, err, syscall.ENOSPC)
	mustDelete(t, r, "m@1.0.0")
}
