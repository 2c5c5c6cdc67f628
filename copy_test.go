package registry

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/tracestore"
)

// contents lists name@version digest of all that is live, in order.
func contents(t *testing.T, r *Registry) []string {
	t.Helper()
	var all []string
	for name, err := range r.Objects(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		for info, err := range r.Versions(t.Context(), name) {
			if err != nil {
				t.Fatal(err)
			}
			for tag, err := range r.Tags(t.Context(), name) {
				if err == nil && tag.Version == info.Version {
					all = append(all, info.Ref()+" "+tag.Tag+" "+tag.Digest)
				}
			}
			all = append(all, fmt.Sprint(info.Ref(), " ", info.Digest, " ", info.Class, " ", string(info.Metadata), " ", info.Created))
		}
	}
	return all
}

func tag(t *testing.T, r *Registry, ref, name string) {
	t.Helper()
	if _, err := r.Tag(t.Context(), ref, name, nil); err != nil {
		t.Fatal(err)
	}
}

// sourceRegistry has two objects, of which one shares most bytes between its
// versions.
func sourceRegistry(t *testing.T, size int) (*Registry, store.Store, [][]byte) {
	r, st := inMemory(t)
	var bodies [][]byte
	body := noise(1, size)
	for i := range 3 {
		body = slices.Concat(body[:i<<20], noise(uint64(i+2), 1000), body[i<<20:])
		bodies = append(bodies, body)
		mustSave(t, r, "big", body, WithMetadata(map[string]int{"n": i}), WithClass("blob"))
	}
	mustSave(t, r, "small", "tiny", WithVersion("2.0.0-rc.1"))
	mustSave(t, r, "small", Path(writeFiles(t, map[string][]byte{"a/b": noise(9, 300000), "c": nil})))
	tag(t, r, "big@1.0.1", "prod")
	tag(t, r, "big@1.0.1", "staging")
	tag(t, r, "big@1.0.0", "staging")
	mustSave(t, r, "gone", "x")
	must[*DeleteReport](t)(r.Delete(t.Context(), "gone@*", nil))
	return r, st, bodies
}

