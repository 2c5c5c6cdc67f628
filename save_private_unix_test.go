//go:build unix

package registry

import (
	"errors"
	"os"
	"testing"
	"testing/fstest"
)

// A save tells how much of what it saves was private: that is not kept.
func TestPrivateIsTold(t *testing.T) {
	r, _ := inMemory(t)
	tree := writeFiles(t, map[string][]byte{"secret": nil, "run": nil, "open": nil, "d/deep/x": nil})
	err := errors.Join(os.Chmod(tree+"/secret", 0o600), os.Chmod(tree+"/run", 0o700), os.Chmod(tree+"/open", 0o640),
		os.Chmod(tree+"/d", 0o700), os.Chmod(tree+"/d/deep", 0o755), os.Chmod(tree, 0o755))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		value any
		want  int
	}{
		{Path(tree), 3}, {Path(tree + "/secret"), 1}, {Path(tree + "/open"), 0}, {Path(tree + "/d"), 1}, {Path(tree + "/d/deep"), 0},
		{fstest.MapFS{"a": {Data: []byte("x")}}, 0}, {"text", 0},
	} {
		var rep SaveReport
		mustSave(t, r, "m", c.value, WithReport(&rep))
		if rep.Private != c.want {
			t.Errorf("%v: %d are private, want %d", c.value, rep.Private, c.want)
		}
	}
}
