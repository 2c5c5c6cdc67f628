package manifest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mindtrace/registry/internal/manifest"
)

// lockVectors are a lock held and renewed, one that was broken, and a shared
// holder's.
func lockVectors() map[string]*manifest.Lock {
	owner := manifest.LockOwner{Host: "worker-3", PID: 4711, User: "alice", Why: "nightly training"}
	held := &manifest.Lock{
		Head: vectorHead(manifest.KindLock, "8"), Name: "my:Model", State: manifest.LockHeld,
		Epoch: 42, Owner: owner, Since: vectorTime, TTL: 30_000, Renew: 2,
	}
	held.Prev = []manifest.Nonce{nonce("7"), nonce("6"), nonce("5")}
	broken := *held
	broken.Head, broken.State, broken.Epoch, broken.Renew = vectorHead(manifest.KindLock, "9"), manifest.LockFree, 43, 0
	broken.Prev = append([]manifest.Nonce{nonce("8")}, held.Prev...)
	broken.BrokenBy = &manifest.LockOwner{Host: "desk", PID: 12, User: "bob", Why: "it hangs"}
	shared := &manifest.Lock{
		Head: vectorHead(manifest.KindLock, "a"), Name: "my:Model", State: manifest.LockShared, Owner: owner, TTL: 10_000,
	}
	return map[string]*manifest.Lock{"lock-held.json": held, "lock-broken.json": &broken, "lock-shared.json": shared}
}

func TestLockVectors(t *testing.T) {
	for file, l := range lockVectors() {
		body, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, file, body)
		shared := l.State == manifest.LockShared
		if got, err := manifest.DecodeLock(body, l.Name, shared); err != nil || !cmp.Equal(got, l) {
			t.Errorf("%s is read as %+v, %v", file, got, err)
		}
		if _, err := manifest.DecodeLock(body, l.Name, !shared); !errors.Is(err, manifest.ErrCorrupt) {
			t.Errorf("%s at the other kind of key: %v", file, err)
		}
	}
}

func TestLockKeys(t *testing.T) {
	id := nonce("b")
	for key, want := range map[string]manifest.Nonce{
		manifest.LockKey("my:Model"):           "",
		manifest.SharedLockKey("my:Model", id): id,
	} {
		if name, got, err := manifest.ParseLockKey(key); name != "my:Model" || got != want || err != nil {
			t.Errorf("%s is read as %q, %q, %v", key, name, got, err)
		}
	}
	if got := manifest.LockKey("my:Model"); got != "locks/my!!!model/x.json" {
		t.Errorf("the key of my:Model is %s", got)
	}
	if got := manifest.SharedLockKey("my:Model", id); got != "locks/my!!!model/s/"+string(id) {
		t.Errorf("the key of a shared holder of my:Model is %s", got)
	}
	for _, key := range []string{
		"", "locks/", "locks/m", "locks/m/", "locks/m/x", "locks/m/s/", "locks/m/s/x", "locks/m/s/" + strings.Repeat("A", 32),
		"locks/m/s/" + string(id) + "/x", "locks//x.json", "locks/m!/x.json", "locks/a/b/x.json", "objects/m/x.json", "locks/m_/x.json",
		"locks/a/b/s/" + string(id), "lock/m/s/" + string(id),
	} {
		if name, id, err := manifest.ParseLockKey(key); err == nil {
			t.Errorf("%q is read as the lock of %q, %q", key, name, id)
		}
	}
}

