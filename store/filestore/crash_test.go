package filestore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
)

const crashRounds = 100

// crashBody makes a body that proves its own completeness: a number, filling,
// and the checksum of both.
func crashBody(n, size int) []byte {
	b := fmt.Appendf(nil, "%d\n", n)
	b = append(b, bytes.Repeat([]byte{byte(n)}, size)...)
	sum := sha256.Sum256(b)
	return append(b, hex.EncodeToString(sum[:])...)
}

func crashNumber(body []byte) (int, error) {
	at := len(body) - 2*sha256.Size
	if at < 0 {
		return 0, fmt.Errorf("only %d bytes", len(body))
	}
	if sum := sha256.Sum256(body[:at]); hex.EncodeToString(sum[:]) != string(body[at:]) {
		return 0, fmt.Errorf("%d bytes with a wrong checksum", len(body))
	}
	number, _, _ := bytes.Cut(body, []byte("\n"))
	return strconv.Atoi(string(number))
}

// crashChild creates keys, and replaces the key "register" by ever higher
// numbers, until it is killed. It says on its output what it is about to do,
// and what has been acknowledged.
func crashChild(dir string) error {
	s, err := New(dir)
	if err != nil {
		return err
	}
	ctx, name := context.Background(), fmt.Sprintf("%016x", rand.Uint64())
	for i := 0; ; i++ {
		size := i * 7919 % (4 << 10)
		if i%8 == 0 {
			size = minStaged + i*7919%(1<<20)
		}
		key, n, match := fmt.Sprintf("%s/%d/k%d", name, i/5, i), i, store.Absent
		if i%3 == 2 {
			key = "register"
			old, info, err := s.Get(ctx, key, nil)
			switch {
			case err == nil:
				if n, err = crashNumber(old); err != nil {
					return err
				}
				n++
				match = info.Token
			case !errors.Is(err, store.ErrNotExist):
				return err
			}
		}
		fmt.Println("begin", key, n)
		if err := crashPut(ctx, s, key, crashBody(n, size), match, i); err != nil {
			return err
		}
		fmt.Println("done", key, n)
	}
}

// crashPut puts every fourth key in two steps.
func crashPut(ctx context.Context, s *Store, key string, body []byte, match store.Token, i int) error {
	if i%4 != 0 || match != store.Absent {
		_, err := s.Put(ctx, key, body, match)
		return err
	}
	g, _, err := store.Stage(ctx, s, key, body)
	if err != nil {
		return err
	}
	defer g.Discard()
	_, err = g.Commit(ctx, key)
	return err
}

// Writers are killed at random moments. What they said was done is there,
// what they had begun is there as a whole or not at all, and nothing that is
// left of it is seen or stands in the way.
func TestKilledWriters(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	dir := t.TempDir()
	s := open(t, dir)
	done := map[string]int{} // key → number that was acknowledged
	begun := map[string]int{}
	cut := 0
	for round := range crashRounds {
		cmd := child(t, "crash", dir)
		out := start(t, cmd)
		line, err := out.ReadString('\n') // it is at work
		if err != nil {
			t.Fatalf("round %d: the writer wrote nothing: %v", round, err)
		}
		time.Sleep(time.Duration(rng.Int64N(int64(20 * time.Millisecond))))
		cmd.Process.Kill()
		lines := append([]string{line}, drain(out)...)
		cmd.Wait()
		var last, lastKey string
		for _, line := range lines {
			var n int
			if _, err := fmt.Sscanf(line, "%s %s %d", &last, &lastKey, &n); err != nil {
				t.Fatalf("round %d: writer said %q", round, line)
			}
			if last == "done" {
				done[lastKey] = n
			}
			begun[lastKey] = n
		}
		if last == "begin" {
			cut++
			tryAgain(t, s, lastKey, begun[lastKey])
			done[lastKey] = begun[lastKey]
		}
	}
	if cut == 0 {
		t.Error("no writer was killed during a put")
	}
	t.Logf("%d rounds, %d puts cut short, %d keys acknowledged, %d leftovers", crashRounds, cut, len(done), len(leftovers(t, s)))

	shown := map[string]bool{}
	for _, key := range keys(t, s, "") {
		shown[key] = true
		body, _ := get(t, s, key)
		if _, err := crashNumber([]byte(body)); err != nil {
			t.Errorf("List shows %s: %v", key, err)
		}
		if _, ok := begun[key]; !ok {
			t.Errorf("List shows %s, which nobody has put", key)
		}
	}
	for key, n := range done {
		if !shown[key] {
			t.Errorf("%s was acknowledged, and is gone", key)
			continue
		}
		body, _ := get(t, s, key)
		if got, _ := crashNumber([]byte(body)); got != n {
			t.Errorf("%s: %d was acknowledged, and there is %d", key, n, got)
		}
	}
	for _, left := range leftovers(t, s) {
		if !strings.HasPrefix(filepath.Base(left), ".") {
			t.Errorf("a killed writer has left %s", left)
		}
	}
}

// tryAgain looks at a put that was cut short, and makes good for it: nothing
// that the killed writer left may stand in the way.
func tryAgain(t *testing.T, s *Store, key string, n int) {
	t.Helper()
	body, info, err := s.Get(t.Context(), key, nil)
	switch {
	case errors.Is(err, store.ErrNotExist):
		info.Token = store.Absent
	case err != nil:
		t.Fatal(err)
	default:
		got, err := crashNumber(body)
		if err != nil || got != n && got != n-1 {
			t.Errorf("%s: after a put of %d that was cut short there is %d (%v)", key, n, got, err)
		}
	}
	if _, err := s.Put(t.Context(), key, crashBody(n, 10), info.Token); err != nil {
		t.Errorf("a put of %s after one that was cut short: %v", key, err)
	}
}
