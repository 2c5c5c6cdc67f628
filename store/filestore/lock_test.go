package filestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
)

const heldKey = "a/register"

// holdChild takes the lock of heldKey and never gives it back.
func holdChild(dir string) error {
	s, err := New(dir)
	if err != nil {
		return err
	}
	if _, err := s.lock(context.Background(), heldKey); err != nil {
		return err
	}
	fmt.Println("held")
	time.Sleep(time.Hour)
	return nil
}

// hold starts a process that holds the lock of heldKey until kill is called.
func hold(t *testing.T, dir string) (kill func()) {
	t.Helper()
	cmd := child(t, "hold", dir)
	out := start(t, cmd)
	if line, err := out.ReadString('\n'); line != "held\n" {
		t.Fatalf("the holder said %q (%v)", line, err)
	}
	return func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
}

func TestLockFilesAreNeverListed(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range 100 { // many lock files
		key := fmt.Sprintf("k%02d", i)
		info := put(t, s, key, "1", store.Absent)
		put(t, s, key, "2", info.Token)
	}
	files, err := os.ReadDir(filepath.Join(s.root, lockDir))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d lock files (%v)", len(files), err)
	}
	if all := keys(t, s, ""); len(all) != 100 {
		t.Errorf("List shows %d keys, want 100: %q", len(all), all)
	}
	for _, prefix := range []string{lockDir, lockDir + "/", lockDir + "/0", "./", "../", "a/../", "/", "a//"} {
		r := record(s)
		if all := keys(t, s, prefix); len(all) > 0 {
			t.Errorf("List of %q shows %q", prefix, all)
		}
		for _, op := range r.take() {
			if op != "readdir "+s.root {
				t.Errorf("List of %q did %s", prefix, op)
			}
		}
	}
}

// A process that is killed while it holds a lock blocks nobody for longer.
func TestKilledLockHolder(t *testing.T) {
	for what, call := range changes {
		t.Run(what, func(t *testing.T) {
			s := open(t, t.TempDir())
			info := put(t, s, heldKey, "1", store.Absent)
			kill := hold(t, s.root)
			done := make(chan error, 1)
			go func() { done <- call(t.Context(), s, info.Token) }()
			select {
			case err := <-done:
				t.Fatalf("did not wait for the lock (%v)", err)
			case <-time.After(100 * time.Millisecond):
			}
			kill()
			if err := <-done; err != nil {
				t.Errorf("after the holder was killed: %v", err)
			}
		})
	}
}

// changes are the calls that take a lock.
var changes = map[string]func(ctx context.Context, s *Store, match store.Token) error{
	"replace": func(ctx context.Context, s *Store, match store.Token) error {
		_, err := s.Put(ctx, heldKey, []byte("2"), match)
		return err
	},
	"delete": func(ctx context.Context, s *Store, _ store.Token) error { return s.Delete(ctx, heldKey) },
}

// Saving does not depend on a lock.
func TestCreateNeedsNoLock(t *testing.T) {
	s := open(t, t.TempDir())
	hold(t, s.root)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := s.Put(ctx, heldKey, []byte("1"), store.Absent); err != nil {
		t.Error(err)
	}
}

func TestCancelWhileWaitingForALock(t *testing.T) {
	for _, where := range []string{"another process", "another goroutine"} {
		t.Run(where, func(t *testing.T) {
			s := open(t, t.TempDir())
			info := put(t, s, heldKey, "1", store.Absent)
			if where == "another process" {
				hold(t, s.root)
			} else {
				unlock, err := s.lock(t.Context(), heldKey)
				if err != nil {
					t.Fatal(err)
				}
				defer unlock()
			}
			for what, call := range changes {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				done := make(chan error, 1)
				go func() { done <- call(ctx, s, info.Token) }()
				<-ctx.Done()
				select {
				case err := <-done:
					if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrUnknown) {
						t.Errorf("a cancelled %s returned %v", what, err)
					}
				case <-time.After(10 * time.Second): // a second, and a slow machine
					t.Errorf("a cancelled %s does not return", what)
				}
				cancel()
			}
			if body, now := get(t, s, heldKey); body != "1" || now.Token != info.Token {
				t.Errorf("a cancelled call was applied: %q", body)
			}
			if left := leftovers(t, s); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// What has waited for a lock looks again: the state may be another by then.
func TestStateIsCheckedUnderTheLock(t *testing.T) {
	dir := t.TempDir()
	one, two := open(t, dir), open(t, dir)
	info := put(t, one, heldKey, "1", store.Absent)
	replace := func(s *Store, body string) <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := s.Put(t.Context(), heldKey, []byte(body), info.Token)
			done <- err
		}()
		return done
	}
	locked, resume := pause(one, "rename")
	defer resume()
	first := replace(one, "one")
	await(t, locked, first)
	written, proceed := pause(two, "sync") // it has found the state that it was told
	second := replace(two, "two")
	await(t, written, second)
	proceed()
	resume()
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := <-second; !errors.Is(err, store.ErrPrecondition) {
		t.Errorf("a second replacement of one state: %v", err)
	}
	if body, _ := get(t, one, heldKey); body != "one" {
		t.Errorf("the state is %q", body)
	}
}