// A lock that makes no sense is neither written nor read.
func TestLocksRefuseNonsense(t *testing.T) {
	for _, c := range []struct {
		why  string
		file string
		set  func(*manifest.Lock)
		want string
	}{
		{"no epoch", "lock-held.json", func(l *manifest.Lock) { l.Epoch = 0 }, "bad epoch 0"},
		{"epoch beyond a double", "lock-held.json", func(l *manifest.Lock) { l.Epoch = 1 << 53 }, "bad epoch"},
		{"shared with an epoch", "lock-shared.json", func(l *manifest.Lock) { l.Epoch = 1 }, "epoch 1 in a shared"},
		{"other state", "lock-held.json", func(l *manifest.Lock) { l.State = "open" }, `unknown state "open"`},
		{"no TTL", "lock-held.json", func(l *manifest.Lock) { l.TTL = 0 }, "ttl of 0"},
		{"long TTL", "lock-held.json", func(l *manifest.Lock) { l.TTL = 24*3600*1000 + 1 }, "ttl of 86400001"},
		{"negative renewals", "lock-held.json", func(l *manifest.Lock) { l.Renew = -1 }, "renewed -1"},
		{"broken but held", "lock-broken.json", func(l *manifest.Lock) { l.State = manifest.LockHeld }, "but not free"},
		{"long reason", "lock-held.json", func(l *manifest.Lock) { l.Owner.Why = strings.Repeat("x", 1025) }, "1025 bytes"},
		{"long reason to break", "lock-broken.json", func(l *manifest.Lock) { l.BrokenBy = &manifest.LockOwner{Why: strings.Repeat("x", 1025)} }, "1025 bytes"},
		{"long host", "lock-held.json", func(l *manifest.Lock) { l.Owner.Host = strings.Repeat("x", 256) }, "255 bytes"},
		{"negative process", "lock-held.json", func(l *manifest.Lock) { l.Owner.PID = -1 }, "process -1"},
		{"other name", "lock-held.json", func(l *manifest.Lock) { l.Name = "my_model" }, "underscores"},
	} {
		l := lockVectors()[c.file]
		shared := l.State == manifest.LockShared
		good, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		c.set(l)
		if _, err := l.Encode(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: written with %v, want an error saying %q", c.why, err, c.want)
		}
		bad, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(bad, good) {
			t.Fatalf("%s changes nothing", c.why)
		}
		_, err = manifest.DecodeLock(bad, "my:Model", shared)
		if !errors.Is(err, manifest.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: read with %v, want ErrCorrupt saying %q", c.why, err, c.want)
		}
	}
	body, err := lockVectors()["lock-held.json"].Encode()
	if err != nil {
		t.Fatal(err)
	}
	for why, bad := range map[string][]byte{
		"a member too many": bytes.Replace(body, []byte(`"ttl"`), []byte(`"more":1,"ttl"`), 1),
		"a member twice":    bytes.Replace(body, []byte(`"ttl"`), []byte(`"ttl":1,"ttl"`), 1),
		"more of an owner":  bytes.Replace(body, []byte(`"host"`), []byte(`"home":"x","host"`), 1),
		"cut short":         body[:len(body)/2],
	} {
		if _, err := manifest.DecodeLock(bad, "my:Model", false); !errors.Is(err, manifest.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", why, err)
		}
	}
	if _, err := manifest.DecodeLock(body, "other", false); !errors.Is(err, manifest.ErrCorrupt) {
		t.Errorf("that of another name: %v, want ErrCorrupt", err)
	}
	newer := bytes.Replace(body, []byte(`"format":1`), []byte(`"format":2`), 1)
	if _, err := manifest.DecodeLock(newer, "my:Model", false); !errors.Is(err, manifest.ErrNewer) {
		t.Errorf("a newer format: %v, want ErrNewer", err)
	}
}

func TestSettingsLocking(t *testing.T) {
	s := manifest.NewSettings(time.Now(), manifest.Times{})
	s.Locking = manifest.LockingStrict
	body, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := manifest.DecodeSettings(body); err != nil || got.Locking != manifest.LockingStrict {
		t.Errorf("read as %+v, %v", got, err)
	}
	if _, err := manifest.DecodeSettings(bytes.Replace(body, []byte(`"strict"`), []byte(`"loose"`), 1)); !errors.Is(err, manifest.ErrCorrupt) {
		t.Errorf("unknown locking: %v, want ErrCorrupt", err)
	}
}

func FuzzDecodeLock(f *testing.F) {
	addVectors(f, "lock-*.json")
	f.Fuzz(func(t *testing.T, body []byte) {
		name, _ := whose(body)
		for _, shared := range []bool{false, true} {
			l, err := manifest.DecodeLock(body, name, shared)
			if err != nil {
				checkRefusal(t, err)
				continue
			}
			if l.TTLD() <= 0 || l.TTLD() > manifest.MaxLockTTL || shared == (l.Epoch > 0) {
				t.Errorf("read as %+v", l)
			}
			again, err := l.Encode()
			if err != nil {
				t.Fatal(err)
			}
			got, err := manifest.DecodeLock(again, name, shared)
			if err != nil {
				t.Fatalf("%v\n%s", err, again)
			}
			if d := cmp.Diff(l, got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("read, written and read again (-first +second):\n%s", d)
			}
		}
	})
}
