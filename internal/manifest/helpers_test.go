package manifest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the vectors in testdata instead of comparing with them")

// wantError checks that err is of a kind and says something.
func wantError(t testing.TB, err, kind error, says string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("no error, want %q saying %q", kind, says)
	case !errors.Is(err, kind) || !strings.Contains(err.Error(), says):
		t.Errorf("error %q, want %q saying %q", err, kind, says)
	}
}

// register is the body of a register, taken apart to be damaged.
type register map[string]any

func parseRegister(t testing.TB, body []byte) register {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var r register
	if err := d.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r register) bytes(t testing.TB) []byte {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// at returns the object below the given members.
func (r register) at(members ...string) register {
	for _, m := range members {
		r = r[m].(map[string]any)
	}
	return r
}
