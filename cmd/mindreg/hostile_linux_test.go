package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/filestore"
)

// mostMemory is what no command takes more of, whatever one key holds, in
// bytes. It is the resident memory of the process, as the kernel has seen it.
const mostMemory = 512 << 20

// hostile is a registry with an object, "bad", that an attacker has written to fill
// the memory of its readers.
type hostile struct {
	t   *testing.T
	dir string
	st  store.Store
	n   int // versions of bad
}

func newHostile(t *testing.T) *hostile {
	dir := t.TempDir()
	reg, err := registry.Open(t.Context(), dir, &registry.Options{Create: true})
	if err == nil {
		_, err = reg.Save(t.Context(), "good", "good")
	}
	st, serr := filestore.New(dir)
	if err := errors.Join(err, serr); err != nil {
		t.Fatal(err)
	}
	return &hostile{t: t, dir: dir, st: st}
}

// put writes a key as nothing here would.
func (h *hostile) put(key string, body []byte) {
	if _, err := h.st.Put(h.t.Context(), key, body, store.Absent); err != nil {
		h.t.Fatal(err)
	}
}

// version puts the next version of bad, as text is written into a register.
func (h *hostile) version(format string, args ...any) {
	v := manifest.Version{Major: 1, Patch: uint64(h.n)}
	h.n++
	head := fmt.Sprintf(`{"kind":"version","format":1,"nonce":"%032x","state":"live","name":"bad","version":"%s","created":"2026-01-01T00:00:00Z"`, h.n, v)
	h.put(manifest.VersionKey("bad", v), []byte(head+fmt.Sprintf(format, args...)+"}"))
}

// table puts a version with so many entries, of which the table is what write
// writes.
func (h *hostile) table(count int, digest manifest.Digest, write func(io.Writer) error) {
	ctx := h.t.Context()
	now, err := h.st.Now(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	clock := new(wrapstore.Clock)
	clock.Observe(now)
	w := chunk.NewWriter(ctx, chunk.Config{Store: wrapstore.ObserveClock(h.st, clock), Clock: clock, Times: manifest.DefaultTimes, Compress: true})
	defer w.Abort()
	file, err := w.Create("table", false)
	if err == nil {
		err = write(file)
	}
	if err == nil {
		err = file.Close()
	}
	res, ferr := w.Finish()
	if err := errors.Join(err, ferr); err != nil {
		h.t.Fatal(err)
	}
	v := manifest.Version{Major: 1, Patch: uint64(h.n)}
	h.n++
	m := manifest.NewManifest("bad", v, now)
	m.Count, m.Digest, m.NotAfter = count, digest, res.Evidence.Add(time.Hour)
	f := res.Files[0]
	m.SetTable(f.Size, f.SHA256, f.Chunks, res.Packs)
	body, err := m.Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	h.put(manifest.VersionKey("bad", v), body)
}

// run runs a command on the registry, and returns its exit code, what it prints
// and the most memory that it took.
func (h *hostile) run(args ...string) (code int, out string, memory int64) {
	ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "mindreg", append([]string{"-r", h.dir, "-q", "--no-cache"}, args...)...)
	status := h.t.TempDir() + "/status"
	cmd.Env = append(os.Environ(), "MINDREG_TEST_STATUS="+status)
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	if strings.Contains(strings.Join(args, " "), "json") || args[0] == "info" {
		cmd.Stdout = nil // however much it is
	}
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	body, err := os.ReadFile(status)
	if err != nil {
		h.t.Fatalf("mindreg %s: %v, it printed\n%.1000s", strings.Join(args, " "), err, b.String())
	}
	_, peak, _ := strings.Cut(string(body), "VmHWM:")
	if _, err := fmt.Sscanf(peak, "%d kB", &memory); err != nil {
		h.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), b.String(), memory << 10
}

// entries writes a table of empty directories: what is shortest for what it
// takes.
func entries(n int) func(io.Writer) error {
	return func(w io.Writer) error {
		b := []byte(`{"files":[`)
		for i := range n {
			if i > 0 {
				b = append(b, ',')
			}
			if b = fmt.Appendf(b, `{"path":"%07x","dir":true}`, i); len(b) > 1<<20 {
				if _, err := w.Write(b); err != nil {
					return err
				}
				b = b[:0]
			}
		}
		_, err := w.Write(append(b, `],"placement":{}}`...))
		return err
	}
}

// sealed puts a version of so many empty directories that is sound.
func (h *hostile) sealed(n int) {
	c := manifest.Content{Files: make([]manifest.File, n)}
	for i := range c.Files {
		c.Files[i] = manifest.File{Path: fmt.Sprintf("%07x", i), Dir: true}
	}
	digest, err := c.Digest()
	if err != nil {
		h.t.Fatal(err)
	}
	h.table(n, digest, entries(n))
}

