package materialtest

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

func TestSinkIsAFileSystem(t *testing.T) {
	var s Sink
	for _, f := range []struct {
		name   string
		create func(string) (io.WriteCloser, error)
	}{{"a.txt", s.Create}, {"bin/run", s.CreateExec}} {
		w, err := f.create(f.name)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"contents of ", f.name} {
			if _, err := io.WriteString(w, part); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Symlink("../a.txt", "bin/a"); err != nil {
		t.Fatal(err)
	}
	if err := s.Mkdir("empty/dir"); err != nil {
		t.Fatal(err)
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(s.FS(), "a.txt", "bin/run", "bin/a", "empty/dir"); err != nil {
		t.Error(err)
	}
	if b, err := fs.ReadFile(s.FS(), "bin/a"); string(b) != "contents of a.txt" {
		t.Errorf("through the link: %q, %v", b, err)
	}
	if fi, err := fs.Stat(s.FS(), "bin/run"); err != nil || fi.Mode() != 0o777 {
		t.Errorf("executable: %v, %v", fi.Mode(), err)
	}
	if fi, err := fs.Stat(s.FS(), "empty/dir"); err != nil || !fi.IsDir() {
		t.Errorf("empty directory: %v, %v", fi, err)
	}
}

func TestSinkRefuses(t *testing.T) {
	file := func(s *Sink, name string) error { return put(s, name, []byte("x")) }
	for what, test := range map[string]struct {
		do  func(*Sink) error
		err string
	}{
		"absolute path":   {func(s *Sink) error { return file(s, "/etc/passwd") }, "not clean"},
		"path out":        {func(s *Sink) error { return file(s, "../x") }, "not clean"},
		"unclean path":    {func(s *Sink) error { return file(s, "a//b") }, "not clean"},
		"the root":        {func(s *Sink) error { return s.Mkdir(".") }, "not clean"},
		"not UTF-8":       {func(s *Sink) error { return file(s, "a\xff") }, "UTF-8"},
		"absolute link":   {func(s *Sink) error { return s.Symlink("/etc/passwd", "l") }, "leads out"},
		"link out":        {func(s *Sink) error { return s.Symlink("../x", "l") }, "leads out"},
		"twice":           {func(s *Sink) error { file(s, "a"); return file(s, "a") }, "twice"},
		"file as dir":     {func(s *Sink) error { file(s, "a"); return file(s, "a/b") }, "below"},
		"dir as file":     {func(s *Sink) error { file(s, "a/b"); return file(s, "a") }, "twice"},
		"not empty dir":   {func(s *Sink) error { s.Mkdir("a"); return file(s, "a/b") }, "below"},
		"below a link":    {func(s *Sink) error { file(s, "b"); s.Symlink("b", "a"); return file(s, "a/b") }, "below"},
		"two at once":     {func(s *Sink) error { s.Create("a"); return file(s, "b") }, `while "a" is open`},
		"link while open": {func(s *Sink) error { s.Create("a"); return s.Symlink("a", "b") }, `while "a" is open`},
		"write after close": {func(s *Sink) error {
			w, _ := s.Create("a")
			w.Close()
			_, err := w.Write(nil)
			return err
		}, "closed"},
	} {
		var s Sink
		err := test.do(&s)
		if err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: error %v, want one with %q", what, err, test.err)
		}
		if s.Err() == nil {
			t.Errorf("%s: Err forgets it", what)
		}
	}
}

func TestSinkMissesClose(t *testing.T) {
	var s Sink
	w, err := s.Create("a")
	if err != nil || s.Err() == nil {
		t.Fatalf("Create = %v, and Err is nil while the stream is open", err)
	}
	w.Close()
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); !errors.Is(err, fs.ErrClosed) || s.Err() != nil {
		t.Errorf("second Close = %v, then Err = %v; want an error that breaks no rule", err, s.Err())
	}
}

func TestSample(t *testing.T) {
	for _, n := range []int{0, 1, 2, 199, 200, 201, 1000, 12345} {
		last, count := 0, 0
		for i, once := range sample(n) {
			if once {
				if i != last {
					t.Fatalf("of %d: %d once, after %d", n, i, last)
				}
				continue
			}
			if i <= last || i > n {
				t.Fatalf("of %d: %d after %d", n, i, last)
			}
			last = i
			count++
		}
		if count != min(n, 200) || n > 0 && n <= 200 && last != n {
			t.Errorf("of %d: %d numbers up to %d", n, count, last)
		}
	}
}
