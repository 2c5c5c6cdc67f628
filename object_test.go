package registry

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/tracestore"
)

func treeOnDisk(t *testing.T) string {
	dir := writeFiles(t, map[string][]byte{
		"readme.txt": []byte("hello\n"), "empty": nil, "a-b": []byte("1"), "a/b": []byte("2"), "a/c/d.bin": noise(1, 300<<10),
		"big.bin": noise(2, 9<<20), "weird name\n\\": []byte("3"), "ünïcode": []byte("4"),
	})
	for _, d := range []string{"nothing/in/here", "a/void"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"link": "readme.txt", "a/up": "../readme.txt", "todir": "a/c", "dangling": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "a/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// An Object is a well-behaved file system, whether its files are inside the
// register or in packs.
func TestObjectIsAFileSystem(t *testing.T) {
	r, _ := inMemory(t)
	dir := treeOnDisk(t)
	os.Remove(filepath.Join(dir, "dangling"))       // the suite follows every link
	os.Remove(filepath.Join(dir, "weird name\n\\")) // and takes no backslash
	mustSave(t, r, "big", Path(dir))
	mustSave(t, r, "small", Path(writeFiles(t, map[string][]byte{"x": []byte("x"), "d/y": []byte("yy"), "d/e": nil})))
	for ref, expect := range map[string][]string{
		"big": {"readme.txt", "empty", "a/b", "a/c/d.bin", "big.bin", "nothing/in/here", "link", "todir"}, "small": {"x", "d/y", "d/e"},
	} {
		obj := must[*Object](t)(r.Object(t.Context(), ref))
		if err := fstest.TestFS(obj, expect...); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

func TestObjectFiles(t *testing.T) {
	r, _ := inMemory(t)
	dir := treeOnDisk(t)
	mustSave(t, r, "m", Path(dir))
	obj := must[*Object](t)(r.Object(t.Context(), "m"))
	for _, name := range []string{"big.bin", "readme.txt", "a/up", "todir/d.bin", "empty"} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := fs.ReadFile(obj, name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(want))
		}
	}
	if l, err := obj.ReadLink("a/up"); err != nil || l != "../readme.txt" {
		t.Errorf("link is %q, %v", l, err)
	}
	if fi, err := obj.Stat("a/b"); err != nil || fi.Mode().Perm() != 0o555 {
		t.Errorf("mode of an executable is %v, %v", fi.Mode(), err)
	}
	for _, name := range []string{"no", "dangling", "readme.txt/x", "../x", "/x"} {
		if _, err := obj.Open(name); err == nil {
			t.Errorf("%s opened", name)
		}
	}
}

// Reading at random places gives the same bytes as the file on disk, and
// fetches no more than the chunks concerned.
func TestReadAtAndSeek(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		trace := tracestore.New(st)
		r := openOn(t, trace, nil)
		want := noise(7, 50<<20)
		mustSave(t, r, "m", want)
		obj := must[*Object](t)(r.Object(t.Context(), "m"))
		trace.Reset()
		f := must[fs.File](t)(obj.Open("data"))
		ra := f.(io.ReaderAt)
		buf := make([]byte, 100)
		if _, err := ra.ReadAt(buf, 30<<20); err != nil || !bytes.Equal(buf, want[30<<20:30<<20+100]) {
			t.Errorf("ReadAt: %v", err)
		}
		if n := trace.Calls()[0].Bytes; trace.Count("") != 1 || n > 4<<20 {
			t.Errorf("100 bytes cost %d requests, the first of %d bytes", trace.Count(""), n)
		}
		for range 200 {
			off, n := rand.IntN(len(want)), rand.IntN(6<<20)
			buf := make([]byte, n)
			got, err := ra.ReadAt(buf, int64(off))
			wantN := min(n, len(want)-off)
			if got != wantN || !bytes.Equal(buf[:got], want[off:off+got]) || (err == io.EOF) != (wantN < n) || err != nil && err != io.EOF {
				t.Fatalf("ReadAt(%d, %d) = %d, %v", n, off, got, err)
			}
		}
		if _, err := ra.ReadAt(buf, int64(len(want))); err != io.EOF {
			t.Errorf("ReadAt at the end: %v", err)
		}
		s := f.(io.ReadSeeker)
		if got, err := io.ReadAll(s); err != nil || !bytes.Equal(got, want) {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
		if pos, err := s.Seek(-10, io.SeekEnd); err != nil || pos != int64(len(want)-10) {
			t.Errorf("seek: %d, %v", pos, err)
		}
		if got, err := io.ReadAll(s); err != nil || !bytes.Equal(got, want[len(want)-10:]) {
			t.Errorf("after seek: %d bytes, %v", len(got), err)
		}
		if _, err := s.Seek(0, 99); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("seek from nowhere: %v", err)
		}
		if _, err := s.Seek(0, io.SeekStart); err != nil {
			t.Error(err)
		}
		if got, err := io.ReadAll(s); err != nil || !bytes.Equal(got, want) {
			t.Errorf("after rewind: %d bytes, %v", len(got), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if _, err := f.Read(buf); err == nil {
			t.Error("read after close")
		}
	})
}