// endless writes a table that is one value which does not end.
func endless(n int) func(io.Writer) error {
	return func(w io.Writer) error {
		if _, err := io.WriteString(w, `{"files":[{"path":"`); err != nil {
			return err
		}
		for b := bytes.Repeat([]byte("x"), 1<<20); n > 0; n -= len(b) {
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		return nil
	}
}

// No command takes more than mostMemory for what one key can hold, and what is
// good is listed all the same.
func TestHostileKeysTakeLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("large registries")
	}
	const digest = `,"digest":"` + "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" + `"`
	fill := func(text string, n int) string {
		return strings.TrimSuffix(strings.Repeat(text+",", n/(len(text)+1)), ",")
	}
	room := manifest.MaxRegister - 1000
	for name, make := range map[string]func(h *hostile){
		"entries of nothing":     func(h *hostile) { h.version(digest+`,"content":{"files":[%s]}`, fill("{}", room)) },
		"extents":                func(h *hostile) { h.version(digest+`,"placement":{"extents":[%s]}`, fill("[]", room)) },
		"files cut into nothing": func(h *hostile) { h.version(digest+`,"placement":{"split":[%s]}`, fill("{}", room)) },
		"stored sizes":           func(h *hostile) { h.version(digest+`,"placement":{"zstd":[%s]}`, fill("0", room)) },
		"packs":                  func(h *hostile) { h.version(digest+`,"placement":{"packs":[%s]}`, fill("{}", room)) },
		"metadata too deep": func(h *hostile) {
			h.version(digest+`,"content":{"metadata":%s%s}`, strings.Repeat("[", 9900), strings.Repeat("]", 9900))
		},
		"a value as long as a key": func(h *hostile) {
			h.version(digest+`,"content":{"class":"%s"}`, strings.Repeat("x", store.MaxBody-1000))
		},
		"many that are too large": func(h *hostile) {
			for range 40 {
				h.version(digest+`,"content":{"files":[%s]}`, fill(`{}`, 14<<20))
			}
		},
		"many as large as they may": func(h *hostile) {
			for range 5 {
				h.version(digest+`,"content":{"files":[%s]}`, fill(`{}`, room))
			}
		},
		"a table of a million":     func(h *hostile) { h.sealed(1 << 20) },
		"a table at the limit":     func(h *hostile) { h.sealed(manifest.MaxDecoded / 136) },
		"a table beyond the limit": func(h *hostile) { h.table(2<<20, manifest.Digest{1}, entries(8<<20)) },
		"a table of one value":     func(h *hostile) { h.table(1, manifest.Digest{1}, endless(mostMemory+100<<20)) },
		"a tag": func(h *hostile) {
			h.put(manifest.TagKey("bad", "t"), bytes.Repeat([]byte("["), store.MaxBody))
			h.version("")
		},
		"a lock": func(h *hostile) { h.put(manifest.LockKey("bad"), bytes.Repeat([]byte("["), store.MaxBody)) },
		"a marker of a collection": func(h *hostile) {
			h.put(manifest.CollectionKey(manifest.NewNonce()), bytes.Repeat([]byte("["), store.MaxBody))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t)
			make(h)
			for _, args := range [][]string{
				{"ls"}, {"ls", "-o", "json"}, {"versions", "bad"}, {"versions", "bad", "-o", "json"}, {"info", "bad"}, {"info", "bad", "--files"}, {"tag", "ls", "bad"}, {"lock", "ls"},
				{"verify"}, {"gc", "-n"}, {"prune", "--keep-last", "1", "-n"}, {"load", "bad", t.TempDir() + "/out"},
			} {
				if args[0] == "load" && (strings.Contains(name, "limit") || strings.Contains(name, "million")) {
					continue // it would write millions of directories
				}
				code, out, memory := h.run(args...)
				t.Logf("%s: exit code %d, %d MiB", strings.Join(args, " "), code, memory>>20)
				if memory > mostMemory {
					t.Errorf("mindreg %s takes %d MiB, the limit is %d", strings.Join(args, " "), memory>>20, mostMemory>>20)
				}
				if args[0] == "ls" && len(args) == 1 && !strings.Contains(out, "good") {
					t.Errorf("ls does not list what is good:\n%.1000s", out)
				}
				if strings.Contains(out, "panic") || strings.Contains(out, "goroutine") {
					t.Errorf("mindreg %s: %.1000s", strings.Join(args, " "), out)
				}
			}
		})
	}
}
