//go:build linux || darwin

package filestore

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
)

// What is under a key is no file, or the key goes through a file.
func TestNotAFile(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "file", "1", store.Absent)
	put(t, s, "dir/below", "1", store.Absent)
	if err := syscall.Mkfifo(s.path("pipe"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"file/below", "file/below/it", "dir", "pipe", "pipe/below"} {
		if _, _, err := s.Get(t.Context(), key, nil); !errors.Is(err, store.ErrNotExist) {
			t.Errorf("Get of %s: %v, want ErrNotExist", key, err)
		}
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, store.ErrNotExist) {
			t.Errorf("Stat of %s: %v, want ErrNotExist", key, err)
		}
		// Not ErrPrecondition: the caller would look, find nothing, and try
		// again for ever.
		_, err := s.Put(t.Context(), key, []byte("2"), store.Absent)
		if err == nil || errors.Is(err, store.ErrPrecondition) || errors.Is(err, store.ErrUnknown) {
			t.Errorf("Put of %s: %v, want an error that says it cannot be", key, err)
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete of %s, which is no key: %v", key, err)
		}
		if _, err := s.Put(t.Context(), key+"x", []byte("2"), "token"); !errors.Is(err, store.ErrPrecondition) {
			t.Errorf("replacement of the absent %sx: %v, want ErrPrecondition", key, err)
		}
	}
	for _, key := range []string{"file", "dir/below"} {
		if body, _ := get(t, s, key); body != "1" {
			t.Errorf("%s has become %q", key, body)
		}
	}
	if len(keys(t, s, "pipe/")) > 0 || len(keys(t, s, "file/")) > 0 {
		t.Error("List shows keys below what is no directory")
	}
	if got := keys(t, s, ""); !slices.Equal(got, []string{"dir/below", "file"}) {
		t.Errorf("List shows %q", got)
	}
}

