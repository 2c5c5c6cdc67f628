package filestore

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/storetest"
)

// childEnv turns the test binary into the child process of a test. What
// fails in it comes out on standard error.
const childEnv = "FILESTORE_CHILD"

var children = map[string]func(dir string) error{
	"crash": crashChild,
	"hold":  holdChild,
}

func TestMain(m *testing.M) {
	name := os.Getenv(childEnv)
	if name == "" {
		storetest.Main(m)
		return
	}
	if err := children[name](os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "%s child: %v\n", name, err)
		os.Exit(1)
	}
}

// child returns a command that runs the child process name on dir.
func child(t *testing.T, name, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, dir)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

// start starts cmd, kills it when the test ends, and returns its output.
func start(t *testing.T, cmd *exec.Cmd) *bufio.Reader {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // does nothing if the test has waited for it
		cmd.Process.Kill()
		cmd.Wait()
	})
	return bufio.NewReader(out)
}

// open returns a store in dir, as another process has it: nothing is known
// in it yet.
func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// made returns a store in dir, which it makes.
func made(t testing.TB, dir string) *Store {
	t.Helper()
	s := open(t, dir)
	if err := s.MakeRoot(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// folderAt opens a directory by its path.
func folderAt(t testing.TB, dir string) *folder {
	t.Helper()
	d, err := open(t, dir).openFolder("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}

func put(t testing.TB, s *Store, key, body string, match store.Token) store.Info {
	t.Helper()
	info, err := s.Put(t.Context(), key, []byte(body), match)
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	return info
}

func get(t testing.TB, s *Store, key string) (string, store.Info) {
	t.Helper()
	body, info, err := s.Get(t.Context(), key, nil)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	return string(body), info
}

// keys lists the keys with prefix.
func keys(t testing.TB, s *Store, prefix string) []string {
	t.Helper()
	var all []string
	for info, err := range s.List(t.Context(), prefix, "") {
		if err != nil {
			t.Fatalf("list %q: %v", prefix, err)
		}
		all = append(all, info.Key)
	}
	return all
}

// leftovers returns the files below dir that are neither keys nor locks.
func leftovers(t testing.TB, s *Store) []string {
	t.Helper()
	shown := map[string]bool{}
	for _, key := range keys(t, s, "") {
		shown[s.path(key)] = true
	}
	var left []string
	err := filepath.WalkDir(s.root, func(path string, e os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.Name() == lockDir:
			return filepath.SkipDir
		case !e.IsDir() && !shown[path]:
			left = append(left, strings.TrimPrefix(path, s.root))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func drain(r io.Reader) []string {
	var lines []string
	for sc := bufio.NewScanner(r); sc.Scan(); {
		lines = append(lines, sc.Text())
	}
	return lines
}
