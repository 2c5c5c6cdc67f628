package registry

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mindtrace/registry"

// allowed says what each package of the product may import of the others, and
// of other modules. A package that is not listed may import nothing.
var allowed = map[string][]string{
	"": {
		"cache", "fault", "lock", "version", "internal/beneath", "internal/cachestore", "internal/chunk", "internal/commit", "internal/fsck", "internal/gc", "internal/ledger", "internal/lease",
		"internal/manifest", "internal/memory", "internal/oserror", "internal/replicate", "internal/tree", "internal/wrapstore", "material", "store", "store/filestore",
		"github.com/go-json-experiment/json",
	},
	"internal/memory":       {"internal/chunk"},
	"internal/ledger":       {"fault", "internal/backoff", "internal/cachestore", "internal/wrapstore", "internal/chunk", "internal/knob", "internal/lease", "internal/manifest", "internal/plain", "store", "store/storecheck", "github.com/Masterminds/semver/v3"},
	"internal/commit":       {"fault", "internal/chunk", "internal/ledger", "internal/manifest", "store"},
	"internal/tree":         {"fault", "internal/beneath", "internal/chunk", "internal/localfs", "internal/manifest", "internal/memory", "internal/oserror", "internal/plain", "material", "store", "github.com/gofrs/flock"},
	"internal/gc":           {"fault", "internal/ledger", "internal/manifest", "store", "github.com/go-json-experiment/json"},
	"internal/fsck":         {"fault", "internal/chunk", "internal/commit", "internal/ledger", "internal/manifest", "store"},
	"internal/replicate":    {"fault", "internal/chunk", "internal/commit", "internal/ledger", "internal/manifest"},
	"store":                 {},
	"store/memstore":        {"store"},
	"store/filestore":       {"internal/mechanism", "internal/oserror", "store", "github.com/gofrs/flock", "golang.org/x/sys"},
	"store/faultstore":      {"store"},
	"store/tracestore":      {"store"},
	"store/s3store":         {"internal/transport", "store", "github.com/minio/minio-go/v7", "gopkg.in/ini.v1"},
	"store/gcsstore":        {"internal/transport", "store", "google.golang.org/api", "golang.org/x/oauth2"},
	"store/storecheck":      {"internal/backoff", "store"},
	"store/storetest":       {"store", "store/storecheck"},
	"fault":                 {"version"},
	"version":               {},
	"lock":                  {},
	"internal/manifest":     {"internal/mechanism", "lock", "store", "version", "github.com/go-json-experiment/json"},
	"cache":                 {"internal/cachestore", "github.com/dustin/go-humanize"},
	"internal/cachestore":   {"internal/backoff", "internal/beneath", "internal/localfs", "internal/oserror", "internal/manifest", "internal/wrapstore", "store"},
	"internal/wrapstore":    {"internal/backoff", "internal/mechanism", "store"},
	"internal/backoff":      {"internal/knob", "store"},
	"internal/mechanism":    {},
	"internal/lease":        {"fault", "lock", "internal/backoff", "internal/wrapstore", "internal/manifest", "store"},
	"internal/chunk":        {"internal/backoff", "internal/mechanism", "internal/wrapstore", "internal/manifest", "store", "golang.org/x/sync", "github.com/klauspost/compress"},
	"material":              {"internal/beneath", "github.com/go-json-experiment/json"},
	"material/materialtest": {"internal/manifest", "material", "github.com/google/go-cmp"},
	"cmd/mindreg": {
		"", "cache", "internal/cachestore", "internal/wrapstore", "internal/oserror", "internal/plain", "internal/manifest", "material", "store", "store/storecheck", "store/gcsstore", "store/s3store", "github.com/spf13/cobra", "github.com/spf13/pflag",
		"github.com/dustin/go-humanize", "golang.org/x/sys", "golang.org/x/term",
	},
	"examples/quickstart": {""},
	"internal/beneath":    {},
	"internal/knob":       {},
	"internal/plain":      {},
	"internal/oserror":    {},
	"internal/transport":  {"store"},
	"internal/localfs":    {"golang.org/x/sys"},
	"internal/sim":        {"", "internal/knob", "internal/manifest", "material", "store", "github.com/go-json-experiment/json", "github.com/klauspost/compress"},
	"internal/testall":    {"internal/serverbin"},
	"internal/serverbin":  {"github.com/gofrs/flock"},
	"internal/faultproxy": {},
	"internal/servers":    {"internal/serverbin", "github.com/minio/minio-go/v7"},
	"internal/fuzzall":    {},
	"internal/mutants":    {},
	"internal/notices":    {},
	"internal/proofs":     {},
}

// sdks begin the import paths of what a cloud brings with it.
var sdks = map[string][]string{
	"s3":  {"github.com/minio/", "gopkg.in/ini"},
	"gcs": {"google.golang.org/", "cloud.google.com/", "golang.org/x/oauth2", "github.com/googleapis/", "go.opentelemetry.io/"},
}

// A program carries the SDKs of the backends that it imports, and no others:
// with the registry in a directory, no SDK.
func TestImportWeight(t *testing.T) {
	links := func(pkgs ...string) map[string]string {
		out, err := exec.Command("go", append([]string{"list", "-deps"}, pkgs...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for pkg := range strings.FieldsSeq(string(out)) {
			for sdk, prefixes := range sdks {
				if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(pkg, p) }) {
					found[sdk] = pkg
				}
			}
		}
		return found
	}
	for name, c := range map[string]struct {
		pkgs []string
		s3   bool
		gcs  bool
	}{
		"in a directory": {[]string{".", "./store", "./store/filestore", "./store/memstore", "./store/storetest", "./examples/quickstart"}, false, false},
		"s3store":        {[]string{".", "./store/s3store"}, true, false},
		"gcsstore":       {[]string{".", "./store/gcsstore"}, false, true},
		"mindreg":        {[]string{"./cmd/mindreg"}, true, true},
	} {
		got := links(c.pkgs...)
		if (got["s3"] != "") != c.s3 || (got["gcs"] != "") != c.gcs {
			t.Errorf("%s links the SDKs of %v", name, got)
		}
	}
}

// Layers point one way: the root and store import no cloud SDK, a backend
// imports neither the root nor another backend.
func TestLayers(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}:{{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), ":")
		pkg = strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/")
		may, known := allowed[pkg]
		for _, m := range may { // of other modules, each system imports its own
			full := strings.TrimSuffix(module+"/"+m, "/")
			if !strings.Contains(m, ".") && !slices.Contains(strings.Fields(imports), full) {
				t.Errorf("%q does not import %q: take it off the table of layers", pkg, m)
			}
		}
		if !known {
			t.Errorf("package %q is not in the table of layers", pkg)
			continue
		}
		for imp := range strings.FieldsSeq(imports) {
			if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
				continue // standard library
			}
			name := imp
			if imp == module || strings.HasPrefix(imp, module+"/") {
				name = strings.TrimPrefix(strings.TrimPrefix(imp, module), "/")
			}
			if !slices.ContainsFunc(may, func(m string) bool {
				return name == m || m != "" && strings.Contains(m, ".") && strings.HasPrefix(name, m+"/")
			}) {
				t.Errorf("%q imports %q: the layers do not allow it", pkg, name)
			}
		}
	}
}