// An empty directory under the name of a key is not removed.
func TestDeleteRemovesNoDirectory(t *testing.T) {
	s := open(t, t.TempDir())
	if err := os.Mkdir(s.path("empty"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "empty"); err != nil {
		t.Errorf("Delete of a directory, which is no key: %v", err)
	}
	if _, err := os.Lstat(s.path("empty")); err != nil {
		t.Errorf("Delete removed a directory: %v", err)
	}
}

func TestTruncatedFile(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "k", "0123456789", store.Absent)
	// Before it is opened: the store cannot know. It returns what there is.
	if err := os.Truncate(s.path("k"), 6); err != nil {
		t.Fatal(err)
	}
	if body, info := get(t, s, "k"); body != "012345" || info.Size != 6 {
		t.Errorf("got %q, size %d", body, info.Size)
	}
	if body, _, err := s.Get(t.Context(), "k", &store.GetOptions{Offset: 4, Length: 4}); string(body) != "45" || err != nil {
		t.Errorf("a range that reaches past the end: %q (%v)", body, err)
	}
	// While it is read: never fewer bytes than the Info says.
	f, err := os.Open(s.path("k"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := readAt(t.Context(), f, make([]byte, 10), 0); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("reading 10 of 6 bytes: %v, want ErrUnexpectedEOF", err)
	}
}

func TestForeignFiles(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "a/k", "1", store.Absent)
	for _, name := range []string{
		"README.md", ".DS_Store", "a/.DS_Store", "a/Thumbs.db", "a/K", "a/k ", "a/k:stream", "a/k.", "a/é",
		"lost+found/x", "a/.k.swp", ".git/config", "System Volume Information/x", "a/" + tempPrefix + "left", "con",
	} {
		path := filepath.Join(s.root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("foreign"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	// A path too long for a key, of which every segment is good.
	deep := s.root
	for range 10 {
		deep = filepath.Join(deep, "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789")
	}
	if err := os.MkdirAll(deep, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(deep, "k"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"", "a", "a/", "a/k"} {
		r := record(s)
		if got := keys(t, s, prefix); !slices.Equal(got, []string{"a/k"}) {
			t.Errorf("List of %q shows %q", prefix, got)
		}
		for _, op := range r.take() { // lost+found is for root only
			if strings.Contains(op, "+") || strings.Contains(op, ".git") || strings.Contains(op, "System") {
				t.Errorf("List of %q did %s", prefix, op)
			}
		}
	}
}

// A file is replaced just after it was opened for reading. Whichever state
// Get returns, all of its Info belongs to that one.
func TestReplacedWhileOpened(t *testing.T) {
	dir := t.TempDir()
	s, other := open(t, dir), open(t, dir)
	first := put(t, s, "k", "1", store.Absent)
	time.Sleep(20 * time.Millisecond) // some ticks of the file system's clock
	var second store.Info
	s.trace = func(op, _ string) {
		if op == "opened" && second.Key == "" {
			second = put(t, other, "k", "2", first.Token)
		}
	}
	body, got := get(t, s, "k")
	want := map[string]store.Info{"1": first, "2": second}[body]
	if got.Token != want.Token || !got.Modified.Equal(want.Modified) {
		t.Errorf("Get returned state %q with token %s modified %s; its put said %s and %s",
			body, got.Token, got.Modified, want.Token, want.Modified)
	}
}

// temporaries returns the paths of the temporary files in the directory of key.
func temporaries(t *testing.T, s *Store, key string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(filepath.Dir(s.path(key)), tempPrefix+"*"))
	if err != nil || len(found) == 0 {
		t.Errorf("no temporary file beside %s (%v)", key, err)
	}
	return found
}

// Attack A45: a network file system sends a request twice, and the answer to
// the first one is lost.
func TestRetransmission(t *testing.T) {
	s := open(t, t.TempDir())
	s.trace = func(op, path string) {
		var err error
		switch op {
		case "link":
			err = os.Link(temporaries(t, s, "k")[0], path)
		case "rename":
			err = os.Rename(temporaries(t, s, "k")[0], path)
		case "remove":
			err = os.Remove(path)
		}
		if err != nil {
			t.Error(err)
		}
	}
	info := put(t, s, "k", "1", store.Absent)
	info = put(t, s, "k", "2", info.Token)
	if body, got := get(t, s, "k"); body != "2" || got.Token != info.Token {
		t.Errorf("the state is %q", body)
	}
	if err := s.Delete(t.Context(), "k"); err != nil {
		t.Error(err)
	}
	if left := leftovers(t, s); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// A backup that makes hard links gives a temporary file a second name. That
// is no proof that it has got the name of the key.
func TestTemporaryLinkedElsewhere(t *testing.T) {
	dir, backup := t.TempDir(), t.TempDir()
	s, other := open(t, dir), open(t, dir)
	s.trace = func(op, _ string) {
		if op == "link" {
			put(t, other, "k", "other", store.Absent)
			for _, path := range temporaries(t, s, "k") {
				if err := os.Link(path, filepath.Join(backup, filepath.Base(path))); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if _, err := s.Put(t.Context(), "k", []byte("mine"), store.Absent); !errors.Is(err, store.ErrPrecondition) {
		t.Errorf("a second creator: %v, want ErrPrecondition", err)
	}
}

// Only errors that mean "nothing was done" may be told as such.
func TestOutcomes(t *testing.T) {
	for err, unknown := range map[error]bool{
		syscall.ENOSPC: false, syscall.EDQUOT: false, syscall.EACCES: false, syscall.EPERM: false,
		syscall.EROFS: false, syscall.EEXIST: false, syscall.ENOENT: false, syscall.ENAMETOOLONG: false,
		syscall.EIO: true, syscall.ETIMEDOUT: true, syscall.ESTALE: true, syscall.ENOTCONN: true, syscall.EINTR: true,
	} {
		got := outcome(&os.LinkError{Op: "link", Old: "a", New: "b", Err: err}, nil, nil, "b")
		if errors.Is(got, store.ErrUnknown) != unknown || !errors.Is(got, err) {
			t.Errorf("link failed with %v: told as %v", err, got)
		}
	}
}

// Where there are no hard links.
func TestRenameExclusive(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	for _, path := range []string{from, to} {
		if err := os.WriteFile(path, []byte(path), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	d := folderAt(t, dir)
	if err := renameExclusive(d.fd(), "from", "to"); !errors.Is(err, fs.ErrExist) {
		if errors.Is(err, syscall.EINVAL) {
			t.Skip("not on this file system")
		}
		t.Fatalf("over another file: %v, want ErrExist", err)
	}
	if body, err := os.ReadFile(to); err != nil || string(body) != to {
		t.Fatalf("the other file is %q (%v)", body, err)
	}
	if err := os.Remove(to); err != nil {
		t.Fatal(err)
	}
	if err := renameExclusive(d.fd(), "from", "to"); err != nil {
		t.Error(err)
	}
}
