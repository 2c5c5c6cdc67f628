package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

// shut is a store of which some parts cannot be read: keys that begin with one
// of these.
type shut struct {
	store.Store
	parts []string
}

func (s *shut) hides(key string) string {
	for _, part := range s.parts {
		if strings.HasPrefix(key, part) {
			return part
		}
	}
	return ""
}

func (s *shut) Get(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	if s.hides(key) != "" {
		return nil, store.Info{}, &fs.PathError{Op: "open", Path: key, Err: fs.ErrPermission}
	}
	return s.Store.Get(ctx, key, o)
}

// List yields one error for each part that is a directory, as a directory does.
func (s *shut) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		told := ""
		for info, err := range s.Store.List(ctx, prefix, after) {
			if part := s.hides(info.Key); strings.HasSuffix(part, "/") {
				if part != told && !yield(store.Info{}, &store.UnreadableError{Prefix: part, Err: fs.ErrPermission}) {
					return
				}
				told = part
				continue
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// If there is no permission to read an object's directory, a part of it or one
// register, every verb reports it and still shows all other objects.
func TestUnreadablePartsHideNothingElse(t *testing.T) {
	versionsOf := manifest.VersionsPrefix
	for what, parts := range map[string][]string{
		"an object":               {"objects/b!!m/"},
		"its versions":            {versionsOf("b:m")},
		"its latest register":     {manifest.VersionKey("b:m", Version{Major: 1, Patch: 1})},
		"a directory of versions": {versionsOf("b:m") + "a1.a0.c1/"},
		"several":                 {"objects/b!!m/", "tags/b!!m/"},
	} {
		t.Run(what, func(t *testing.T) {
			st := &shut{Store: newStore(t)}
			r := openOn(t, st, nil)
			for _, name := range []string{"a", "b:m", "c"} {
				mustSave(t, r, name, name)
				mustSave(t, r, name, name+name)
				mustTag(t, r, name+"@1.0.0", "t")
			}
			if strings.Contains(parts[0], "c1") {
				mustSave(t, r, "b:m", "many", WithVersion("1.0.123"))
				mustSave(t, r, "b:m", "more", WithVersion("2.0.0"))
			}
			st.parts = parts

			bad := (*UnreadableError)(nil)
			told := func(err error) {
				t.Helper()
				if !errors.As(err, &bad) || !errors.Is(err, fs.ErrPermission) || !strings.HasPrefix(bad.Key, parts[0]) {
					t.Errorf("it is not told: %v", err)
				}
			}
			var names []string
			for info, err := range r.Latest(t.Context(), "") {
				if err == nil {
					names = append(names, info.Ref())
					continue
				}
				if told(err); info.Name != "b:m" {
					t.Errorf("the error is of %q", info.Name)
				}
			}
			if !slices.Equal(names, []string{"a@1.0.1", "c@1.0.1"}) {
				t.Errorf("listed are %q", names)
			}

			if strings.Contains(parts[0], "c1") {
				var numbers []string
				for info, err := range r.Versions(t.Context(), "b:m") {
					if err != nil {
						told(err)
						continue
					}
					numbers = append(numbers, info.Version.String())
				}
				if !slices.Equal(numbers, []string{"1.0.0", "1.0.1", "2.0.0"}) {
					t.Errorf("its versions are %q", numbers)
				}
			}

			report, err := r.Verify(t.Context(), "", nil)
			if err != nil {
				t.Fatal(err)
			}
			if report.OK() || report.Versions < 4 {
				t.Errorf("verify read %d versions and finds %v", report.Versions, report.Problems)
			}
			for _, p := range report.Problems {
				if !errors.Is(p.Err, fs.ErrPermission) {
					t.Errorf("verify takes it for something else: %v", p.Err)
				}
			}

			pruned, err := r.Prune(t.Context(), &PruneOptions{KeepLast: 1, KeepTagged: true, DryRun: true})
			told(err)
			if pruned.Kept != 4 {
				t.Errorf("prune looks at %d versions", pruned.Kept)
			}

			to, _ := inMemory(t)
			copied, err := Copy(t.Context(), to, r, "", nil)
			told(err)
			if len(copied.Copied) < 4 || copied.Tags < 2 {
				t.Errorf("copied are %+v", copied)
			}
			mustLoad[string](t, to, "c@t")
			one := openOn(t, newStore(t), &Options{Unversioned: true})
			copied, err = Copy(t.Context(), one, r, "", nil)
			told(err)
			if len(copied.Copied) != 2 {
				t.Errorf("copied to a registry without versions are %+v", copied)
			}
			mustLoad[string](t, one, "c")

			gc, err := r.GC(t.Context(), nil)
			told(err)
			if gc.Freed.Packs != 0 || gc.Total.Packs != 0 {
				t.Errorf("the collection went on: %+v", gc)
			}
		})
	}
}

// What fails once is asked again, and not told as damage.
func TestDamageOnceIsNotTold(t *testing.T) {
	r, fst, _ := faulty(t)
	mustSave(t, r, "m", "x")
	mustTag(t, r, "m", "t")
	key := manifest.VersionKey("m", Version{Major: 1})
	for name, err := range map[string]error{"damaged": manifest.ErrCorrupt, "disk": &fs.PathError{Op: "read", Path: key, Err: errors.New("input/output error")}} {
		for _, key := range []string{key, manifest.TagKey("m", "t")} {
			n := 0
			fst.Plan(func(c faultstore.Call) faultstore.Fault {
				if c.Op != "get" || c.Key != key {
					return faultstore.Fault{}
				}
				if n++; n > 1 {
					return faultstore.Fault{}
				}
				return faultstore.Fault{Before: err}
			})
			rep := must[*VerifyReport](t)(r.Verify(t.Context(), "", nil))
			fst.Plan(nil)
			if !rep.OK() || n < 2 {
				t.Errorf("%s %s: read %d times, verify finds %v", name, key, n, rep.Problems)
			}
		}
	}
}

// A link in the place of a register is mended by hand: no advice to restore it
// leads there.
func TestLinkForARegister(t *testing.T) {
	dir := t.TempDir()
	r := must[*Registry](t)(Open(t.Context(), dir, &Options{Create: true}))
	mustSave(t, r, "m", "x")
	key := manifest.VersionKey("m", Version{Major: 1})
	at := filepath.Join(dir, filepath.FromSlash(key))
	elsewhere := filepath.Join(t.TempDir(), "x")
	if err := errors.Join(os.Rename(at, elsewhere), os.Symlink(elsewhere, at)); err != nil {
		t.Skip(err)
	}
	_, err := r.Info(t.Context(), "m@1.0.0")
	wantErr(t, err, ErrIntegrity)
	if err == nil || !strings.Contains(err.Error(), "replace it by its target") || strings.Contains(err.Error(), "--repair") {
		t.Errorf("it says %v", err)
	}
}

// An error names only a few of the parts that cannot be read.
func TestManyUnreadableParts(t *testing.T) {
	var u ledger.Unreadables
	for i := range 10_000 {
		u.Pass(fmt.Errorf("%d: %w", i, ErrIntegrity))
	}
	if s := u.Err().Error(); len(s) > 2000 || !strings.Contains(s, "9980 more") || !errors.Is(u.Err(), ErrIntegrity) {
		t.Errorf("%d bytes: %.3000s", len(s), s)
	}
	if u.Pass(nil) || u.Pass(store.ErrUnavailable) || ledger.Unreadables(nil).Err() != nil {
		t.Error("it is no part")
	}
}

// A body that is larger than the reader takes is refused before it is read, on
// every store.
func TestGetTakesNoMoreThanAsked(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		r := openOn(t, st, nil)
		must[store.Info](t)(r.ledger.Store.Put(t.Context(), "objects/x", make([]byte, 1000), store.Absent))
		for most, want := range map[int64]error{0: nil, 1000: nil, 999: store.ErrTooLarge, 1: store.ErrTooLarge} {
			body, _, err := r.ledger.Store.Get(t.Context(), "objects/x", &store.GetOptions{Most: most})
			if !errors.Is(err, want) || (err == nil) != (len(body) == 1000) {
				t.Errorf("at most %d: %d bytes, %v", most, len(body), err)
			}
		}
		body, _, err := r.ledger.Store.Get(t.Context(), "objects/x", &store.GetOptions{Offset: 10, Length: 5, Most: 5})
		if err != nil || len(body) != 5 {
			t.Errorf("of a range: %d bytes, %v", len(body), err)
		}
	})
}