func TestCopyEverything(t *testing.T) {
	from, _, bodies := sourceRegistry(t, 20<<20)
	onEachStore(t, func(t *testing.T, st store.Store) {
		to := openOn(t, st, nil)
		rep := must[*CopyReport](t)(Copy(t.Context(), to, from, "", nil))
		if want, got := contents(t, from), contents(t, to); !slices.Equal(want, got) {
			t.Errorf("copied\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if v := must[*VerifyReport](t)(to.Verify(t.Context(), "", nil)); !v.OK() || v.Versions != 5 {
			t.Error(v)
		}
		if got := mustLoad[[]byte](t, to, "big@1.0.1"); !bytes.Equal(got, bodies[1]) {
			t.Error("other bytes")
		}
		if len(rep.Copied) != 5 || rep.Present != 0 || rep.Stored > 30<<20 {
			t.Errorf("%+v", rep)
		}
		again := must[*CopyReport](t)(Copy(t.Context(), to, from, "", nil))
		if len(again.Copied) != 0 || again.Present != 5 || again.Stored != 0 {
			t.Errorf("the second time: %+v", again)
		}
	})
}

// What the destination holds in the version before is not read at the source.
func TestCopyReadsOnlyWhatIsNew(t *testing.T) {
	from, st, _ := sourceRegistry(t, 20<<20)
	to, _ := inMemory(t)
	must[*CopyReport](t)(Copy(t.Context(), to, from, "big@1.0.0", nil))
	trace := tracestore.New(st)
	from = openOn(t, trace, nil)
	trace.Reset()
	rep := must[*CopyReport](t)(Copy(t.Context(), to, from, "big@1.0.1", nil))
	if rep.Reused < 18<<20 || rep.Stored > 4<<20 {
		t.Errorf("%+v", rep)
	}
	if n := trace.Count("get"); n > 5 { // registers, one range of a pack, two tags
		t.Errorf("%d requests at the source:\n%s", n, trace)
	}
}

func TestCopyChoosesVersions(t *testing.T) {
	from, _, _ := sourceRegistry(t, 20<<20)
	for ref, want := range map[string]int{"big": 3, "big@latest": 1, "big@^1.0.1": 2, "big@1.0.0": 1, "small@*": 2, "small@>=1": 1, "small": 2} {
		to, _ := inMemory(t)
		rep := must[*CopyReport](t)(Copy(t.Context(), to, from, ref, nil))
		if len(rep.Copied) != want || must[*VerifyReport](t)(to.Verify(t.Context(), "", nil)).Versions != want {
			t.Errorf("%s: %+v, want %d versions", ref, rep.Copied, want)
		}
	}
	to, _ := inMemory(t)
	must[*CopyReport](t)(Copy(t.Context(), to, from, "small@2.0.0-rc.1", &CopyOptions{Name: "other:name", Version: "7"}))
	if got := mustLoad[string](t, to, "other:name@7.0.0"); got != "tiny" {
		t.Errorf("%q", got)
	}
}

// Inside one registry, a copy moves no bytes.
func TestCopyWithin(t *testing.T) {
	r, st, _ := sourceRegistry(t, 20<<20)
	before := len(packKeys(t, st))
	rep := must[*CopyReport](t)(Copy(t.Context(), r, r, "big", &CopyOptions{Name: "big2"}))
	if len(rep.Copied) != 3 || rep.Stored != 0 || len(packKeys(t, st)) != before {
		t.Errorf("%+v, %d packs before, %d after", rep, before, len(packKeys(t, st)))
	}
	_, err := Copy(t.Context(), r, r, "big", nil)
	wantErr(t, err, ErrInvalidRef)
}

// A copy under another name inside an unversioned registry is an object of its own: that
// the source has the content does not mean that the target has it.
func TestCopyWithinUnversioned(t *testing.T) {
	r := openOn(t, newStore(t), &Options{Unversioned: true})
	mustSave(t, r, "m", "a")
	for _, want := range []struct{ copied, present int }{{1, 0}, {0, 1}} {
		rep := must[*CopyReport](t)(Copy(t.Context(), r, r, "m", &CopyOptions{Name: "golden:m"}))
		if len(rep.Copied) != want.copied || rep.Present != want.present {
			t.Errorf("copied %v, present %d; want %+v", rep.Copied, rep.Present, want)
		}
	}
	mustSave(t, r, "m", "b")
	if got := must[string](t)(Load[string](t.Context(), r, "golden:m")); got != "a" {
		t.Errorf("the copy holds %q", got)
	}
}

func TestCopyUnversioned(t *testing.T) {
	from, _, bodies := sourceRegistry(t, 20<<20)
	to := openOn(t, newStore(t), &Options{Unversioned: true})
	mustSave(t, to, "big", "old")
	must[*CopyReport](t)(Copy(t.Context(), to, from, "", nil))
	if got := mustLoad[[]byte](t, to, "big"); !bytes.Equal(got, bodies[2]) {
		t.Error("not the latest")
	}
	if n := len(contents(t, to)); n != 2 {
		t.Errorf("%d versions live, want one each", n)
	}
	if rep := must[*CopyReport](t)(Copy(t.Context(), to, from, "", nil)); rep.Present != 2 || len(rep.Copied) != 0 {
		t.Errorf("the second time: %+v", rep)
	}
}

// A version that is there with other content is never replaced, and does not
// keep the others from being copied.
func TestCopyConflicts(t *testing.T) {
	from, _, _ := sourceRegistry(t, 20<<20)
	to, _ := inMemory(t)
	mustSave(t, to, "big", "different")
	mustSave(t, to, "small", "x", WithVersion("2.0.0"))
	must[*DeleteReport](t)(to.Delete(t.Context(), "small@2.0.0", nil))
	mustSave(t, from, "small", "y", WithVersion("2"))
	rep, err := Copy(t.Context(), to, from, "", nil)
	wantErr(t, err, ErrExists)
	if e := (*SideError)(nil); !errors.As(err, &e) || e.Side != Destination {
		t.Errorf("%v does not say that it was the destination", err)
	}
	if len(rep.Copied) != 4 {
		t.Errorf("%+v", rep.Copied)
	}
	if got := mustLoad[string](t, to, "big@1.0.0"); got != "different" {
		t.Errorf("replaced by %q", got)
	}
	_, err = Copy(t.Context(), to, from, "nothing", nil)
	wantErr(t, err, ErrNotFound)
	if e := (*SideError)(nil); !errors.As(err, &e) || e.Side != Source {
		t.Errorf("%v does not say that it was the source", err)
	}
}

// A table in packs is read and written anew.
func TestCopyOfManyFiles(t *testing.T) {
	files := map[string][]byte{}
	for i := range 12000 {
		files[fmt.Sprintf("dir%d/file-%d.txt", i%10, i)] = noise(uint64(i), 50)
	}
	from, st := inMemory(t)
	var saved SaveReport
	mustSave(t, from, "many", Path(writeFiles(t, files)), WithReport(&saved))
	if n := len(packKeys(t, st)); saved.Packs != n {
		t.Errorf("the report says %d packs, %d were put", saved.Packs, n)
	}
	f := must[*ledger.Record](t)(from.ledger.Resolve(t.Context(), must[ledger.Ref](t)(ledger.ParseRef("many"))))
	if f.Table == nil {
		t.Fatal("the table is not in packs")
	}
	to, _ := inMemory(t)
	must[*CopyReport](t)(Copy(t.Context(), to, from, "", nil))
	if v := must[*VerifyReport](t)(to.Verify(t.Context(), "", nil)); !v.OK() || v.Files < 12000 {
		t.Error(v)
	}
	if _, _, err := to.ledger.Store.Get(t.Context(), manifest.VersionKey("many", Version{Major: 1}), nil); err != nil {
		t.Fatal(err)
	}
}

// What Copy counts are live versions.
func TestCopyCountsLiveVersions(t *testing.T) {
	source := func(t *testing.T, deleted ...string) *Registry {
		r, _ := inMemory(t)
		for _, v := range []string{"1.0.0", "1.1.0", "2.0.0"} {
			mustSave(t, r, "m", v, WithVersion(v))
		}
		for _, v := range deleted {
			must[*DeleteReport](t)(r.Delete(t.Context(), "m@"+v, nil))
		}
		return r
	}
	for _, c := range []struct {
		ref, version string
		unversioned  bool
		deleted      []string
		want         string // the highest copied
		err          error
	}{
		{"m", "", true, []string{"2"}, "1.1.0", nil},
		{"m@^1", "", true, []string{"1.1"}, "1.0.0", nil},
		{"m@^1", "", true, []string{"1.0", "1.1"}, "", ErrDeleted},
		{"m", "", false, []string{"1.0", "1.1", "2"}, "", ErrDeleted},
		{"m@^1", "", false, []string{"1.0", "1.1"}, "", ErrDeleted},
		{"m@^1", "7.0.0", false, []string{"1.1"}, "1.0.0", nil},
		{"m@^1", "7.0.0", false, nil, "", ErrInvalidVersion},
		{"m@^1", "7.0.0", false, []string{"1.0", "1.1"}, "", ErrDeleted},
		{"m", "", false, []string{"1.0"}, "2.0.0", nil},
	} {
		t.Run(fmt.Sprintf("%s %s %v without %v", c.ref, c.version, c.unversioned, c.deleted), func(t *testing.T) {
			to := openOn(t, newStore(t), &Options{Unversioned: c.unversioned})
			rep, err := Copy(t.Context(), to, source(t, c.deleted...), c.ref, &CopyOptions{Version: c.version})
			if c.err != nil {
				wantErr(t, err, c.err)
				return
			}
			if err != nil || len(rep.Copied) == 0 {
				t.Fatalf("%+v, %v", rep, err)
			}
			if got := mustLoad[string](t, to, "m"); got != c.want {
				t.Errorf("copied %s, want %s", got, c.want)
			}
		})
	}
}
