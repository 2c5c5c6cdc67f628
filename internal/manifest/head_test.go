package manifest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
)

// A writer whose answer was lost finds its nonce, even after eight later writes by
// others. Otherwise a saver that has won would save once more (see
// docs/attacks.md, A3).
func TestHeadRemembersEightNonces(t *testing.T) {
	h := manifest.Head{Nonce: manifest.NewNonce()}
	var all []manifest.Nonce // newest first
	for range 12 {
		all = slices.Insert(all, 0, h.Nonce)
		h.Supersede()
		if slices.Contains(all, h.Nonce) {
			t.Fatalf("nonce %s again", h.Nonce)
		}
		if want := all[:min(len(all), 8)]; !slices.Equal(h.Prev, want) {
			t.Fatalf("earlier nonces %q, want %q", h.Prev, want)
		}
		for i, n := range all {
			if got, want := h.Wrote(n), i < 8; got != want {
				t.Errorf("nonce of %d writes ago: wrote %v, want %v", i+1, got, want)
			}
		}
		if !h.Wrote(h.Nonce) || h.Wrote(manifest.NewNonce()) {
			t.Error("Wrote does not tell its own nonce from others")
		}
	}
}

// Two savers may work on copies of one head.
func TestSucceedLeavesCopiesAlone(t *testing.T) {
	h := manifest.Head{Nonce: "a", Prev: make([]manifest.Nonce, 1, 8)}
	h.Prev[0] = "b"
	g, k := h, h
	g.Supersede()
	k.Supersede()
	if !slices.Equal(h.Prev, []manifest.Nonce{"b"}) || h.Nonce != "a" {
		t.Errorf("the head itself has changed to %+v", h)
	}
	for _, c := range []manifest.Head{g, k} {
		if !slices.Equal(c.Prev, []manifest.Nonce{"a", "b"}) {
			t.Errorf("earlier nonces %q", c.Prev)
		}
	}
}

func TestNonces(t *testing.T) {
	seen := map[manifest.Nonce]bool{}
	for range 1000 {
		n := manifest.NewNonce()
		if len(n) != 32 || strings.Trim(string(n), "0123456789abcdef") != "" || seen[n] {
			t.Fatalf("nonce %q", n)
		}
		seen[n] = true
	}
}

// DecodeHead reads what this program does not know: whose write a register of
// a newer one is.
func TestDecodeHeadTakesTheUnknown(t *testing.T) {
	const body = `{"kind":"lease","format":9,"requires":["x"],"nonce":"n","prev":["p"],"shape":{"round":true}}`
	h, err := manifest.DecodeHead([]byte(body))
	if err != nil || h.Kind != "lease" || h.Format != 9 || !slices.Equal(h.Requires, []string{"x"}) || !h.Wrote("n") || !h.Wrote("p") {
		t.Errorf("read as %+v, %v", h, err)
	}
	for _, bad := range []string{"", "{", "[]", `"head"`, `{"nonce":1}`, `{"nonce":"a","nonce":"b"}`, `{} {}`, "{\"kind\":\"\xff\"}"} {
		h, err := manifest.DecodeHead([]byte(bad))
		wantError(t, err, manifest.ErrCorrupt, "corrupt register")
		if fmt.Sprint(h) != fmt.Sprint(manifest.Head{}) {
			t.Errorf("%s: read as %+v beside the error", bad, h)
		}
	}
}
