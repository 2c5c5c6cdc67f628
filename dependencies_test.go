package registry

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"testing"
)

// untagged are the dependencies that are not at a release, and why that is
// borne. Nothing that sees credentials may be among them.
var untagged = map[string]string{
	"google.golang.org/genproto/googleapis/rpc": "its owner tags no releases; it is generated message types, without code of its own",
	"github.com/acarl005/stripansi":             "its owner tags no releases; it takes colours out of text for the progress bars",
}

// pseudoVersion matches the versions that Go makes of commits.
// https://go.dev/ref/mod#pseudo-versions
var pseudoVersion = regexp.MustCompile(`[-.]\d{14}-[0-9a-f]{12}(\+incompatible)?$`)

// Every dependency of the module is at a release: what handles credentials has
// been reviewed and announced by its authors, not only committed.
func TestDependenciesAreReleases(t *testing.T) {
	out, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require, Replace []struct{ Path, Version string }
	}
	if err := json.Unmarshal(out, &mod); err != nil || len(mod.Require) == 0 {
		t.Fatalf("%d requirements, %v", len(mod.Require), err)
	}
	for _, r := range mod.Require {
		if pseudoVersion.MatchString(r.Version) && untagged[r.Path] == "" {
			t.Errorf("%s is at the untagged commit %s; require a release, or say here why not", r.Path, r.Version)
		}
	}
	if len(mod.Replace) > 0 {
		t.Errorf("go.mod replaces %d modules, which programs that import this one do not see", len(mod.Replace))
	}
}
